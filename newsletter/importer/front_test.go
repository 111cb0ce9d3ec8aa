package importer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
)

func TestFrontMatter(t *testing.T) {
	want := series.Incoming{Slug: "tide-tables", Draft: true, Source: "a.md", Text: series.Text{
		Title: "Tides: a “table”", Subject: "Ebb & flow", Preheader: "In short", Description: "2027",
		Date: "2027-03-30", Disclaimer: "No warranty.", DisclaimerMode: "replace", Markdown: "Text.",
		Meta: map[string]string{
			"series": "Harbour", "tags": `["sea","moon"]`, "image": "tide.jpg", "layout": "post", "toc": "true",
			"nested": `{"deep":[1,2.5,null]}`,
		},
	}}
	for name, text := range map[string]string{
		"YAML": "---\n" + `title: "Tides: a “table”"
Subject: Ebb & flow
preheader: 'In
  short'
date: 2027-03-30T09:00:00+02:00
weight: 3
slug: tide-tables
description: 2027
draft: true
series: Harbour
tags: [sea, moon]
disclaimer:
  text: No warranty.
  mode: replace
image: tide.jpg
layout: post # which
toc: true
nested: {deep: [1, 2.5, null]}
empty:
` + "---\n\nText.\n",
		"TOML": "+++\n" + `title = "Tides: a “table”"
Subject = 'Ebb & flow'
preheader = "In\nshort"
date = 2027-03-30T09:00:00+02:00
weight = 3
slug = "tide-tables"
description = 2027
draft = true
series = "Harbour"
tags = ["sea", "moon"]
image = "tide.jpg"
layout = "post"
toc = true
disclaimer = { text = "No warranty.", mode = "replace" }
nested.deep = [1, 2.5]
` + "+++\n\nText.\n",
	} {
		t.Run(name, func(t *testing.T) {
			want := want
			want.Line = 1 + strings.Count(text[:strings.Index(text, "Text.")], "\n")
			if name == "TOML" { // has no null
				want.Meta = map[string]string{}
				for k, v := range map[string]string{
					"series": "Harbour", "tags": `["sea","moon"]`, "image": "tide.jpg", "layout": "post", "toc": "true",
					"nested": `{"deep":[1,2.5]}`,
				} {
					want.Meta[k] = v
				}
			}
			f := readOne(t, "a.md", text)
			if diff := cmp.Diff(want, f.Articles[0]); diff != "" {
				t.Errorf("article (-want +got):\n%s", diff)
			}
			if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].What, "tide.jpg is left out") || f.OrderedBy != "weight" {
				t.Errorf("OrderedBy %s, problems %v; want weight and the picture that is not there", f.OrderedBy, f.Problems)
			}
		})
	}
}

