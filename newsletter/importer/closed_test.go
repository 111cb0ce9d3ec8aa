package importer_test

import (
	"strings"
	"testing"

	"pressrun/newsletter/importer"
)

// wxrOf is a WordPress export with an item of its text, status and fields in its middle; more stands beside that item.
func wxrOf(html, fields, more string) string {
	return `<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>` + more +
		`<item><title>A</title><guid>g1</guid><content:encoded><![CDATA[` + html + `]]></content:encoded><wp:post_name>a</wp:post_name>` +
		`<wp:status>publish</wp:status><wp:post_type>post</wp:post_type>` + fields + `</item></channel></rss>`
}

func metaField(key, value string) string {
	return `<wp:postmeta><wp:meta_key>` + key + `</wp:meta_key><wp:meta_value><![CDATA[` + value + `]]></wp:meta_value></wp:postmeta>`
}

func ghostOf(html, more string) string {
	return `{"data":{"posts":[{"id":"64f0c0ffee00000000000001","title":"A","slug":"a","html":` + quoted(html) + `,"status":"published","published_at":"2024-03-01T09:00:00.000Z"` + more + `}]}}`
}

// quoted is a JSON string of a text without control characters.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// What not everybody could read where it comes from never becomes ready by itself: it is a draft, and the report says which and why. The
// shapes are those of Ghost's card gating and visibility (TryGhost/Ghost, post-gating), of Jetpack's newsletter access and premium content
// (Automattic/jetpack, extensions/blocks), of the audiences of Substack and the email types of Buttondown (docs.buttondown.com).
func TestWhatWasNotOpenComesInAsADraft(t *testing.T) {
	gate := func(params string) string {
		return `<p>Open.</p><!--kg-gated-block:begin ` + params + ` --><p>SECRET</p><!--kg-gated-block:end-->`
	}
	substack := func(audience string) map[string]string {
		return map[string]string{"posts.csv": "post_id,post_date,is_published,title,audience\n1.a,2024-03-01T09:00:00Z,true,A," + audience, "posts/1.a.html": "<p>Text.</p>"}
	}
	buttondown := func(head, row, text string) map[string]string {
		return map[string]string{"emails.csv": "id,subject,publish_date,slug" + head + "\nabc,A," + row, "emails/a.md": text}
	}
	one := func(name, content string) map[string]string { return map[string]string{name: content} }
	for _, tt := range []struct {
		name  string
		files map[string]string
		why   string // empty: it was open
	}{
		{"Ghost, public", one("g.json", ghostOf("<p>x</p>", `,"visibility":"public"`)), ""},
		{"Ghost, members", one("g.json", ghostOf("<p>x</p>", `,"visibility":"members"`)), "a (for members only)"},
		{"Ghost, paid", one("g.json", ghostOf("<p>x</p>", `,"visibility":"paid"`)), "a (for paying readers only)"},
		{"Ghost, a product", one("g.json", ghostOf("<p>x</p>", `,"visibility":"product:gold"`)), "a (for “product:gold” only)"},
		{"Ghost, a label", one("g.json", ghostOf("<p>x</p>", `,"visibility":"label:vip"`)), "a (for “label:vip” only)"},
		{"Ghost, mailed to some", one("g.json", strings.Replace(ghostOf("<p>x</p>", `,"visibility":"public","email_recipient_filter":"status:-free"`), "published", "sent", 1)), "a (for “status:-free” only)"},
		{"Ghost, mailed to all", one("g.json", strings.Replace(ghostOf("<p>x</p>", `,"email_recipient_filter":"all"`), "published", "sent", 1)), ""},
		{"Ghost, a gated block", one("g.json", ghostOf(gate(`nonMember:false memberSegment:"status:-free"`), "")), "a (a part of it for some members only)"},
		{"Ghost, a block for visitors", one("g.json", ghostOf(gate(`nonMember:true memberSegment:"status:free"`), "")), ""},
		{"Ghost, a gate without an end", one("g.json", ghostOf(`<!--kg-gated-block:begin--><p>SECRET</p>`, "")), "a (a part of it for some members only)"},
		{"WordPress, everybody", one("w.xml", wxrOf("<p>x</p>", metaField("_jetpack_newsletter_access", "everybody")+metaField("_wpmem_block", "0"), "")), ""},
		{"WordPress, subscribers", one("w.xml", wxrOf("<p>x</p>", metaField("_jetpack_newsletter_access", "subscribers"), "")), "a (for subscribers only)"},
		{"WordPress, paying", one("w.xml", wxrOf("<p>x</p>", metaField("_jetpack_newsletter_access", "paid_subscribers_all_tiers"), "")), "a (for some readers only, by the field _jetpack_newsletter_access)"},
		{"WordPress, patrons", one("w.xml", wxrOf("<p>x</p>", metaField("patreon-level", "5"), "")), "a (for some readers only, by the field patreon-level)"},
		{"WordPress, a paywall", one("w.xml", wxrOf("<p>x</p><!-- wp:jetpack/paywall /--><p>SECRET</p>", "", "")), "a (a part of it for some readers only, by the block jetpack/paywall)"},
		{"WordPress, premium content", one("w.xml", wxrOf("<!-- wp:premium-content/subscriber-view --><p>SECRET</p><!-- /wp:premium-content/subscriber-view -->", "", "")), "by the block premium-content/subscriber-view"},
		{"WordPress, a block by roles", one("w.xml", wxrOf(`<!-- wp:group {"blockVisibility":{"controlSets":[]}} --><p>SECRET</p><!-- /wp:group -->`, "", "")), "by the visibility of the block group"},
		{"WordPress, a shortcode", one("w.xml", wxrOf("Open. [private]SECRET[/private]", "", "")), "a (perhaps a part of it for some readers only, between [private] and its end)"},
		{"WordPress, a shortcode around code", one("w.xml", wxrOf("[private]SECRET <code>x</code> SECRET[/private]", "", "")), "between [private] and its end"},
		{"WordPress, a shortcode that nobody knows", one("w.xml", wxrOf("[crew rank=2]SECRET[/crew]", "", "")), "between [crew] and its end"},
		{"WordPress, a shortcode among dresses", one("w.xml", wxrOf("[su_box title=x]Open.[/su_box] [su_members]SECRET[/su_members]", "", "")), "between [su_members] and its end"},
		{"WordPress, dresses", one("w.xml", wxrOf("[su_box title=x]Open.[/su_box] [vc_row][quote]Open.[/quote][/vc_row]", "", "")), ""},
		{"WordPress, a gated reusable block", one("w.xml", wxrOf(`<!-- wp:block {"ref":5} /-->`, "", wpBlock("5", "publish", "<!-- wp:jetpack/paywall /--><p>SECRET</p>"))), "by the block jetpack/paywall"},
		{"Substack, everyone", substack("everyone"), ""},
		{"Substack, free readers", substack("only_free"), "a (for readers who don't pay only)"},
		{"Substack, paying readers", substack("only_paid"), "a (for paying readers only)"},
		{"Substack, another word", substack("only_friends"), "a (for “only_friends” only)"},
		{"Buttondown, public", buttondown(",email_type", "2024-03-01,a,public", "x"), ""},
		{"Buttondown, premium", buttondown(",email_type", "2024-03-01,a,premium", "x"), "a (for paying readers only)"},
		{"Buttondown, private", buttondown(",email_type", "2024-03-01,a,private", "x"), "a (not in its public archive)"},
		{"Buttondown, hidden", buttondown(",email_type", "2024-03-01,a,hidden", "x"), "a (not in its public archive)"},
		{"Buttondown, churned", buttondown(",email_type", "2024-03-01,a,churned", "x"), "a (for readers who had left only)"},
		{"Buttondown, hidden words", buttondown("", "2024-03-01,a", "x <span title='a' style=\"display:none\">SECRET</span>"), "a (a part of it hidden)"},
		{"Buttondown, else", buttondown("", "2024-03-01,a", "{% if a %}x{% else %}y{% endif %}"), "a (by {% if … %} a part of it for some readers only);"},
		{"Buttondown, a condition", buttondown("", "2024-03-01,a", "x {% if subscriber.is_premium %}SECRET{% endif %}"), "a (by {% if … %} a part of it for some readers only)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := importer.ReadFS(folder(tt.files), ".")
			if err != nil || len(f.Articles) != 1 {
				t.Fatalf("%d articles, %v, %v; want 1", len(f.Articles), err, f.Problems)
			}
			said := strings.Join(lines(f.Problems), "\n")
			if got, want := f.Articles[0].Draft, tt.why != ""; got != want {
				t.Errorf("draft %t, want %t: %s", got, want, said)
			}
			if tt.why == "" && strings.Contains(said, "not open") || !strings.Contains(said, tt.why) {
				t.Errorf("problems:\n%s\nwant %q among them", said, tt.why)
			}
		})
	}
}

