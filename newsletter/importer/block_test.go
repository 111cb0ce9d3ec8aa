package importer_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/importer"
)

// wpBlock is an item that is a reusable block.
func wpBlock(id, status, html string) string {
	return `<item><title>Part</title><guid>b` + id + `</guid><content:encoded><![CDATA[` + html + `]]></content:encoded><wp:post_id>` + id +
		`</wp:post_id><wp:status>` + status + `</wp:status><wp:post_type>wp_block</wp:post_type></item>`
}

// What a post of WordPress only names is filled in where the file has it (footnotes lie in the field footnotes, reusable blocks are items of
// the type wp_block: developer.wordpress.org, block editor handbook), and named with its post where it has not.
func TestBlocksOfWordPress(t *testing.T) {
	const skin = `<!-- wp:paragraph --><p>Skin<sup data-fn="u1" class="fn"><a href="#u1" id="u1-link">1</a></sup>.</p><!-- /wp:paragraph -->`
	notes := metaField("footnotes", `[{"content":"See <em>Ada</em>.","id":"u1"}]`)
	par := func(text string) string { return "<!-- wp:paragraph --><p>" + text + "</p><!-- /wp:paragraph -->" }
	for _, tt := range []struct{ name, html, fields, more, want, said string }{
		{"footnotes", skin + "<!-- wp:footnotes /-->" + par("End."), notes, "", "Skin\\[1].\n\n1. See *Ada*.\n\nEnd.", ""},
		{"footnotes without their place", skin, notes, "", "Skin\\[1].\n\n1. See *Ada*.", ""},
		{"footnotes that the file lacks", skin + "<!-- wp:footnotes /-->", "", "", "Skin1.", "#a: it holds footnotes, which"},
		{"a reusable block", par("A.") + `<!-- wp:block {"ref":55} /-->` + par("Z."), "", wpBlock("55", "publish", par("Shared.")), "A.\n\nShared.\n\nZ.", ""},
		{"one in another", `<!-- wp:block {"ref":55} /-->`, "", wpBlock("55", "publish", `<!-- wp:block {"ref":56} /-->`) + wpBlock("56", "publish", par("Deep.")), "Deep.", ""},
		{"one in itself", par("A.") + `<!-- wp:block {"ref":55} /-->`, "", wpBlock("55", "publish", `<!-- wp:block {"ref":55} /-->`), "A.", "#a: it holds the reusable block 55, which"},
		{"one that the file lacks", par("A.") + `<!-- wp:block {"ref":7} /-->`, "", "", "A.", "#a: it holds the reusable block 7, which"},
		{"one that is a draft", par("A.") + `<!-- wp:block {"ref":7} /-->`, "", wpBlock("7", "draft", par("No.")), "A.", "the reusable block 7"},
		{"one with other words", par("A.") + `<!-- wp:block {"ref":7,"content":{"x":{"content":"Other"}}} /-->`, "", wpBlock("7", "publish", par("No.")), "A.", "the reusable block 7"},
		{"one that the site fills", par("A.") + `<!-- wp:acf/team {"data":{"a":"-"}} /--><!-- wp:separator /-->`, "", "", "A.", "it holds the block acf/team, which"},
		{"one that is shown to nobody", par("A.") + `<!-- wp:group {"metadata":{"blockVisibility":false}} --><div>` + par("HIDDEN") + `</div><!-- /wp:group -->` + par("Z."), "", "", "A.\n\nZ.", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.Read(write(t, t.TempDir(), "w.xml", wxrOf(tt.html, tt.fields, tt.more)))
			if err != nil || len(f.Articles) != 1 {
				t.Fatalf("%d articles, %v, %v; want 1", len(f.Articles), err, f.Problems)
			}
			if got := f.Articles[0].Markdown; got != tt.want {
				t.Errorf("text %q, want %q", got, tt.want)
			}
			said := strings.Join(lines(f.Problems), "\n")
			if tt.said == "" && strings.Contains(said, "which only the site could fill") || !strings.Contains(said, tt.said) {
				t.Errorf("problems:\n%s\nwant %q", said, tt.said)
			}
		})
	}
}

// Blocks that name each other over and over fill no memory.
func TestReusableBlocksAreBounded(t *testing.T) {
	ref := func(id string) string { return strings.Repeat(`<!-- wp:block {"ref":`+id+`} /-->`, 500) }
	f, err := importer.Read(write(t, t.TempDir(), "w.xml", wxrOf(ref("1"), "", wpBlock("1", "publish", ref("2"))+wpBlock("2", "publish", ref("3"))+wpBlock("3", "publish", "<p>x</p>"))))
	if err == nil || !strings.Contains(strings.Join(lines(f.Problems), "\n"), "#a: it is left out: it has more than 256 KB") {
		t.Errorf("%v, %v; want the post left out for its size", f.Problems, err)
	}
}

// Shortcodes are named, not mailed; what one of them leads to is a link.
func TestShortcodesOfWordPress(t *testing.T) {
	for _, tt := range []struct{ html, want, said string }{
		{"[youtube https://video.example/watch?v=1&amp;w=640]", "[https://video.example/watch?v=1&w=640](https://video.example/watch?v=1&w=640)", ""},
		{"A [vimeo 12345] b", "A  b", "it holds [vimeo], which"},
		{"A [mc4wp_form] b", "A  b", "it holds [mc4wp_form], which"},
		{`A [contact-form-7 id="1"] b`, "A  b", "it holds [contact-form-7], which"},
		{"A [sic] b [page 5]", `A \[sic] b \[page 5]`, ""},
		{"A [[gallery]] b", `A \[gallery] b`, ""},
		{"A [tip]word[/tip] b", "A word b", "it holds [tip], which only the site could fill: left out; words between two of them stay"},
	} {
		f, err := importer.Read(write(t, t.TempDir(), "w.xml", wxrOf(tt.html, "", "")))
		if err != nil || len(f.Articles) != 1 {
			t.Fatalf("%s: %v, %v; want an article", tt.html, f.Problems, err)
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if got := f.Articles[0].Markdown; squeeze(got) != squeeze(tt.want) {
			t.Errorf("%s: text %q, want %q", tt.html, got, tt.want)
		}
		if said := strings.Join(lines(f.Problems), "\n"); tt.said == "" && strings.Contains(said, "site could fill") || !strings.Contains(said, tt.said) {
			t.Errorf("%s: problems %s, want %q", tt.html, said, tt.said)
		}
	}
}
