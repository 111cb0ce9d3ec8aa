package subscribers

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// maxTags bounds how many tags somebody has, and maxTag one of them in octets.
const (
	maxTags = 100
	maxTag  = 100
)

// parseTags checks tags and returns them sorted, in lower case, each once. A comma can't be in one: it stands between them.
func parseTags(tags []string) ([]string, error) {
	var kept []string
	for _, tag := range tags {
		tag = strings.ToLower(norm.NFC.String(strings.TrimSpace(tag)))
		if tag == "" {
			continue
		}
		if strings.Contains(tag, ",") {
			return nil, fmt.Errorf("a tag %w: it has a comma in it", ErrField)
		}
		if err := checkText("a tag", tag, maxTag); err != nil {
			return nil, err
		}
		kept = append(kept, tag)
	}
	slices.Sort(kept)
	if kept = slices.Compact(kept); len(kept) > maxTags {
		return nil, fmt.Errorf("more than %d tags %w", maxTags, ErrField)
	}
	return kept, nil
}

// tagsText is the column of tags.
func tagsText(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return "," + strings.Join(tags, ",") + ","
}

func tagsOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.Trim(text, ","), ",")
}
