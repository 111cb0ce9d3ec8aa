package subscribers

import "testing"

// TestWordsAreFolded: what a file says is folded before it is looked for, so a word that is not can never be found.
func TestWordsAreFolded(t *testing.T) {
	var words []string
	for word := range rowStates {
		words = append(words, word)
	}
	once := map[string]bool{}
	for _, names := range hintNames {
		for _, name := range names {
			if once[name] {
				t.Errorf("%q is a name of two kinds of columns", name)
			}
			once[name] = true
			words = append(words, name)
		}
	}
	for _, names := range [][]string{
		emailNames(), fullNames(), firstNames(), lastNames(), stateNames(), sinceNames(),
		datesAround.before, datesAround.behind, wordsAround.before, wordsAround.behind, reasonsAround.before, reasonsAround.behind, signUps(), mailEnds,
		agreeStems, leaveStems, agreeWords, leaveWords, consentNames, confirmStems, waitingStems, mailStems, otherConsents, otherSubscriptions, otherConfirmed, otherStates, countStems, saysNo, beginsNo, beginsYes,
	} {
		words = append(words, names...)
	}
	for _, word := range words {
		if folded := fold(word); folded != word {
			t.Errorf("%q is %q when folded", word, folded)
		}
	}
}
