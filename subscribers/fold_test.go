package subscribers

import "testing"

// TestWordsAreFolded: what a file says is folded before it is looked for, so a word that is not can never be found.
func TestWordsAreFolded(t *testing.T) {
	var words []string
	for word := range rowStates {
		words = append(words, word)
	}
	for _, h := range hints {
		words = append(words, h.column)
	}
	for _, names := range [][]string{emailNames(), fullNames(), firstNames(), lastNames()} {
		words = append(words, names...)
	}
	for _, word := range words {
		if folded := fold(word); folded != word {
			t.Errorf("%q is %q when folded", word, folded)
		}
	}
}
