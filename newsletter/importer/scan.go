package importer

import (
	"bytes"
	"encoding/binary"
)

// scans counts the scans of a JPEG as its decoder meets them: the SOS markers between segments, up to the end of the image
// (ITU-T T.81 B.1.1). All else is passed over: what is in segments, and pixels, among which 0xff has 0 behind it or is a restart
// marker. Whoever could hide a scan here could have any number decoded.
func scans(raw []byte) (n int) {
	for at := 2; ; {
		next := bytes.IndexByte(raw[min(at, len(raw)):], 0xff)
		if next < 0 {
			return n
		}
		at += next
		for at < len(raw) && raw[at] == 0xff { // any number of fill bytes
			at++
		}
		if at+3 > len(raw) {
			return n
		}
		marker := raw[at]
		at++
		switch {
		case marker == 0, marker >= 0xd0 && marker <= 0xd7:
			continue
		case marker == 0xd9:
			return n
		case marker == 0xda:
			n++
		}
		at += int(binary.BigEndian.Uint16(raw[at:]))
	}
}
