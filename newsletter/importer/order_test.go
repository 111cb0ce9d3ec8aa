package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pressrun/newsletter/importer"
)

// page is a plain text with labels; an empty neighbour has none.
func page(title, previous, next string) string {
	s := title + "\n\nText of it."
	if previous != "" {
		s += "\n\nPrevious\nPrevious\n\n" + previous
	}
	if next != "" {
		s += "\n\nNext\nNext\n\n" + next
	}
	return s
}

func TestOrder(t *testing.T) {
	weighted := func(title, weight string) string {
		return "---\ntitle: " + title + "\nweight: " + weight + "\n---\nText."
	}
	dated := func(title, date string) string { return "---\ntitle: " + title + "\ndate: " + date + "\n---\nText." }
	for _, tt := range []struct {
		name      string
		files     map[string]string
		by, order string
		problems  []string
	}{
		{"weight before all", map[string]string{"1.md": weighted("C", "3"), "2.md": weighted("B", "-2"), "3.md": weighted("A", "'0'")}, "weight", "b a c", nil},
		{
			"equal weights",
			map[string]string{"x.md": weighted("A", "1"), "b.md": weighted("B", "1")},
			"weight", "b a",
			[]string{"x.md: has the same weight as b.md, 1; they stand in the order of their names; give each its own"},
		},
		{
			"some weights",
			map[string]string{"01.md": "# A\n\nText.", "2.md": weighted("B", "1")},
			"number", "a b",
			[]string{"01.md: has no weight; of 2 articles 1 have none, so it doesn't decide; give every article its weight"},
		},
		{
			"chain before number",
			map[string]string{"3.txt": page("One", "", "“Two”"), "1.txt": page("Two", "ONE", "three"), "2.txt": page("Three", "two ", "")},
			"chain", "one two three", nil,
		},
		{"chain by next alone", map[string]string{"a.txt": page("Two", "", ""), "b.txt": page("One", "", "Two")}, "chain", "one two", nil},
		{"chain by previous alone", map[string]string{"a.txt": page("Two", "One", ""), "b.txt": page("One", "", "")}, "chain", "one two", nil},
		{
			"ends lead elsewhere",
			map[string]string{"a.txt": page("Two", "One", "Three"), "b.txt": page("One", "Zero", "Two")},
			"chain", "one two", nil,
		},
		{
			"chain in pieces",
			map[string]string{"a.txt": page("Three", "Two", ""), "b.txt": page("One", "", "Two")},
			"name", "three one",
			[]string{
				"a.txt:5: the Previous/Next chain is broken: one of its pieces begins here, after “Two”, which no file has as its title; correct the labels, or bring the missing text",
				"b.txt: the Previous/Next chain is broken: one of its pieces begins here; it ends at b.txt:5, before “Two”; correct the labels, or bring the missing text",
			},
		},
		{
			"circle",
			map[string]string{"2.txt": page("A", "B", "B"), "1.txt": page("B", "", "A")},
			"number", "b a",
			[]string{"1.txt:5: the Previous/Next labels lead in a circle: 1.txt → 2.txt → 1.txt; take the labels out where the series begins and ends"},
		},
		{
			"circle beside a line",
			map[string]string{"a.txt": page("A", "", ""), "b.txt": page("B", "C", ""), "c.txt": page("C", "B", "")},
			"name", "a b c",
			[]string{"b.txt:5: the Previous/Next labels lead in a circle: b.txt → c.txt → b.txt; take the labels out where the series begins and ends"},
		},
		{
			"two heads",
			map[string]string{"a.txt": page("A", "", "C"), "b.txt": page("B", "", "C"), "c.txt": page("C", "", "")},
			"name", "a b c",
			[]string{
				"b.txt:5: puts b.txt before c.txt, but a.txt:5 puts a.txt there; correct the labels of these files",
			},
		},
		{
			"itself",
			map[string]string{"a.txt": page("A", "A", "B"), "b.txt": page("B", "", "")},
			"name", "a b",
			[]string{"a.txt:5: names itself as its neighbour; correct its Previous and Next"},
		},
		{
			"labels with their titles on one line",
			map[string]string{
				"1.txt": "Three\n\nText of it.\n\nPrevious: Two", "2.txt": "Two\n\nText of it.\n\nPrevious: One | Next: Three", "3.txt": "One\n\nText of it.\n\nNext: Two",
			},
			"chain", "one two three", nil,
		},
		{
			"contradictory labels on one line",
			map[string]string{
				"a.txt": "A\n\nText.\n\nPrevious: C | Next: B", "b.txt": "B\n\nText.\n\nPrevious: C | Next: Elsewhere", "c.txt": "C\n\nText.",
			},
			"name", "a b c",
			[]string{"b.txt:5: puts b.txt after c.txt, but a.txt:5 puts a.txt there; correct the labels of these files"},
		},
		{
			"newest first",
			map[string]string{"2027-03-01-a.txt": page("A", "B", ""), "2027-03-08-b.txt": page("B", "", "")},
			"chain", "b a",
			[]string{"2027-03-08-b.txt: the Previous/Next chain begins with the newest article and ends with the oldest; give every article a weight if the series should begin with the oldest"},
		},
		{"number in the name", map[string]string{"02_x.txt": page("A", "", ""), "10-y.txt": page("B", "", ""), "Skin, Part 1.txt": page("C", "", "")}, "number", "c a b", nil},
		{
			"same number",
			map[string]string{"1-b.txt": page("B", "", ""), "01-a.txt": page("A", "", "")},
			"name", "a b",
			[]string{"1-b.txt: has the same number in its name as 01-a.txt, so numbers don't decide; number each file differently"},
		},
		{"numbers by folder", map[string]string{"b2/1.txt": page("C", "", ""), "b10/1.txt": page("D", "", ""), "b2/2.txt": page("A", "", "")}, "number", "c a d", nil},
		{"date", map[string]string{"a.md": dated("A", "2027-03-02"), "b.md": dated("B", "2027-03-01 10:00"), "c.md": dated("C", "2027-03-01")}, "date", "b c a", nil},
		{"date in the name", map[string]string{"2027-03-02-b.md": "# B\n\nText.", "2026-12-30-a.md": "# A\n\nText."}, "date", "a b", nil},
		{
			"some dates",
			map[string]string{"a.md": dated("A", "2027-03-02"), "b.md": "# B\n\nText."},
			"name", "a b",
			[]string{"b.md: has no date; of 2 articles 1 have none, so it doesn't decide; give every article its date"},
		},
		{"name, naturally", map[string]string{"skin10.txt": page("X", "", ""), "Skin9.txt": page("Y", "", ""), "aloe.txt": page("Z", "", "")}, "name", "z y x", nil},
		{"one article", map[string]string{"a.txt": page("A", "Z", "B")}, "name", "a", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(tt.files), ".")
			if err != nil {
				t.Fatal(err)
			}
			if f.OrderedBy != tt.by || slugs(f) != tt.order {
				t.Errorf("order = %q by %s, want %q by %s", slugs(f), f.OrderedBy, tt.order, tt.by)
			}
			if diff := cmp.Diff(tt.problems, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the files are called and whichever labels are left out on one side, a chain is followed as it reads.
func TestAnyChainIsFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		names := rapid.Permutation(numbers(n)).Draw(t, "names")
		previous, next := make([]string, n), make([]string, n)
		for i := 1; i < n; i++ {
			says := rapid.SampledFrom([]string{"previous", "next", "both"}).Draw(t, "which label")
			written := rapid.SampledFrom([]string{"Title %c", "TITLE  %c", "“Title %c”"}).Draw(t, "written as")
			if says != "next" {
				previous[i] = fmt.Sprintf(written, 'a'+i-1)
			}
			if says != "previous" {
				next[i-1] = fmt.Sprintf(written, 'a'+i)
			}
		}
		files := map[string]string{}
		var want []string
		for i := range n {
			files[fmt.Sprintf("%02d.txt", names[i])] = page(fmt.Sprintf("Title %c", 'a'+i), previous[i], next[i])
			want = append(want, fmt.Sprintf("title-%c", 'a'+i))
		}
		f, err := importer.ReadFS(folder(files), ".")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slugs(f), strings.Join(want, " "); got != want || f.OrderedBy != "chain" {
			t.Fatalf("order = %s by %s, want %s by chain; problems %v", got, f.OrderedBy, want, f.Problems)
		}
	})
}

func numbers(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
