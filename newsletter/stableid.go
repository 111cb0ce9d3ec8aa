package newsletter

import (
	"encoding/hex"
	"strconv"
)

// StableID is a thing's id for feed readers, for ever, whatever becomes of its name or of the site's address: a URN of a UUID
// (RFC 9562 section 5.8) made of the site's key and the thing's number.
func (p *Publisher) StableID(kind string, number int64) string {
	b := p.key.MAC("stable id", kind, strconv.FormatInt(number, 10))[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	s := hex.EncodeToString(b)
	return "urn:uuid:" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
