package catcher

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"

	"golang.org/x/net/html/charset"
)

// content is what a mail program would show of a mail.
type content struct {
	Fields     []field
	HTML, Text string // empty: no such part
}

// field is one header field, unfolded.
type field struct {
	Name, Value string // Value decoded
	raw         string
}

// Limits for mails made to exhaust who opens them.
const (
	maxDepth  = 10
	maxParts  = 100
	maxFields = 1000
)

var errTooDeep = errors.New("too many parts")

// readMail takes a mail apart as far as it can be read; what can't be read is left out.
func readMail(raw []byte) content {
	c := content{Fields: fields(raw)}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return c
	}
	parts := 0
	_ = c.walk(textproto.MIMEHeader(msg.Header), msg.Body, 0, &parts)
	return c
}

// walk takes the first text/plain and the first text/html, wherever they stand, that aren't attachments.
func (c *content) walk(header textproto.MIMEHeader, body io.Reader, depth int, parts *int) error {
	if *parts++; depth > maxDepth || *parts > maxParts {
		return errTooDeep
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		reader := multipart.NewReader(body, params["boundary"])
		for {
			part, err := reader.NextRawPart()
			if err != nil {
				return nil // the end, or what can't be read
			}
			if err := c.walk(part.Header, part, depth+1, parts); err != nil {
				return err
			}
		}
	}
	disposition, _, _ := mime.ParseMediaType(header.Get("Content-Disposition"))
	switch {
	case disposition == "attachment":
	case kind == "text/plain" && c.Text == "":
		c.Text = decodeBody(header, params["charset"], body)
	case kind == "text/html" && c.HTML == "":
		c.HTML = decodeBody(header, params["charset"], body)
	}
	return nil
}

func decodeBody(header textproto.MIMEHeader, label string, body io.Reader) string {
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	if label != "" {
		if decoded, err := charset.NewReaderLabel(label, body); err == nil {
			body = decoded
		}
	}
	text, _ := io.ReadAll(body) // what came before an error is better than nothing
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

var words = mime.WordDecoder{CharsetReader: charset.NewReaderLabel}

func decodeWords(value string) string {
	if text, err := words.DecodeHeader(value); err == nil {
		value = text
	}
	return strings.ToValidUTF8(value, "\uFFFD")
}

var fold = regexp.MustCompile(`\r?\n[ \t]+`)

// fields lists the header in its order.
func fields(raw []byte) []field {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var all []field
	for line := range strings.SplitSeq(fold.ReplaceAllString(string(head), " "), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok || len(all) == maxFields {
			break
		}
		value = strings.TrimSpace(value)
		all = append(all, field{Name: strings.ToValidUTF8(name, "\uFFFD"), Value: decodeWords(value), raw: value})
	}
	return all
}

// value is that of the first field of a name, "" if there is none.
func (c content) value(name string) string {
	for _, f := range c.Fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// box is the first mailbox of a header field, or that of the envelope if the field can't be read.
func (c content) box(name, envelope string) mail.Address {
	parser := mail.AddressParser{WordDecoder: &words}
	for _, f := range c.Fields {
		if strings.EqualFold(f.Name, name) {
			if all, err := parser.ParseList(f.raw); err == nil {
				return *all[0]
			}
		}
	}
	return mail.Address{Address: envelope}
}
