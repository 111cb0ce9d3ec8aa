package series_test

import (
	"testing"
	"time"

	"pressrun/newsletter/series"
)

var day0 = time.Date(2027, 1, 5, 9, 0, 0, 0, time.UTC)

// day is a slot's instant: n days after the first.
func day(n int) time.Time { return day0.AddDate(0, 0, n) }

// ready, draft and withdrawn are articles that were placed on a day.
func ready(id int64, placed int) series.Article {
	return series.Article{ID: id, State: series.Ready, Placed: day(placed)}
}

func draft(id int64, placed int) series.Article {
	a := ready(id, placed)
	a.State = series.Draft
	return a
}

func withdrawn(id int64, placed int) series.Article {
	a := ready(id, placed)
	a.State = series.Withdrawn
	return a
}

func elsewhere(a series.Article) series.Article {
	a.Elsewhere = true
	return a
}

func backfill(a series.Article) series.Article {
	a.Backfill = true
	return a
}

// on says on which day each article was had: on(1, 7) is article 1 on day 7.
func on(pairs ...int) map[int64]time.Time {
	had := map[int64]time.Time{}
	for i := 0; i < len(pairs); i += 2 {
		had[int64(pairs[i])] = day(pairs[i+1])
	}
	return had
}

// pins says to which day each article is pinned: pins(1, 7) is article 1 on day 7.
func pins(pairs ...int) (all []series.Pin) {
	for i := 0; i < len(pairs); i += 2 {
		at := day(pairs[i+1])
		all = append(all, series.Pin{ArticleID: int64(pairs[i]), Wall: at.Format("2006-01-02T15:04"), At: at})
	}
	return all
}

