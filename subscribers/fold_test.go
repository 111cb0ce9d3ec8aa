package subscribers

import "testing"

// TestWordsAreFolded: what a file says is folded before it is looked for, so a word that is not can never be found.
func TestWordsAreFolded(t *testing.T) {
	var words []string
	for word := range rowStates {
		words = append(words, word)
	}
	for word := range hintOf {
		words = append(words, word)
	}
	for _, names := range [][]string{
		emailNames(), fullNames(), firstNames(), lastNames(), stateNames(), sinceNames(),
		datesAround.before, datesAround.behind, wordsAround.before, wordsAround.behind,
	} {
		words = append(words, names...)
	}
	for _, word := range words {
		if folded := fold(word); folded != word {
			t.Errorf("%q is %q when folded", word, folded)
		}
	}
}
