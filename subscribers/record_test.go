package subscribers_test

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/idna"

	"pressrun/subscribers"
)

func TestRecords(t *testing.T) {
	const open, bare = "the cell begins with a quote that nothing closes", "something stands behind the quote that closes the cell: is a quote in it not doubled?"
	long := strings.Repeat("x", 300<<10)
	for _, tt := range []struct {
		name, file string
		want       [][]string
		faults     []string
	}{
		{"plain", "a,b\nc,d", [][]string{{"a", "b"}, {"c", "d"}}, nil},
		{"CRLF and an empty line", "a,b\r\n\r\nc,d\r\n", [][]string{{"a", "b"}, {""}, {"c", "d"}}, nil},
		{"quoted", `"a","b, ""c"""` + "\n", [][]string{{"a", `b, "c"`}}, nil},
		{"a break in a cell", "\"a\r\nb\",c\nd,e\n", [][]string{{"a\r\nb", "c"}, {"d", "e"}}, nil},
		{"spaces around quotes", `"a" , "b" ,c`, [][]string{{"a", "b", "c"}}, nil},
		{"a quote in a plain cell", `Bob "the pen" Marsh,b`, [][]string{{`Bob "the pen" Marsh`, "b"}}, nil},
		{"a quote in a quoted cell", `"Bob "the pen" Marsh",b`, [][]string{{`Bob "the pen" Marsh`, "b"}}, nil},
		{"an open quote", "a,\"b\nc,d\ne,f\n", [][]string{{"c", "d"}, {"e", "f"}}, []string{"1:2 " + open}},
		{"an open quote at the end", "a,b\nc,\"d", [][]string{{"a", "b"}}, []string{"2:2 " + open}},
		{"an open quote before quoted cells", "\"a\",\"b\n\"c\",\"d\"\n\"e\",\"f\"\n", [][]string{{"c", "d"}, {"e", "f"}}, []string{"1:2 " + bare}},
		{"one that nobody closes for long", "a,\"b\n" + strings.Repeat("c,d\n", 100_000), slices.Repeat([][]string{{"c", "d"}}, 100_000), []string{"1:2 " + open}},
		{"a long line", "a\n" + long + "\nb\n", [][]string{{"a"}, {"b"}}, []string{"2:1 the line is longer than 256 KB"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, faults, err := subscribers.ReadRecords(tt.file, ',')
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.faults, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzRecords: what encoding/csv reads without a fault is read the same, and nothing else is a panic or the end.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{"a,b\nc,d\n", "\"a\",\"b\"\"c\"\r\n", "a,\"b\nc\",d\n\n\"e\n", "\"a\"b,c\n", "\"\n\"\"\n", ",\n,,\n", "\"a\n\"b\n\"c\"\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		got, faults, err := subscribers.ReadRecords(file, ',')
		if err != nil {
			t.Fatalf("%q: %v", file, err)
		}
		std := csv.NewReader(strings.NewReader(file))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil || strings.Contains(file, "\r") { // which csv takes out of cells
			return
		}
		got = slices.DeleteFunc(got, func(cells []string) bool { return len(cells) == 1 && cells[0] == "" })
		want = slices.DeleteFunc(want, func(cells []string) bool { return len(cells) == 1 && cells[0] == "" })
		if !slices.EqualFunc(want, got, slices.Equal) || len(faults) > 0 {
			t.Errorf("%q: got %q with faults %q, want %q", file, got, faults, want)
		}
	})
}

// TestWrittenRecords: what is written as RFC 4180 says is read again, whatever it is.
func TestWrittenRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := make([][]string, 1+rng.IntN(4))
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		for i := range want {
			for range 1 + rng.IntN(4) {
				cell := make([]byte, rng.IntN(6))
				for k := range cell {
					cell[k] = "a \",;'\n"[rng.IntN(7)]
				}
				want[i] = append(want[i], string(cell))
			}
			if err := w.Write(want[i]); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		got, faults, err := subscribers.ReadRecords(b.String(), ',')
		if diff := cmp.Diff(want, got); diff != "" || len(faults) > 0 || err != nil {
			t.Fatalf("%q: %q, %v (-want +got):\n%s", b.String(), faults, err, diff)
		}
	}
}

// TestPlainDomains: a domain that is taken as it is would have come through idna as it is.
func TestPlainDomains(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 200_000 {
		b := make([]byte, 1+rng.IntN(10))
		for i := range b {
			b[i] = "ax9-.n"[rng.IntN(6)]
		}
		s := string(b)
		if !subscribers.IsPlainDomain(s) {
			continue
		}
		plain++
		if got, err := idna.Lookup.ToASCII(s); err != nil || got != s {
			t.Fatalf("%q is taken as it is, idna makes %q of it, %v", s, got, err)
		}
	}
	if plain < 10_000 {
		t.Errorf("only %d domains were plain: nothing was tried", plain)
	}
}
