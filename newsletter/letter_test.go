package newsletter_test

import (
	"strings"
	"testing"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
)

// A field is refused when the article is saved, wherever its letter would show it as it was written.
func TestCheckFields(t *testing.T) {
	for key, value := range map[string]string{
		"image_alt": "For {{name|you}}", "image_caption": "On {{date}}", "reviewed_by": "{{name|you}}",
		"sources": `["A book", "The {{title}}"]`,
	} {
		text := series.Text{Title: "T", Markdown: "Dear {{name|you}}.", Meta: map[string]string{key: value, "tags": "{{name|x}}"}}
		if err := newsletter.CheckFields(text); err == nil || !strings.Contains(err.Error(), "{{") {
			t.Errorf("%s %q: %v, want the field refused", key, value, err)
		}
		delete(text.Meta, key)
		if err := newsletter.CheckFields(text); err != nil {
			t.Errorf("without %s: %v", key, err)
		}
	}
	text := series.Text{Title: "T", Markdown: "Words.", Meta: map[string]string{"sources": `[{"title":"{{name|you}}"}]`}}
	if err := newsletter.CheckFields(text); err != nil {
		t.Errorf("sources in a shape that no letter shows: %v", err)
	}
}
