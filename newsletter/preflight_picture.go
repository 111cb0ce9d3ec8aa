package newsletter

import "golang.org/x/net/html"

// pictureRule finds pictures that say nothing to whoever can't see them.
func pictureRule(s *sheet) []Finding {
	silent := 0
	for n := range s.body.Descendants() {
		if n.Type == html.ElementNode && n.Data == "img" && attribute(n, "alt") == "" {
			silent++
		}
	}
	if silent == 0 {
		return nil
	}
	return s.odd("alt", "n", silent)
}