// Each mistake is named with line and column, all of a file at once, and keeps the file out.
func TestFrontMatterMistakes(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"wrong kinds", "---\ntitle: [a]\nweight: heavy\ndate: next week\ndraft: maybe\nwithdrawn: 1\ntags: {a: b}\ndisclaimer: false\nslug: …\n---\nText.", []string{
			"FATAL a.md:2:8: title is a list, not text; write title: …",
			"FATAL a.md:3:9: weight is “heavy”, not a whole number; write weight: 3",
			"FATAL a.md:4:7: date is “next week”, not a date; write date: 2027-03-30",
			"FATAL a.md:5:8: draft is “maybe”, not true or false; write draft: true",
			"FATAL a.md:6:12: withdrawn is 1, not true or false; write withdrawn: true",
			"FATAL a.md:7:7: tags is a table, not a list of texts; write tags: [one, two]",
			`FATAL a.md:8:13: disclaimer is false, not text; write disclaimer: "…", or a table of text and mode (add or replace)`,
			"FATAL a.md:9:7: slug is “…”, not a slug; write slug: a-few-words in a-z, 0-9 and -",
		}},
		{"wrong kinds in TOML", "+++\nweight = 1.5\n  tags = [[1]]\ndate = 09:00:00\n+++\nText.", []string{
			"FATAL a.md:2:10: weight is 1.5, not a whole number; write weight: 3",
			"FATAL a.md:3:10: tags is a list, not a list of texts; write tags: [one, two]",
			"FATAL a.md:4:8: date is “09:00:00”, not a date; write date: 2027-03-30",
		}},
		{"colon", "---\na: 1\ntitle: Tides: a table\n---\nText.", []string{
			`FATAL a.md:3:8: the front matter is no YAML: mapping value is not allowed in this context; put values with : # or quotation marks in them into "…"`,
		}},
		{"no TOML", "+++\ntitle = Tides\n+++\nText.", []string{
			`FATAL a.md:2:9: the front matter is no TOML: expected value but found "Tides" instead; write one key = "value" a line`,
		}},
		{"no table", "---\n- a\n---\nText.", []string{
			"FATAL a.md:2: the front matter is no table of keys and values; write one key: value a line",
		}},
		{"no end", "---\ntitle: x\n\nText.", []string{"FATAL a.md:1: the front matter has no end; close it by a line of ---"}},
		{"no end in TOML", "+++\n\nText.", []string{"FATAL a.md:1: the front matter has no end; close it by a line of +++"}},
		{"twice", "---\ntitle: x\nTitle: y\n---\nText.", []string{"FATAL a.md:3:8: title stands there twice; keep one of them"}},
		{"alias", "---\na: &x [1]\nb: [*x, *x]\n---\nText.", []string{
			"FATAL a.md:3:9: anchors, references and tags are not read in front matter; write the value out, in quotation marks if it begins with &, *, ! or ?",
		}},
		{"control character", "---\ntitle: \"a\\u0007\"\n---\nText.", []string{"FATAL a.md:2:8: title holds a control character; remove it"}},
		{"mode", "---\ndisclaimer: {text: a, mode: drop}\n---\nText.", []string{
			`FATAL a.md:2:13: disclaimer is a table, not one of text and mode; write disclaimer: "…", or a table of text and mode (add or replace)`,
		}},
		{"a disclaimer of off", "---\ndisclaimer: off\n---\nText.", []string{
			`FATAL a.md:2:13: disclaimer is “off”, and readers would see that word below the disclaimer of the series, which stays; take the line out, or write disclaimer: "…", or a table of text and mode (add or replace)`,
		}},
		{"a disclaimer of none", "+++\ndisclaimer = { text = \" None. \", mode = \"replace\" }\n+++\nText.", []string{
			`FATAL a.md:2:14: disclaimer is “None.”, and readers would see that word below the disclaimer of the series, which stays; take the line out, or write disclaimer: "…", or a table of text and mode (add or replace)`,
		}},
		{"large", "---\na: " + strings.Repeat("x", 17000) + "\n---\nText.", []string{"FATAL a.md:1: the front matter has more than 16 KB; shorten it"}},
		{"long title", "---\na: 1\ntitle: " + strings.Repeat("x", 251) + "\n---\nText.", []string{
			"FATAL a.md:3: the title has more than 250 characters; put a short title on a line of its own at the top",
		}},
		{"no text", "# Title\n", []string{"FATAL a.md: there is no text under its title; write the text, or mark it draft: true in front matter"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(map[string]string{"a.md": tt.text}), ".")
			if err == nil {
				t.Errorf("%d articles, want none", len(f.Articles))
			}
			if diff := cmp.Diff(tt.want, lines(f.Problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A key one slip away from ours is named; one that would have kept an article back keeps the file out.
func TestMisspeltKeys(t *testing.T) {
	for _, tt := range []struct {
		front, want string
		draft       bool
	}{
		{"drfat: true", "FATAL a.md:3:8: drfat is no key of ours; did you mean draft?; write draft: …", false},
		{"Drafts: true", "FATAL a.md:3:9: Drafts is no key of ours; did you mean draft?; write draft: …", false},
		{"withdrwan: true", "FATAL a.md:3:12: withdrwan is no key of ours; did you mean withdrawn?; write withdrawn: …", false},
		{"subjekt: A", "a.md:3:10: subjekt is no key of ours; did you mean subject?; write subject: …", false},
		{"tag: sea", "a.md:3:6: tag is no key of ours; did you mean tags?; write tags: …", false},
		{"published: false", "a.md:3:12: published: false is read as draft: true; write draft: true", true},
		{"published: true", "", false},
		{"state: x\ntype: post\nauthor: Ada\nlayout: post\nupdated: 2027-01-01", "", false},
	} {
		f, err := importer.ReadFS(folder(map[string]string{"a.md": "---\ntitle: A\n" + tt.front + "\n---\nText."}), ".")
		if got := strings.Join(lines(f.Problems), "\n"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.front, got, tt.want)
		}
		if fatal := strings.HasPrefix(tt.want, "FATAL"); fatal != (err != nil) {
			t.Errorf("%s: got error %v, want one: %t", tt.front, err, fatal)
		} else if !fatal && f.Articles[0].Draft != tt.draft {
			t.Errorf("%s: got draft %t, want %t", tt.front, f.Articles[0].Draft, tt.draft)
		}
	}
}

func TestMarkdown(t *testing.T) {
	for _, tt := range []struct {
		name, text          string
		wantTitle, wantText string
		wantProblem         string
		wantDraft           bool
	}{
		{name: "heading is the title", text: "# The *quiet* \\# hour &amp; more #\n\nText.\n", wantTitle: "The quiet # hour & more", wantText: "Text."},
		{name: "underlined heading", text: "\nThe hour\n===\nText.", wantTitle: "The hour", wantText: "Text."},
		{name: "heading stays beside a title", text: "---\ntitle: A\n---\n# B\n\nText.", wantTitle: "A", wantText: "# B\n\nText."},
		{
			name: "file name is the title", text: "Text.", wantTitle: "The quiet hour", wantText: "Text.",
			wantProblem: "03-the_quiet-hour.md: no title; it is called “The quiet hour” after its file name; write title: … into its front matter, or # … as its first line",
		},
		{name: "rule, no front matter", text: "---\n\n# T\n\nText.", wantTitle: "The quiet hour", wantText: "---\n\n# T\n\nText.", wantProblem: "-"},
		{name: "code at the start", text: "---\ntitle: A\n---\n\n\n    code\n\ntext  \n\n", wantTitle: "A", wantText: "    code\n\ntext"},
		{name: "draft without text", text: "---\ntitle: A\ndraft: true\n---", wantTitle: "A", wantDraft: true},
		{name: "dots end YAML", text: "---\ntitle: A\n...\nText.", wantTitle: "A", wantText: "Text."},
		{name: "second level is no title", text: "## A\n\nText.", wantTitle: "The quiet hour", wantText: "## A\n\nText.", wantProblem: "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := readOne(t, "03-the_quiet-hour.md", tt.text)
			a := f.Articles[0]
			if a.Title != tt.wantTitle || a.Markdown != tt.wantText || a.Draft != tt.wantDraft {
				t.Errorf("got title %q, text %q, draft %v; want %q, %q, %v", a.Title, a.Markdown, a.Draft, tt.wantTitle, tt.wantText, tt.wantDraft)
			}
			if got := strings.Join(lines(f.Problems), "\n"); got != tt.wantProblem && tt.wantProblem != "-" {
				t.Errorf("problems = %s, want %s", got, tt.wantProblem)
			}
		})
	}
}
