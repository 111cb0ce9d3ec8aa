package importer

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"golang.org/x/text/encoding"
	utf "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxXMLDepth is how deep the elements of a file may be nested.
const maxXMLDepth = 200

var (
	errDoctype  = errors.New("it has a DOCTYPE: no feed or export needs one, and it could name other files or grow without end")
	errXMLDepth = fmt.Errorf("its elements are nested deeper than %d", maxXMLDepth)
)

// xmlTokens gives the tokens of XML that comes from anywhere: strictly as it is written, with no entities but the five of XML
// itself, without a DOCTYPE, not too deep, and none that is too large. It implements xml.TokenReader.
type xmlTokens struct {
	decoder *xml.Decoder
	token   *bounded
	depth   int
	skip    string // the name of elements that are passed over; empty: none are
	room    int    // bytes that its tokens may still have
}

// readXML is a decoder of such tokens, with the place that they come to.
func readXML(r io.Reader) (*xml.Decoder, *xmlTokens) {
	t := &xmlTokens{token: &bounded{r: utf8Of(r)}, room: math.MaxInt}
	t.decoder = xml.NewDecoder(t.token)
	t.decoder.CharsetReader = charsetReader
	return xml.NewTokenDecoder(t), t
}

// Token implements xml.TokenReader.
func (t *xmlTokens) Token() (xml.Token, error) {
	token, err := t.next()
	start, ok := token.(xml.StartElement)
	if ok && err == nil && t.skip != "" && start.Name.Local == t.skip {
		for above := t.depth - 1; t.depth > above && err == nil; {
			_, err = t.next()
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return xml.CharData(nil), err
	}
	switch token := token.(type) {
	case xml.StartElement:
		t.room -= partSize
		for _, a := range token.Attr {
			t.room -= partSize + len(a.Value)
		}
	case xml.CharData:
		t.room -= len(token)
	}
	if t.room < 0 {
		return nil, errItem
	}
	return token, err
}

// partSize is what an element or an attribute takes beside its text, in bytes.
const partSize = 64

// next is the next token, also of what is passed over.
func (t *xmlTokens) next() (xml.Token, error) {
	t.token.n = 0
	token, err := t.decoder.RawToken()
	switch token.(type) {
	case xml.StartElement:
		if t.depth++; t.depth > maxXMLDepth {
			return nil, errXMLDepth
		}
	case xml.EndElement:
		t.depth--
	case xml.Directive:
		return nil, errDoctype
	}
	return token, err
}

// problem says where and why a file can't be read to its end.
func (t *xmlTokens) problem(err error) Problem {
	line, _ := t.decoder.InputPos()
	p := Problem{Line: line, Fatal: true, What: "its XML is broken: " + err.Error(), Mend: "fetch it again, or mend this line"}
	var broken *xml.SyntaxError
	var large tooLarge
	switch {
	case errors.Is(err, errDoctype), errors.Is(err, errXMLDepth), errors.Is(err, errParts), errors.Is(err, errItem), errors.As(err, &large):
		p.What, p.Mend = err.Error(), "bring its articles as single files"
	case errors.Is(err, errHeld):
		p.Line, p.What, p.Mend = 0, err.Error(), "export a part of it at a time"
	case errors.As(err, &broken):
		p.What = "its XML is broken: " + broken.Msg
	}
	return p
}

// utf8Of reads UTF-16 and a byte order mark as UTF-8; anything else stays as it is.
func utf8Of(r io.Reader) io.Reader {
	return transform.NewReader(r, utf.BOMOverride(encoding.Nop.NewDecoder()))
}

// charsetReader decodes what an XML declaration names.
func charsetReader(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be": // a byte order mark made UTF-8 of the last
		return r, nil
	}
	if e := charsetOf(label); e != nil {
		return e.NewDecoder().Reader(r), nil
	}
	return nil, fmt.Errorf("its character set, %s, is not read; UTF-8 is", shown(clip(label, 40)))
}