func TestNext(t *testing.T) {
	type articles = []series.Article
	for _, tt := range []struct {
		name    string
		facts   series.Facts
		outcome series.Outcome
		article int64
		rule    int
	}{
		{"nothing had: the first goes", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}}, series.Send, 1, 1},
		{"the one after what was had", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}, Had: on(1, 7)}, series.Send, 2, 1},
		{"the order counts, not the number", series.Facts{Articles: articles{ready(9, 0), ready(1, 0)}}, series.Send, 9, 1},
		{"all had", series.Facts{Articles: articles{ready(1, 0)}, Had: on(1, 7)}, series.Empty, 0, 11},
		{"no articles at all", series.Facts{}, series.Empty, 0, 11},
		{"a live series never sends what was elsewhere", series.Facts{Articles: articles{elsewhere(ready(1, 0)), ready(2, 0)}}, series.Send, 2, 1},
		{"a drip series does", series.Facts{Mode: series.Drip, Articles: articles{elsewhere(ready(1, 0)), ready(2, 0)}}, series.Send, 1, 1},
		{"read before the enrolment", series.Facts{Mode: series.Drip, Articles: articles{ready(1, 0), ready(2, 0)}, Before: map[int64]bool{1: true}}, series.Send, 2, 1},
		{"withdrawn: neighbours close up", series.Facts{Articles: articles{withdrawn(1, 0), ready(2, 0)}}, series.Send, 2, 1},
		{"inserted before what was had: behind", series.Facts{Articles: articles{ready(3, 8), ready(1, 0), ready(2, 0)}, Had: on(1, 7)}, series.Send, 2, 1},
		{"inserted after what was had: in turn", series.Facts{Articles: articles{ready(1, 0), ready(3, 8), ready(2, 0)}, Had: on(1, 7)}, series.Send, 3, 1},
		{"placed at the very moment is not behind", series.Facts{Articles: articles{ready(3, 7), ready(1, 0)}, Had: on(1, 7)}, series.Send, 3, 1},
		{"behind counts from the first that was had", series.Facts{Articles: articles{ready(3, 8), ready(1, 0), ready(2, 0)}, Had: on(1, 9, 2, 7)}, series.Empty, 0, 11},
		{"inserted with a backfill", series.Facts{Articles: articles{backfill(ready(3, 8)), ready(1, 0)}, Had: on(1, 7)}, series.Send, 3, 1},
		{"inserted before what was read before the enrolment: behind", series.Facts{
			Mode: series.Drip, Articles: articles{ready(3, 0), ready(1, 0), ready(2, 0)}, Before: map[int64]bool{1: true},
		}, series.Send, 2, 1},
		{"announced: had, but no place in the order", series.Facts{
			Articles: articles{ready(3, 8), ready(1, 0), ready(2, 0)}, Had: on(1, 7), Announced: map[int64]bool{1: true},
		}, series.Send, 3, 1},
		{"announced in drip", series.Facts{
			Mode: series.Drip, Articles: articles{ready(3, 8), ready(1, 0), ready(2, 0)}, Had: on(1, 7, 3, 8), Announced: map[int64]bool{1: true},
		}, series.Send, 2, 1},
		{"a draft before what was announced holds", series.Facts{
			Articles: articles{draft(1, 0), ready(2, 0)}, Had: on(2, 7), Announced: map[int64]bool{2: true}, WhenNotReady: "hold",
		}, series.Blocked, 1, 11},
		{"a draft at the head holds", series.Facts{Articles: articles{ready(1, 0), draft(2, 0), ready(3, 0)}, Had: on(1, 7), WhenNotReady: "hold"}, series.Blocked, 2, 11},
		{"or is skipped", series.Facts{Articles: articles{ready(1, 0), draft(2, 0), ready(3, 0)}, Had: on(1, 7), WhenNotReady: "skip"}, series.Send, 3, 11},
		{"a draft behind an eligible article does not hold", series.Facts{Articles: articles{ready(1, 0), draft(2, 0)}, WhenNotReady: "hold"}, series.Send, 1, 1},
		{"a draft that stays behind does not hold", series.Facts{Articles: articles{draft(1, 0), ready(2, 0), ready(3, 0)}, Had: on(2, 7), WhenNotReady: "hold"}, series.Send, 3, 1},
		{"unless a backfill was asked for", series.Facts{Articles: articles{backfill(draft(1, 0)), ready(2, 0), ready(3, 0)}, Had: on(2, 7), WhenNotReady: "hold"}, series.Blocked, 1, 11},
		{"a draft from elsewhere does not hold a live series", series.Facts{Articles: articles{elsewhere(draft(1, 0)), ready(2, 0)}, WhenNotReady: "hold"}, series.Send, 2, 1},
		{"only drafts left, skipped", series.Facts{Articles: articles{draft(1, 0)}, WhenNotReady: "skip"}, series.Empty, 0, 11},
		{"pinned", series.Facts{Articles: articles{ready(1, 0), ready(2, 0), ready(3, 0)}, Pinned: 3}, series.Send, 3, 10},
		{"pinned goes even from behind", series.Facts{Articles: articles{ready(3, 8), ready(1, 0), ready(2, 0)}, Had: on(1, 7), Pinned: 3}, series.Send, 3, 10},
		{"pinned goes even from elsewhere", series.Facts{Articles: articles{elsewhere(ready(1, 0)), ready(2, 0)}, Pinned: 1}, series.Send, 1, 10},
		{"pinned over a draft at the head", series.Facts{Articles: articles{draft(1, 0), ready(2, 0)}, Pinned: 2, WhenNotReady: "hold"}, series.Send, 2, 10},
		{"pinned and had: the order decides", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}, Had: on(1, 7), Pinned: 1}, series.Send, 2, 1},
		{"pinned and withdrawn", series.Facts{Articles: articles{ready(1, 0), withdrawn(2, 0)}, Pinned: 2}, series.Send, 1, 1},
		{"pinned and gone", series.Facts{Articles: articles{ready(1, 0)}, Pinned: 99}, series.Send, 1, 1},
		{"pinned draft holds", series.Facts{Articles: articles{ready(1, 0), draft(2, 0)}, Pinned: 2, WhenNotReady: "hold"}, series.Blocked, 2, 10},
		{"pinned draft is skipped", series.Facts{Articles: articles{ready(1, 0), draft(2, 0)}, Pinned: 2, WhenNotReady: "skip"}, series.Send, 1, 1},
		{"pinned to a later slot: the one after it goes", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}, Pins: pins(1, 9)}, series.Send, 2, 10},
		{"pinned to a later slot in drip", series.Facts{Mode: series.Drip, Articles: articles{ready(1, 0), ready(2, 0)}, Had: on(1, 0), Pins: pins(2, 9)}, series.Empty, 0, 11},
		{"a draft pinned to a later slot blocks nothing now", series.Facts{Articles: articles{draft(1, 0), ready(2, 0)}, WhenNotReady: "hold", Pins: pins(1, 9)}, series.Send, 2, 10},
		{"pinned to an earlier slot: its turn in the order", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}, Pins: pins(1, 5)}, series.Send, 1, 1},
		{"pinned to this slot and a later one", series.Facts{Articles: articles{ready(1, 0), ready(2, 0)}, Pinned: 2, Pins: pins(2, 7, 2, 9)}, series.Send, 2, 10},
		{"in a later cycle the first goes again", series.Facts{Mode: series.Drip, Cycle: 2, Articles: articles{ready(1, 0), ready(2, 0)}}, series.Send, 1, 14},
		{"and then the one after it", series.Facts{Mode: series.Drip, Cycle: 2, Articles: articles{ready(1, 0), ready(2, 0)}, Had: on(1, 0)}, series.Send, 2, 14},
		{"a draft is skipped in a later cycle too", series.Facts{Mode: series.Drip, Cycle: 2, Articles: articles{draft(1, 0), ready(2, 0)}, WhenNotReady: "skip"}, series.Send, 2, 11},
		{"a later cycle ends as the first", series.Facts{Mode: series.Drip, Cycle: 2, Articles: articles{ready(1, 0)}, Had: on(1, 0)}, series.Empty, 0, 11},
		{"a live series knows no cycles", series.Facts{Cycle: 2, Articles: articles{ready(1, 0)}}, series.Send, 1, 1},
		{"a drip slot soon after the welcome", series.Facts{Mode: series.Drip, Articles: articles{ready(1, 0)}, Welcomed: day(5), MinGap: 72 * time.Hour}, series.TooSoon, 0, 3},
		{"a drip slot when the gap is over", series.Facts{Mode: series.Drip, Articles: articles{ready(1, 0)}, Welcomed: day(4), MinGap: 72 * time.Hour}, series.Send, 1, 1},
		{"nothing left is no matter of the gap", series.Facts{Mode: series.Drip, Welcomed: day(6), MinGap: 72 * time.Hour}, series.Empty, 0, 11},
		{"in live the slot never gives way", series.Facts{Articles: articles{ready(1, 0)}, Welcomed: day(6), MinGap: 72 * time.Hour}, series.Send, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.facts.At = day(7)
			if tt.facts.Mode == "" {
				tt.facts.Mode = series.Live
			}
			got := series.Next(tt.facts)
			if got.Outcome != tt.outcome || got.Article.ID != tt.article || got.Rule != tt.rule {
				t.Errorf("got %s, article %d by rule %d (%s); want %s, article %d by rule %d",
					got.Outcome, got.Article.ID, got.Rule, got.Why, tt.outcome, tt.article, tt.rule)
			}
			wantSentence(t, got.Why)
		})
	}
}

