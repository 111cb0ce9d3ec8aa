package newsletter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/importer"
)

// Wherever a post of a feed holds what looks like a merge field, it is none of ours: nothing of it could be filled, or refuse the import.
func TestFieldsOfOtherPrograms(t *testing.T) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace
	for _, html := range []string{
		"<p>{{name}}</p>", "<h2>{{name}}</h2>", "<ul><li>{{name|x}}</ul>", "<table><tr><th>{{name|x}}</th></tr><tr><td>{{name}}</td></tr></table>",
		"<a href='https://x.example/{{name}}'>{{name}}</a>", "<a href='{{unsubscribe_link}}'>x</a>", "<a href='https://x.example/' title='{{name}}'>y</a>",
		"<img alt='{{name}}' src='https://x.example/{{name}}.png' title='{{name}}'>", "<iframe src='https://x.example/{{name}}'></iframe>",
		"<video src='https://x.example/{{ name }}' title='{{name}}'></video>", "<pre>{{name}}</pre>", "<code>{{name}}</code>", "<kbd>{{name}}</kbd>",
		"<p>{ {name}} {{{name}}} {<b>{name}}</b> {&#123;name}}</p>", "<blockquote>{{name}}<br>{{name</blockquote>", "<p>{{name|</p><p>x}}</p>",
		"<p>\\{{name}} \\\\{{name}} `{{name}}` \\<b>{{name}}</b></p>", "<figure><img src='https://x.example/a.png' alt=a><figcaption>{{name}}</figcaption></figure>",
	} {
		file := filepath.Join(t.TempDir(), "feed.xml")
		feed := "<rss version='2.0'><channel><item><title>T {{name}}</title><guid>1</guid><description>" + escape("<div>"+html+"</div>") + "</description></item></channel></rss>"
		if err := os.WriteFile(file, []byte(feed), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := importer.Read(file)
		if err != nil {
			t.Fatalf("%s: %v", html, err)
		}
		if err := newsletter.CheckFields(found.Articles[0].Text); err != nil {
			t.Errorf("%s became %q: %v", html, found.Articles[0].Markdown, err)
		}
	}
}
