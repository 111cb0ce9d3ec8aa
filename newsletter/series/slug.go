package series

import (
	"regexp"
	"strconv"
)

// slugForm keeps slugs fit for paths, file names and List-Id labels alike.
var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkSeriesSlug also keeps to 63 octets, a label of List-Id (RFC 2919, section 2; RFC 1035, section 2.3.4), and
// leaves "site" to announcements.
func checkSeriesSlug(slug string) error {
	if slug == "site" {
		return wrong(ErrSlug, "%q names the announcements of the whole site; choose another", slug)
	}
	return checkSlug(slug, 63)
}

func checkArticleSlug(slug string) error { return checkSlug(slug, 100) }

func checkSlug(slug string, most int) error {
	if len(slug) > most || !slugForm.MatchString(slug) {
		return wrong(ErrSlug, "a name is small letters a-z, digits and hyphens between them, %d at most; %q is not", most, slug)
	}
	return nil
}

// printable is a slug as an error may show it, whatever somebody typed.
func printable(slug string) string {
	if slugForm.MatchString(slug) {
		return slug
	}
	return strconv.Quote(slug)
}
