package subscribers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRecord bounds one record in octets: a quote that nobody closes doesn't swallow the file.
const maxRecord = 256 << 10

// A recordReader reads CSV (RFC 4180) record by record, without giving up at a fault: a quote in the middle of a cell stands for
// itself, and after a quoted cell that can't be right the next line is read as if nothing had been.
type recordReader struct {
	in     *bufio.Reader
	comma  byte
	end    byte   // of a line: '\n', or '\r' in files that have no other
	unread []byte // lines that were read for a quoted cell and are records of their own
	lines  int    // how many were read
	raw    []byte // the record as it stands there
	text   []byte // what its quoted cells say
	record
}

// record is one line of a file, or several where a quoted cell has line breaks. It is valid until the next is read.
type record struct {
	line   int // its first, from 1
	cells  [][]byte
	fault  error // what is wrong with its quotes; cells are a guess then
	column int   // where that is, from 0
}

// Faults of quotes.
var (
	errOpenQuote = errors.New("the cell begins with a quote that nothing closes")
	errBareQuote = errors.New("something stands behind the quote that closes the cell: is a quote in it not doubled?")
	errLongLine  = fmt.Errorf("the line is longer than %d KB", maxRecord>>10)
)

// next reads one record; io.EOF after the last.
func (r *recordReader) next() (*record, error) {
	r.raw, r.fault, r.column = r.raw[:0], nil, 0
	r.line = r.lines + 1
	if err := r.readLine(); err != nil {
		return nil, err
	}
	first := len(r.raw)
	if first > maxRecord {
		r.raw = r.raw[:0]
		r.cells = r.cells[:0]
		r.fault = errLongLine
		return &r.record, nil
	}
	err := r.split(bytes.IndexByte(r.raw, '"') >= 0)
	for errors.Is(err, errOpenQuote) && len(r.raw) < maxRecord {
		from := len(r.raw)
		if more := r.readLine(); errors.Is(more, io.EOF) {
			break
		} else if more != nil {
			return nil, more
		}
		if bytes.IndexByte(r.raw[from:], '"') >= 0 {
			err = r.split(true)
		}
	}
	if err != nil {
		r.putBack(first)
		r.fault = err
		_ = r.split(false)
	}
	return &r.record, nil
}

// putBack keeps only the first octets of raw; the lines after them are read again.
func (r *recordReader) putBack(first int) {
	rest := r.raw[first:]
	r.unread = append(bytes.Clone(rest), r.unread...)
	r.lines = r.line
	r.raw = r.raw[:first]
}

// readLine adds one line with its end to raw; of one that is too long only the beginning.
func (r *recordReader) readLine() error {
	r.lines++
	read := len(r.unread)
	if read > 0 {
		n := bytes.IndexByte(r.unread, r.end) + 1
		if n == 0 {
			n = len(r.unread)
		}
		r.raw, r.unread = append(r.raw, r.unread[:n]...), r.unread[n:]
		if r.raw[len(r.raw)-1] == r.end {
			return nil
		}
	}
	for {
		part, err := r.in.ReadSlice(r.end)
		read += len(part)
		if len(r.raw) <= maxRecord {
			r.raw = append(r.raw, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && read > 0:
			return nil
		default:
			return err
		}
	}
}

// split finds the cells of raw; without quotes every quote is an ordinary character.
func (r *recordReader) split(quotes bool) error {
	r.cells, r.text = r.cells[:0], r.text[:0]
	rest := r.body()
	for {
		var cell []byte
		more := false
		if start := bytes.TrimLeft(rest, " "); quotes && len(start) > 0 && start[0] == '"' {
			var err error
			if cell, rest, more, err = r.quoted(start[1:]); err != nil {
				r.column = len(r.cells)
				return err
			}
		} else {
			cell, rest, more = bytes.Cut(rest, []byte{r.comma})
		}
		r.cells = append(r.cells, cell)
		if !more {
			return nil
		}
	}
}

// body is raw without the end of its last line.
func (r *recordReader) body() []byte {
	body := bytes.TrimSuffix(r.raw, []byte{r.end})
	if r.end == '\n' {
		body = bytes.TrimSuffix(body, []byte{'\r'})
	}
	return body
}

// quoted reads a cell behind its opening quote, and the comma behind it; more says whether there was one. A quote that neither is
// doubled nor closes the cell stands for itself where the cell is of one line.
func (r *recordReader) quoted(s []byte) (cell, rest []byte, more bool, err error) {
	from, bare := len(r.text), false
	for {
		i := bytes.IndexByte(s, '"')
		if i < 0 {
			if bare {
				return nil, nil, false, errBareQuote
			}
			return nil, nil, false, errOpenQuote
		}
		r.text = append(r.text, s[:i]...)
		if s = s[i+1:]; len(s) > 0 && s[0] == '"' {
			r.text, s = append(r.text, '"'), s[1:]
			continue
		}
		behind := bytes.TrimLeft(s, " ")
		if len(behind) == 0 {
			return r.text[from:], nil, false, nil
		}
		if behind[0] == r.comma {
			return r.text[from:], behind[1:], true, nil
		}
		if bytes.IndexByte(r.text[from:], r.end) >= 0 {
			return nil, nil, false, errBareQuote
		}
		r.text, bare = append(r.text, '"'), true
	}
}
