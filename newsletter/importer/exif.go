package importer

import (
	"bytes"
	"encoding/binary"
	"image"
)

// segments calls f with the marker and the content of each segment of a JPEG before its pixels, until f says stop.
func segments(raw []byte, f func(marker byte, content []byte) (more bool)) {
	for at := 2; at+4 <= len(raw) && raw[at] == 0xff; {
		marker := raw[at+1]
		size := int(binary.BigEndian.Uint16(raw[at+2:]))
		if marker == 0xda || size < 2 || at+2+size > len(raw) || !f(marker, raw[at+4:at+2+size]) {
			return
		}
		at += 2 + size
	}
}

// isBare says that a picture carries nothing beside its pixels: no place, no camera, no words, and nothing behind its end,
// where telephones put films and further pictures with notes of their own.
func isBare(raw []byte, format string) bool {
	if format == "jpeg" {
		return isBareJPEG(raw)
	}
	for at := 8; at+8 <= len(raw); {
		size := binary.BigEndian.Uint32(raw[at:])
		if uint64(size)+12 > uint64(len(raw)-at) {
			return false
		}
		kind := string(raw[at+4 : at+8])
		at += int(size) + 12
		switch kind {
		case "IHDR", "PLTE", "tRNS", "IDAT":
		case "IEND":
			return at == len(raw)
		default:
			return false
		}
	}
	return false
}

func isBareJPEG(raw []byte) bool {
	bare, pixels := true, 2
	segments(raw, func(marker byte, content []byte) bool {
		bare = marker < 0xe1 || marker > 0xef && marker != 0xfe // APP1 to APP15, comments
		pixels += 4 + len(content)
		return bare
	})
	return bare && bytes.Index(raw[pixels:], []byte{0xff, 0xd9}) == len(raw)-pixels-2 // EOI; among pixels 0xff has 0 behind it
}

// orientation is how a camera was held (EXIF tag 0x0112), from 1 to 8; 1, upright, where it doesn't say.
func orientation(raw []byte) int {
	found := 1
	segments(raw, func(marker byte, content []byte) bool {
		tiff, ok := bytes.CutPrefix(content, []byte("Exif\x00\x00"))
		if marker != 0xe1 || !ok || len(tiff) < 8 {
			return true
		}
		var order binary.ByteOrder = binary.LittleEndian
		if tiff[0] == 'M' {
			order = binary.BigEndian
		}
		at := uint64(order.Uint32(tiff[4:]))
		if at+2 > uint64(len(tiff)) {
			return false
		}
		entries := uint64(order.Uint16(tiff[at:]))
		for i := range entries {
			entry := at + 2 + 12*i
			if entry+12 > uint64(len(tiff)) {
				break
			}
			if value := order.Uint16(tiff[entry+8:]); order.Uint16(tiff[entry:]) == 0x0112 && value >= 1 && value <= 8 {
				found = int(value)
			}
		}
		return false
	})
	return found
}

// upright turns and mirrors a picture as its orientation says.
func upright(p image.Image, orientation int) image.Image {
	if orientation == 1 {
		return p
	}
	b := p.Bounds()
	w, h := b.Dx(), b.Dy()
	turned := image.NewNRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		turned = image.NewNRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			toX, toY := x, y
			switch orientation {
			case 2:
				toX = w - 1 - x
			case 3:
				toX, toY = w-1-x, h-1-y
			case 4:
				toY = h - 1 - y
			case 5:
				toX, toY = y, x
			case 6:
				toX, toY = h-1-y, x
			case 7:
				toX, toY = h-1-y, w-1-x
			case 8:
				toX, toY = y, w-1-x
			}
			turned.Set(toX, toY, p.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return turned
}
