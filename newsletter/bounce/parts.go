package bounce

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"strings"
)

// parts are those of a message that say something to us; nil: there is none.
type parts struct {
	status   []byte // message/delivery-status (RFC 3464) or message/global-delivery-status (RFC 6533)
	feedback []byte // message/feedback-report (RFC 5965)
	original []byte // message/rfc822, text/rfc822-headers and their like
	text     []byte // the first text/plain
	seen     int    // parts, those included that say nothing
}

// walk finds the parts of a message. Those of a report count inside of a multipart/report alone, which need not be outermost (RFC
// 6522 section 3), and never inside of a message that is attached: a bounce that somebody passes on is none of theirs.
func walk(header fields, body []byte) (p parts) {
	p.walk(header, bytes.NewReader(body), 0, false)
	return p
}

func (p *parts) walk(header fields, body io.Reader, depth int, inReport bool) {
	kind, parameters, err := mime.ParseMediaType(header.get("Content-Type"))
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		p.each(body, parameters["boundary"], depth, inReport || kind == "multipart/report")
		return
	}
	var slot *[]byte
	switch kind {
	case "text/plain":
		slot = &p.text
	case "message/delivery-status", "message/global-delivery-status":
		slot = &p.status
	case "message/feedback-report":
		slot = &p.feedback
	case "message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers":
		slot = &p.original
	}
	if slot == nil || *slot != nil || kind != "text/plain" && !inReport {
		return
	}
	*slot = decoded(header.get("Content-Transfer-Encoding"), body)
}

// each walks the parts of a multipart, however deep, as they stream by: none is copied but what says something. The last one may be cut
// off: the reports of some servers are.
func (p *parts) each(body io.Reader, boundary string, depth int, inReport bool) {
	if depth == maxDepth || boundary == "" {
		return
	}
	r := multipart.NewReader(body, boundary)
	for p.seen < maxParts {
		part, err := r.NextRawPart()
		if err != nil {
			return
		}
		p.seen++
		var header fields
		for name, values := range part.Header {
			header = append(header, field{name, values[0]})
		}
		p.walk(header, part, depth+1, inReport)
	}
}

// decoded takes a transfer encoding off the first maxPart octets; what breaks off is kept up to there.
func decoded(encoding string, r io.Reader) []byte {
	switch strings.ToLower(word(encoding)) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	content, _ := io.ReadAll(io.LimitReader(r, maxPart))
	return content
}
