package newsletter_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/series"
)

// leftTold are the subjects of what the editors heard of articles that run out.
func (w *world) leftTold() []string {
	w.t.Helper()
	return slices.DeleteFunc(w.notices("editors"), func(subject string) bool { return !strings.HasSuffix(subject, " left") })
}

const (
	fourLeft = "The skin letters: four articles left"
	oneLeft  = "The skin letters: one article left"
	noneLeft = "The skin letters: no article left"
)

// TestRule20LeftInDripGoesByReaders: a pinned article that went first says nothing of what is left after it.
func TestRule20LeftInDripGoesByReaders(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "a", "b", "c", "d", "e", "f")
	w.enrol(s, "ada")
	w.run(monday)
	w.pin(s, 1, "f")
	w.run(tuesday(1))
	equal(t, "after the last one, pinned", w.leftTold(), []string{})
	w.enrol(s, "ben") // who is behind, and of whom nothing is told
	want := [][]string{{fourLeft}, {fourLeft}, {fourLeft}, {fourLeft, oneLeft}, {fourLeft, oneLeft, noneLeft}}
	for n := range want {
		w.run(tuesday(2 + n))
		equal(t, "after "+wall(2+n), w.leftTold(), want[n])
	}
	contains(t, "text", w.noticeTextOf(noneLeft), "“About e” is the issue of Tuesday 6 April 2027")
	w.run(tuesday(7))
	equal(t, "ben", w.leftTold(), want[4])
}

// TestRule20LeftIsToldOnRelease: of an issue on hold it is told once it goes.
func TestRule20LeftIsToldOnRelease(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "a", "b")
			w.enrol(s, "ada")
			w.run(monday)
			w.run(tuesday(1))
			equal(t, "in time", w.leftTold(), []string{oneLeft})
			w.run(tuesday(2).Add(24 * time.Hour))
			equal(t, "held", w.leftTold(), []string{oneLeft})
			w.check("release", w.p.ReleaseIssue(w.ctx, "skin/"+wall(2)))
			equal(t, "released", w.leftTold(), []string{oneLeft, noneLeft})
		})
	}
}

// TestRule20LeftIsToldOfWhatGoesByHand: an issue sent by hand, or an announcement that counts as one, uses articles up as a slot does.
func TestRule20LeftIsToldOfWhatGoesByHand(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode})
			w.articles(s, "a", "b", "c", "d", "e", "f")
			w.enrol(s, "ada")
			w.run(monday)
			w.run(tuesday(1))
			_, _, _, err := w.p.SendNow(w.ctx, "skin", "", false)
			w.check("send", err)
			equal(t, "sent", w.leftTold(), []string{fourLeft})
			w.run(tuesday(2))
			w.run(tuesday(3))
			_, _, err = w.p.Announce(w.ctx, newsletter.Announcement{Series: []string{"skin"}, Article: "e"}, false)
			w.check("announce", err)
			equal(t, "announced", w.leftTold(), []string{fourLeft, oneLeft})
		})
	}
}

// TestRule20ADraftIsNext: where a draft holds what follows, that is told instead of articles that are left behind it.
func TestRule20ADraftIsNext(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			s := w.series("skin", series.Change{Mode: &mode, WhenNotReady: ptr("hold")})
			w.articles(s, "a", "b?", "c")
			w.enrol(s, "ada")
			w.run(monday)
			w.run(tuesday(1))
			equal(t, "told", w.notices("editors"), []string{"The skin letters: the next article is a draft"})
		})
	}
}

// TestRule20APinnedDraftIsInTheWayOfItsDate: the articles behind it are left all the same, and go in the slots after that.
func TestRule20APinnedDraftIsInTheWayOfItsDate(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		for name, tt := range map[string]struct {
			articles []string
			want     string // of what is told; empty: nothing
		}{
			"many are left": {[]string{"a", "b", "c", "d", "e", "f", "g", "p?"}, ""},
			"four are left": {[]string{"a", "b", "c", "d", "e", "p?"}, "“About e”, goes on Tuesday 6 April 2027"},
		} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: &mode, WhenNotReady: ptr("hold")})
				w.articles(s, tt.articles...)
				w.enrol(s, "ada")
				w.run(monday)
				w.pin(s, 3, "p")
				w.run(tuesday(1))
				if tt.want == "" {
					equal(t, "told", w.leftTold(), []string{})
					return
				}
				contains(t, "told", w.noticeTextOf(fourLeft), tt.want)
			})
		}
	}
}

// TestRule20TheLastOneIsTheOneThatGoesLast: pins change which of those that are left that is, and when it goes.
func TestRule20TheLastOneIsTheOneThatGoesLast(t *testing.T) {
	for _, mode := range []series.Mode{series.Live, series.Drip} {
		for name, tt := range map[string]struct {
			pin  int // slot that "five" is pinned to
			skip int // slot that is left out
			want string
		}{
			"the order's last one goes sooner": {2, 8, "“About four”, goes on Tuesday 30 March 2027"},
			"a skipped date puts it off":       {2, 4, "“About four”, goes on Tuesday 6 April 2027"},
			"far ahead":                        {30, 4, "“About five”, goes on Tuesday 21 September 2027"},
		} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t)
				s := w.series("skin", series.Change{Mode: &mode})
				w.articles(s, "one", "two", "three", "four", "five")
				w.enrol(s, "ada")
				w.run(monday)
				w.pin(s, tt.pin, "five")
				w.skip(s, tt.skip)
				w.run(tuesday(1))
				contains(t, "four left", w.noticeTextOf(fourLeft), tt.want)
			})
		}
	}
}
