package subscribers_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pressrun/subscribers"
)

func TestParseDict(t *testing.T) {
	for in, want := range map[string]map[string]string{
		`{}`: {},
		`{"city": "Rome", "n": 3, "x": null, "ok": true}`:                      {"city": "Rome", "n": "3", "x": "", "ok": "true"},
		`{'city': "St John's", 'quote': 'a "b"', 'ok': False,}`:                {"city": "St John's", "quote": `a "b"`, "ok": "false"},
		`{'it': 'it\'s', "u": "\u00e9\ud83d\ude00", 'nl': 'a\nb'}`:             {"it": "it's", "u": "é😀", "nl": "a\nb"},
		` { "list" : [1, "a"], "in": {"a": [{}]}, 't': ('x', 1), 1: -2.5e3 } `: {"list": `[1, "a"]`, "in": `{"a": [{}]}`, "t": `('x', 1)`, "1": "-2.5e3"},
	} {
		got, err := subscribers.ParseDict(in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", in, err, diff)
		}
	}
	for _, in := range []string{``, `{`, `{"a"}`, `{"a": }`, `{"a": "b"`, `{"a": "b} `, `{"a": b}`, `{"a": "b"} x`, `[1]`, `{'a': '\'`, `{"a": "\q"}`, `{"a": {"b": 1}`} {
		if got, err := subscribers.ParseDict(in); err == nil {
			t.Errorf("%s: got %v, want an error", in, got)
		}
	}
}

// FuzzParseDict: what is a JSON object of texts reads as that; nothing is a panic.
func FuzzParseDict(f *testing.F) {
	for _, s := range []string{`{"a": "b"}`, `{'a': None}`, `{"a": "\ud83d\ude00\n"}`, `{"a": [[(1,)]]}`, `{"":""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = subscribers.ParseDict(s) // whatever it is, no panic
		var want map[string]string
		if json.Unmarshal([]byte(s), &want) != nil || want == nil || len(want) == 0 {
			return
		}
		text, _ := json.Marshal(want) // without what JSON mends: halves of characters, names that come twice
		if got, err := subscribers.ParseDict(string(text)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	})
}

func TestParseDate(t *testing.T) {
	second := time.Date(2024, 3, 5, 8, 15, 30, 0, time.UTC)
	minute, day := second.Truncate(time.Minute), second.Truncate(24*time.Hour)
	for in, want := range map[string]time.Time{
		"2024-03-05T08:15:30Z":                   second,
		"2024-03-05T09:15:30+01:00":              second,
		"2024-03-05 08:15:30.5 +0000 UTC":        second.Add(time.Second / 2),
		"2024-03-05 09:15:30 +0100 CET m=+0.004": second,
		"2024-03-05 08:15:30 UTC":                second,
		"2024-03-05 08:15:30+00:00":              second,
		"2024-03-05 08:15:30":                    second,
		"2024-03-05 08:15":                       minute,
		"2024-03-05":                             day,
		"2024/03/05":                             day,
		"Mar 5, 2024":                            day,
		"March 5, 2024 8:15 AM":                  minute,
		"5 March 2024":                           day,
		"03/05/2024":                             {}, // March or May
		"soon":                                   {},
		"":                                       {},
	} {
		if got := subscribers.ParseDate(in); !got.Equal(want) {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
