package subscribers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// filtered is a series of people who differ in all that a filter can ask.
func filtered(t testing.TB) *people {
	p := newPeople(t)
	var file strings.Builder
	file.WriteString("email,name,state,language,timezone,tags,subscribed,Town,Home town,100%\n")
	for i := range 60 {
		fmt.Fprintf(&file, "%s%d@%s,%s,%s,%s,%s,\"%s\",%s,%s,%s,%s\n",
			[]string{"ada", "Ben", "zoé", "o'neil"}[i%4], i, []string{"example.org", "mail.example.org", "bücher.example"}[i%3],
			[]string{"Ada", "ada", "Zoé", "", "50% O'Neil"}[i%5], []string{"active", "pending", "unsubscribed", "bounced", "paused until 2028-01-01T00:00:00Z"}[i%5],
			[]string{"", "en", "en-GB", "de", "pt-BR", "eng"}[i%6], []string{"", "Europe/Berlin"}[i%2],
			[]string{"", "vip", "VIP,guest", "vip guest", "ip", "a_b,%"}[i%6], []string{"", "2026-01-01T00:00:00Z", "2026-06-30T22:30:00Z", "2026-07-01"}[i%4],
			[]string{"", "Rome", "rome", "New Rome"}[i%4], []string{"Rome", ""}[i%2], []string{"0", "\"a\nb\"", "<&>", "x,y"}[i%3])
	}
	if _, err := p.imports(strings.ReplaceAll(file.String(), ",x,y", ",xy"), onWord); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *people) picked(where subscribers.Filter) (emails []string) {
	p.Helper()
	err := subscribers.List(p.Context(), p.db, skin, where, func(l subscribers.Listed) error {
		emails = append(emails, l.Email)
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	return emails
}

func TestFilter(t *testing.T) {
	p := newPeople(t)
	file := `email,name,state,language,timezone,tags,subscribed,Town,Home town
ada@example.org,Ada Quill,active,en-GB,Europe/London,"vip, guest",2026-01-01,Port Ellery,Rome
Ben@bücher.example,Ben,active,de,,"VIP",2026-06-30T22:30:00Z,,
cleo@example.org,Cleo,pending,,,,,port ellery,
`
	if _, err := p.imports(file, onWord); err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const ada, ben, cleo = "ada@example.org", "Ben@bücher.example", "cleo@example.org"
	for filter, want := range map[string][]string{
		``:                                  {ada, ben, cleo},
		`tag = vip`:                         {ada, ben},
		`tag = "VIP" and tag != guest`:      {ben},
		`not tag = vip`:                     {cleo},
		`tag in (guest, nothing)`:           {ada},
		`language = en`:                     {ada},
		`language in (en, de)`:              {ada, ben},
		`language = ""`:                     {cleo},
		`domain = bücher.example`:           {ben},
		`domain != "example.org"`:           {ben},
		`email = BEN@xn--bcher-kva.example`: {ben},
		`email ~ "@EXAMPLE"`:                {ada, cleo},
		`name = Ada`:                        nil,
		`name ~ Ada`:                        {ada},
		`state = pending or state = ACTIVE`: {ada, ben, cleo},
		`joined >= 2026-01-01`:              {ada, ben},
		`joined = 2026-07-01`:               {ben}, // 22:30 in UTC is half past midnight in Berlin
		`joined < 2026-07-01`:               {ada},
		`not joined < 2026-07-01`:           {ben, cleo},
		`created > 2020-01-01`:              {ada, ben, cleo},
		`zone = Europe/London`:              {ada},
		`field.Town = "Port Ellery"`:        {ada},
		`field.Town ~ ort`:                  {ada, cleo},
		`field.Town = ""`:                   {ben},
		`field."Home town" = Rome`:          {ada},
		`field.'; != x`:                     nil,
		`tag = vip and (name = Ben or name = Cleo) or state = pending`: {ben, cleo},
		`NOT (tag = vip AND language = de)`:                            {ada, cleo},
		`name = "'; DROP TABLE subscribers"`:                           nil,
		`name = “Ben”`:                                                 {ben},
	} {
		where, err := subscribers.ParseFilter(filter, berlin)
		if filter == `field.'; != x` {
			if !errors.Is(err, subscribers.ErrFilter) {
				t.Errorf("%s: %v, want ErrFilter", filter, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		got := p.picked(where)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
		if n, err := subscribers.CountPicked(t.Context(), p.db, skin, where); err != nil || int(n) != len(want) {
			t.Errorf("%s: counts %d, %v; want %d", filter, n, err, len(want))
		}
	}
}

func TestFilterFaults(t *testing.T) {
	for _, tt := range []struct{ filter, says string }{
		{`tag`, "column 4: here should be one of = != in behind tag, not the end"},
		{`tag > vip`, `column 5: here should be one of = != in behind tag, not ">"`},
		{`town > Rome`, `column 6: here should be one of = != ~ in behind town, not ">"`},
		{`field = x`, "column 1: here should be email"},
		{`field. = x`, "column 1: a field is named as field.Town"},
		{`field."$x" = 1`, "column 1: a field is named"},
		{`joined >= 1.2.2026`, `column 11: here should be a day such as 2026-01-31, not "1.2.2026"`},
		{`state = gone`, "column 9: here should be pending, active, paused or ended"},
		{`email = ada`, "column 9: not a mail address: it has no @"},
		{`tag = vip and`, "column 14: here should be email"},
		{`(tag = vip`, "column 11: here should be “and”, “or” or “)”, not the end"},
		{`tag = vip tag = guest`, `column 11: here should be “and”, “or” or the end, not "tag"`},
		{`tag in vip`, "column 8: here should be “(” behind in"},
		{`tag in (vip`, "column 12: here should be “,” or “)”, not the end"},
		{`name = "Ada`, "column 8: the quote is not closed"},
		{`name ~ ""`, "column 8: here should be a text that is not empty"},
		{`tag = vip; DROP TABLE subscribers`, `column 10: here should be “and”, “or” or the end, not ";"`},
		{`tag = é and näme`, `column 17: here should be one of = != ~ in behind näme, not the end`},
		{strings.Repeat("(", 60) + "tag = vip", "more than 50"},
		{strings.Repeat("tag = vip or ", 201) + "tag = vip", "more than 200"},
		{"tag in (" + strings.Repeat("a, ", 250) + "b)", "more than 200"},
		{`name = "` + strings.Repeat("x", 5000) + `"`, "longer than 4000"},
	} {
		_, err := subscribers.ParseFilter(tt.filter, time.UTC)
		if !errors.Is(err, subscribers.ErrFilter) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60s: %v, want ErrFilter saying %q", tt.filter, err, tt.says)
		}
	}
}

// TestReadFilter asks for fields as people type them.
func TestReadFilter(t *testing.T) {
	p := newPeople(t)
	file := "email,status,Town,Home town,größe,plan,PLAN,100%\nada@example.org,active,Hull,Rome,XL,gold,red,yes\nben@example.org,active,Leeds,,,,,\n"
	if _, err := p.imports(file, onWord); err != nil {
		t.Fatal(err)
	}
	ada, both := []string{"ada@example.org"}, []string{"ada@example.org", "ben@example.org"}
	for filter, want := range map[string][]string{
		`Town = Hull`:                        ada,
		`town = Hull`:                        ada,
		`field.TOWN in (Hull, Leeds)`:        both,
		`field."home-town" = Rome`:           ada,
		`HomeTown = Rome and not town = X`:   ada,
		`Größe = XL or GROSSE = XL`:          nil,
		`Größe = XL`:                         ada,
		`plan = gold`:                        ada,
		`PLAN = red`:                         ada,
		`field."100%" = yes`:                 ada,
		`tag = none or not (town != "Hull")`: ada,
		`field.Colour != red`:                both, // nobody has it yet, and it is like no other
		`Name = ""`:                          both,
	} {
		where, err := subscribers.ReadFilter(t.Context(), p.db, filter, time.UTC)
		if strings.Contains(filter, "GROSSE") {
			if !errors.Is(err, subscribers.ErrFilter) {
				t.Errorf("%s: %v, want ErrFilter: ß is a letter of its own", filter, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if diff := cmp.Diff(want, p.picked(where)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
	for _, tt := range []struct{ filter, says string }{
		{`tag = vip and Twon = Hull`, `column 15: nobody has a field called "Twon"; did you mean field.Town?`},
		{`hometwn = Rome`, `did you mean field."Home town"?`},
		{`field.Tow = Hull`, `column 1: nobody has a field called "Tow"; did you mean field.Town?`},
		{`emial = ada@example.org`, `did you mean email?`},
		{`colour = red`, `column 1: here should be email, domain, name, language, zone, state, tag, joined, created or field.NAME; nobody has a field called "colour"`},
		{`Plan = gold`, `several fields are called so: PLAN, plan`},
		{`e.mail = x`, `did you mean email?`},
	} {
		_, err := subscribers.ReadFilter(t.Context(), p.db, tt.filter, time.UTC)
		if !errors.Is(err, subscribers.ErrFilter) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want ErrFilter saying %q", tt.filter, err, tt.says)
		}
	}
}

// TestReadFilterOfManyPeople: for a field that is called so nobody's fields are read but the first and the last people's, which shows by
// somebody between them whose fields can't be read; one that only somebody between them has is found all the same.
func TestReadFilterOfManyPeople(t *testing.T) {
	p := newPeople(t)
	var file strings.Builder
	file.WriteString("email,Town,Rare\n")
	for i := range 3000 {
		rare := ""
		if i == 1400 {
			rare = "yes"
		}
		fmt.Fprintf(&file, "r%04d@example.org,Hull,%s\n", i, rare)
	}
	if _, err := p.imports(file.String(), onWord); err != nil {
		t.Fatal(err)
	}
	where, err := subscribers.ReadFilter(t.Context(), p.db, "rare = yes and Town = Hull", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"r1400@example.org"}, p.picked(where)); diff != "" {
		t.Errorf("a field of one person (-want +got):\n%s", diff)
	}
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE subscribers SET fields = ?1 WHERE id = 1500`, `{"\`)
		return err
	})
	if _, err := subscribers.ReadFilter(t.Context(), p.db, "Town = Hull", time.UTC); err != nil {
		t.Errorf("fields of all people were read: %v", err)
	}
	if _, err := subscribers.ReadFilter(t.Context(), p.db, "Rare = yes", time.UTC); err == nil {
		t.Error("nobody's fields are unreadable: the test shows nothing")
	}
}

// TestFilterPicksAsGo: for any filter, the database picks whom a walk through its parts picks.
func TestFilterPicksAsGo(t *testing.T) {
	p := filtered(t)
	var all []subscribers.Listed
	err := subscribers.List(t.Context(), p.db, skin, subscribers.Filter{}, func(l subscribers.Listed) error {
		all = append(all, l)
		return nil
	})
	if err != nil || len(all) != 60 {
		t.Fatalf("%d people, %v; want 60", len(all), err)
	}
	some, none := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		text := drawFilter(rt, 3)
		where, err := subscribers.ParseFilter(text, time.UTC)
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		var want []string
		for _, l := range all {
			if where.Picks(l) {
				want = append(want, l.Email)
			}
		}
		if diff := cmp.Diff(want, p.picked(where)); diff != "" {
			rt.Fatalf("%s (-Go +SQL):\n%s", text, diff)
		}
		if len(want) > 0 && len(want) < len(all) {
			some++
		} else {
			none++
		}
	})
	if some < none/4 {
		t.Errorf("%d filters picked some people, %d all or nobody: little was tried", some, none)
	}
}

// drawFilter makes a filter that can be understood.
func drawFilter(t *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "shape") {
		case 0:
			return drawFilter(t, depth-1) + " and " + drawFilter(t, depth-1)
		case 1:
			return drawFilter(t, depth-1) + " or " + drawFilter(t, depth-1)
		case 2:
			return "not (" + drawFilter(t, depth-1) + ")"
		}
	}
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
	text := pick("text", "", "Ada", "ada", "Zoé", "50% O'Neil", "Rome", "rome", "ome", "a\nb", "<&>", "%", "_", "'")
	quoted := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	equal := pick("equal", "=", "!=")
	switch pick("name", "text", "contains", "day", "tag", "language", "domain", "state", "email", "in") {
	case "contains":
		return pick("of", "name", "email", "zone", "field.Town", `field."Home town"`, `field."100%"`) + " ~ " + quoted(text+pick("more", "a", "o", "e"))
	case "day":
		return pick("of", "joined", "created") + " " + pick("how", "=", "!=", "<", "<=", ">", ">=") + " " +
			pick("day", "2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01", "2027-03-30", "2027-03-31")
	case "tag":
		return "tag " + equal + " " + quoted(pick("tag", "vip", "guest", "VIP Guest", "ip", "a_b", "%", "gues", "none"))
	case "language":
		return "language " + equal + " " + quoted(pick("language", "", "en", "en-GB", "de", "pt", "eng"))
	case "domain":
		return "domain " + equal + " " + pick("domain", "example.org", "mail.example.org", "bücher.example", "org.example")
	case "state":
		return "state " + equal + " " + pick("state", "active", "pending", "paused", "ended")
	case "email":
		return "email " + equal + " " + pick("email", "ada0@example.org", "BEN1@mail.example.org", "nobody@example.org")
	case "in":
		return pick("of", "name", "zone", "field.Town") + " in (" + quoted(text) + ", Ada, Rome, Europe/Berlin)"
	}
	return pick("of", "name", "zone", "field.Town", "field.nothing", `field."Home town"`, `field."100%"`) + " " + equal + " " + quoted(text)
}

// FuzzParseFilter: no text is a panic, and what is understood the database understands.
func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{
		`tag = vip and (joined >= 2026-01-01 or not language in (de, fr)) and field.Town = "Port Ellery"`, `field."a b" ~ 'x`, `name = “x”`,
		`not not tag != x`, `((`, `email ~ @`, `field.[0] = 1`, `domain = @example.org`,
	} {
		f.Add(s)
	}
	p := filtered(f)
	f.Fuzz(func(t *testing.T, text string) {
		where, err := subscribers.ParseFilter(text, time.UTC)
		if err != nil {
			if !errors.Is(err, subscribers.ErrFilter) {
				t.Fatalf("%q: %v, want ErrFilter", text, err)
			}
			return
		}
		picked := map[string]bool{}
		err = subscribers.List(t.Context(), p.db, skin, where, func(l subscribers.Listed) error {
			picked[l.Email] = true
			return nil
		})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		err = subscribers.List(t.Context(), p.db, skin, subscribers.Filter{}, func(l subscribers.Listed) error {
			if where.Picks(l) != picked[l.Email] {
				t.Errorf("%q: SQL picks %s: %v, Go: %v", text, l.Email, picked[l.Email], where.Picks(l))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestPicked are the mailable ones alone.
func TestPicked(t *testing.T) {
	p := filtered(t)
	p.suppress("ada0@example.org", 0, "manual")
	where, err := subscribers.ParseFilter(`domain = example.org`, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	if err := subscribers.Picked(t.Context(), p.db, skin, where, func(id int64) { got = append(got, id) }); err != nil {
		t.Fatal(err)
	}
	want := p.count(`SELECT count(*) FROM mailable m JOIN subscribers s ON s.id = m.subscriber_id WHERE s.email_key LIKE '%@example.org'`)
	if len(got) != want || want == 0 {
		t.Errorf("picked %v, want the %d who are mailable", got, want)
	}
	p.must(func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE enrolments SET state = 'pending', active_since = NULL, ended_by = '', ended_at = NULL`)
		return err
	})
	got = nil
	if err := subscribers.Picked(t.Context(), p.db, skin, where, func(id int64) { got = append(got, id) }); err != nil || len(got) > 0 {
		t.Errorf("of the pending, picked %v, %v; want nobody", got, err)
	}
}