// Buttondown's table may lack the column of the status: what was never published is a draft then.
func TestButtondownWithoutStatus(t *testing.T) {
	f, err := importer.ReadFS(folder(map[string]string{
		"emails.csv": "id,subject,publish_date,slug\nabc,A,,a\ndef,B,2024-03-01,b", "emails/a.md": "x", "emails/b.md": "y",
	}), ".")
	if err != nil || len(f.Articles) != 2 {
		t.Fatalf("%v, %v; want 2 articles", f, err)
	}
	for _, a := range f.Articles {
		if got, want := a.Draft, a.Slug == "a"; got != want {
			t.Errorf("%s: draft %t, want %t", a.Slug, got, want)
		}
	}
}

// The posts are named, but not without end.
func TestClosedPostsAreNamedUpToALimit(t *testing.T) {
	var rows strings.Builder
	for range 25 {
		rows.WriteString(`{"title":"A","html":"<p>x</p>","status":"published","visibility":"paid"},`)
	}
	f, err := importer.Read(write(t, t.TempDir(), "g.json", `{"data":{"posts":[`+strings.TrimSuffix(rows.String(), ",")+`]}}`))
	if got := strings.Join(lines(f.Problems), "\n"); err != nil || !strings.Contains(got, "25 posts not open to everybody there, taken in as draft: a (for paying readers only), a (2) (") || !strings.Contains(got, ", and 5 more; make ready") {
		t.Errorf("%s, %v; want 20 of 25 posts named", got, err)
	}
}
