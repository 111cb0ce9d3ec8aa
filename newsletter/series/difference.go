package series

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// differences names what two texts in their stored form don't share, as front matter names it; "text" is the Markdown. What a picture is
// called is no difference, since an export may have to call it otherwise.
func (t Text) differences(u Text) (names []string) {
	add := func(name string, differ bool) {
		if differ {
			names = append(names, name)
		}
	}
	was, is := t.byHash(), u.byHash()
	text := t.Markdown != u.Markdown && was.Markdown != is.Markdown
	image := t.Meta["image"] != u.Meta["image"] && was.Meta["image"] != is.Meta["image"]
	pictures := !slices.Equal(slices.Sorted(maps.Values(t.Pictures)), slices.Sorted(maps.Values(u.Pictures)))
	if !text && !image && !pictures { // two of them may have changed places
		pictures = was.Markdown != is.Markdown || was.Meta["image"] != is.Meta["image"] || !maps.Equal(was.Pictures, is.Pictures)
	}
	add("title", t.Title != u.Title)
	add("subject", t.Subject != u.Subject)
	add("preheader", t.Preheader != u.Preheader)
	add("description", t.Description != u.Description)
	add("text", text)
	add("pictures", pictures)
	add("disclaimer", t.Disclaimer != u.Disclaimer || t.DisclaimerMode != u.DisclaimerMode)
	add("date", t.Date != u.Date)
	keys := map[string]bool{}
	for key := range t.Meta {
		keys[key] = true
	}
	for key := range u.Meta {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		old, had := t.Meta[key]
		value, has := u.Meta[key]
		add(key, (old != value || had != has) && (image || key != "image"))
	}
	return names
}

// byHash is a text that names its pictures by their hashes, but where it names one in a way of its own.
func (t Text) byHash() Text {
	names := slices.SortedFunc(maps.Keys(t.Pictures), func(a, b string) int { return strings.Compare(b, a) })
	for _, name := range names {
		if named := t.WithPicture(name, t.Pictures[name]); named.Markdown != t.Markdown || t.Meta["image"] == name {
			t = named
		}
	}
	return t
}

// WithPicture is a text whose Markdown and front matter name a picture in another way.
func (t Text) WithPicture(from, to string) Text {
	named := regexp.MustCompile(`(?m)(\(\s*<?|\]:\s*<?)` + regexp.QuoteMeta(from) + `([\s)>]|$)`)
	t.Markdown = named.ReplaceAllString(t.Markdown, "${1}"+strings.ReplaceAll(to, "$", "$$")+"${2}")
	t.Meta, t.Pictures = maps.Clone(t.Meta), maps.Clone(t.Pictures)
	if t.Meta["image"] == from {
		t.Meta["image"] = to
	}
	t.Pictures[to] = t.Pictures[from]
	delete(t.Pictures, from)
	return t
}