func wantSentence(t *testing.T, why string) {
	t.Helper()
	if len(why) < 10 || why[len(why)-1] != '.' || why[0] < 'A' || why[0] > 'Z' {
		t.Errorf("got why %q, want one sentence", why)
	}
}

func TestPassed(t *testing.T) {
	f := series.Facts{
		Mode: series.Live, WhenNotReady: "skip", At: day(14), Had: on(4, 7),
		Articles: []series.Article{
			elsewhere(ready(1, 0)), ready(2, 8), withdrawn(3, 0), ready(4, 0), draft(5, 0), ready(6, 0), ready(7, 0),
		},
	}
	for _, tt := range []struct {
		name  string
		facts func(f series.Facts) series.Facts
		rules map[int64]int
	}{
		{"live", func(f series.Facts) series.Facts { return f }, map[int64]int{1: 5, 2: 4, 3: 8, 4: 1, 5: 11}},
		{"held", func(f series.Facts) series.Facts { f.WhenNotReady = "hold"; return f }, map[int64]int{1: 5, 2: 4, 3: 8, 4: 1}},
		{"pinned", func(f series.Facts) series.Facts { f.Pinned = 7; return f }, map[int64]int{1: 5, 2: 4, 3: 8, 4: 1, 5: 10, 6: 10}},
		{"pinned to a later slot", func(f series.Facts) series.Facts { f.Pins = pins(6, 21); return f }, map[int64]int{1: 5, 2: 4, 3: 8, 4: 1, 5: 11, 6: 10}},
		{"announced", func(f series.Facts) series.Facts {
			f.Announced, f.Articles = map[int64]bool{4: true}, []series.Article{ready(4, 0), ready(2, 8)}
			return f
		}, map[int64]int{4: 18}},
		{"drip", func(f series.Facts) series.Facts {
			f.Mode, f.Had = series.Drip, on(1, 1, 2, 8, 4, 7)
			return f
		}, map[int64]int{1: 14, 2: 14, 3: 8, 4: 14, 5: 11}},
		{"read before", func(f series.Facts) series.Facts {
			f.Mode, f.Had, f.Before = series.Drip, nil, map[int64]bool{1: true, 2: true}
			return f
		}, map[int64]int{1: 5, 2: 5, 3: 8}},
		{"empty", func(f series.Facts) series.Facts {
			f.Had = on(4, 7, 6, 8, 7, 9)
			return f
		}, map[int64]int{1: 5, 2: 4, 3: 8, 4: 1, 5: 4, 6: 1, 7: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := series.Passed(tt.facts(f))
			for id, d := range got {
				if d.Rule != tt.rules[id] {
					t.Errorf("article %d: got rule %d (%s), want %d", id, d.Rule, d.Why, tt.rules[id])
				}
				if d.Article.ID != id || d.Outcome != "" {
					t.Errorf("article %d: got %+v", id, d)
				}
				wantSentence(t, d.Why)
			}
			if len(got) != len(tt.rules) {
				t.Errorf("got %d articles passed, want %d", len(got), len(tt.rules))
			}
		})
	}
}

// TestNextIsPure calls twice with the same facts and looks whether they are still the same.
func TestNextIsPure(t *testing.T) {
	f := series.Facts{
		Mode: series.Drip, WhenNotReady: "skip", At: day(9), Had: on(1, 2, 3, 4), Before: map[int64]bool{2: true}, Pinned: 5,
		Articles: []series.Article{ready(1, 0), ready(2, 0), draft(4, 0), ready(3, 0), ready(5, 0)},
	}
	first := series.Next(f)
	series.Passed(f)
	if second := series.Next(f); second.Outcome != first.Outcome || second.Article.ID != first.Article.ID || second.Why != first.Why {
		t.Errorf("got %+v at first and %+v then", first, second)
	}
	if len(f.Had) != 2 || len(f.Before) != 1 || f.Articles[2].ID != 4 {
		t.Errorf("got changed facts %+v", f)
	}
}
