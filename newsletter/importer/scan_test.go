package importer_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// ofScans is a grey progressive JPEG of side x side pixels. Each scan takes a few bytes and changes nothing; before stands before
// each one's marker, and pixels is what it has: the code for a run of 32,767 blocks without a change, which ends in 0xff.
func ofScans(side uint16, scans int, before, pixels string) []byte {
	b := append([]byte("\xff\xd8\xff\xdb\x00\x43\x00"), bytes.Repeat([]byte{1}, 64)...)
	b = append(b, "\xff\xc2\x00\x0b\x08"...)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, side), side)
	b = append(b, "\x01\x01\x11\x00"...)
	b = append(b, "\xff\xc4\x00\x15\x10\x01\x01"+strings.Repeat("\x00", 14)+"\xe0\x00"...)
	for range scans {
		b = append(b, before+"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00"+pixels...)
	}
	return append(b, "\xff\xd9"...)
}

const run = "\x7f\xff\x00"

// A JPEG may go over its pixels again and again, for a few bytes each time. Too many scans are refused however they stand there;
// what only looks like one is none.
func TestPictureScans(t *testing.T) {
	many := strings.Repeat("\xff\xda\x00\x08", 100)
	comment := "\xff\xfe\x01\x92" + many
	tests := []struct {
		about   string
		raw     []byte
		refused bool
	}{
		{"as many as may be", ofScans(64, 50, "", run), false},
		{"one too many", ofScans(64, 51, "", run), true},
		{"behind fill bytes", ofScans(64, 51, "\xff\xff\xff", run), true},
		{"behind what is nothing", ofScans(64, 51, "\x00nothing\xff\x00\xff", run), true},
		{"behind a stray restart marker", ofScans(64, 51, "\xff\xd7", run), true},
		{"with restarts", ofScans(64, 51, "\xff\xdd\x00\x04\x00\x20", run+"\xff\xd0"+run), true},
		{"behind comments", ofScans(64, 51, comment, run), true},
		{"few, with restarts", ofScans(64, 10, "\xff\xdd\x00\x04\x00\x20", run+"\xff\xd0"+run), false},
		{"few, with more in comments", ofScans(64, 10, comment, run), false},
		{"few, with more behind the end", append(ofScans(64, 10, "", run), many...), false},
		{"too many for a large picture", ofScans(6300, 21, "", run), true},
		{"thousands", ofScans(6300, 4000, "", run), true},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a, problems := pictured(t, "a.jpg", test.raw)
			runtime.ReadMemStats(&after)
			if !test.refused {
				if len(a.Pictures) != 1 || len(problems) > 0 {
					t.Errorf("%d pictures, problems %v; want it taken", len(a.Pictures), problems)
				}
				return
			}
			const want = "the picture a.jpg is shown by its description: it is a JPEG of too many scans, which takes far too long to open; " +
				"save it anew as a plain JPEG, not a progressive one"
			if len(a.Pictures) > 0 || len(problems) != 1 || !strings.Contains(problems[0].String(), want) {
				t.Errorf("%d pictures, problems %v; want none and %q", len(a.Pictures), problems, want)
			}
			if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 64 {
				t.Errorf("it took %d MB to refuse it, want 64 at most", got)
			}
		})
	}
}
