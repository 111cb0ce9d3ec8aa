package subscribers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
		"5.3.2024":                               day,
		"05.03.2024 08:15":                       minute,
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

// TestNoSuchDate: a date that doesn't exist is a fault of its row; what is no date in a known form, or none of a database's, is none.
func TestNoSuchDate(t *testing.T) {
	p := newPeople(t)
	for cell, want := range map[string]bool{
		"31.02.2024": true, "2023-02-29": true, "2024-13-01": true, "2024-03-05 25:00:00": true, "31.6.2024 10:00": true, "12.31.2024": true,
		"Feb 30, 2024": true, "2024-04-31T10:00:00Z": true, "2024-03-05T10:75:00+01:00": true,
		"29.02.2024": false, "0000-00-00": false, "0000-00-00 00:00:00": false, "03/05/2024": false, "soon": false, "": false, "0": false,
	} {
		file := "Email;Angemeldet am\na@example.org;2024-03-05\nb@example.org;" + cell + "\n"
		rep, err := p.imports(file, subscribers.ImportOptions{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := rep.Rows[1]; (got.Outcome == subscribers.OutcomeRefused) != want || want && (got.Column != "Angemeldet am" || !strings.Contains(got.Reason, cell)) {
			t.Errorf("%q: %s for %q in %s; want it refused: %v", cell, got.Outcome, got.Reason, got.Column, want)
		}
	}
}

// TestColumnsOfManyHands reads headers as people write them.
func TestColumnsOfManyHands(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   []string
	}{
		{"E-Mail Adresse;Vorname;Name", []string{"email", "first name", "last name"}},
		{"e_mail-adresse;Vorname;Nachname;Stadt", []string{"email", "first name", "last name", "field"}},
		{"EMAIL ADDRESS,Name,First Name", []string{"email", "name", "field"}},
		{"Adresse électronique;Prénom;Nom", []string{"email", "first name", "last name"}},
		{"Courriel;Nom", []string{"email", "name"}},
		{"Correo electrónico;Nombre;Apellidos", []string{"email", "name", "last name"}},
		{"E-mailadres;Voornaam;Achternaam;Aangemeld op", []string{"email", "first name", "last name", "subscribed"}},
		{"البريد الإلكتروني,الاسم", []string{"email", "name"}},
		{"عنوان البريد الالكتروني,الاسم الأول,اسم العائلة", []string{"email", "first name", "last name"}},
		{"Address,Email,Unsubscribed At,Subscribed", []string{"field", "email", "field, state", "subscribed, state"}},
		{"E-Mail;Angemeldet am;Schlagwörter", []string{"email", "subscribed", "tags"}},
		{"E-Mail;Anmeldedatum;Bestätigt am", []string{"email", "field", "subscribed, state"}},
		{"Courriel;Date d’inscription;Étiquettes", []string{"email", "subscribed", "tags"}},
		{"Correo;Fecha de alta;Etiquetas", []string{"email", "subscribed", "tags"}},
		{"البريد الإلكتروني;تاريخ الاشتراك;الوسوم", []string{"email", "subscribed", "tags"}},
	} {
		p := newPeople(t)
		var got []string
		o := subscribers.ImportOptions{SeriesID: skin, File: "f", DryRun: true, Columns: func(columns []subscribers.ReadColumn) {
			for _, c := range columns {
				got = append(got, c.As)
			}
		}}
		if _, err := p.Import(t.Context(), p.db, strings.NewReader(tt.header+"\n"), o); err != nil {
			t.Errorf("%s: %v", tt.header, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.header, diff)
		}
	}
}

// TestStatesOfManyHands: who left in a file that says so in another language is not mailed.
func TestStatesOfManyHands(t *testing.T) {
	for _, tt := range []struct{ header, active, pending, gone string }{
		{"E-Mail;Status", "Aktiv", "Unbestätigt", "abgemeldet"},
		{"Courriel;Statut", "Abonné", "En attente", "Désabonné"},
		{"Correo;Estado", "activo", "Pendiente", "Dado de baja"},
		{"البريد الإلكتروني;الحالة", "مشترك", "غير مؤكد", "غير مشترك"},
		{"E-Mail;Abgemeldet am", "", "", "3.5.2024"},
		{"E-Mail;Status", "Abonniert", "Nicht bestätigt", "Gekuendigt"},
		{"Courriel;Statut", "Abonnée", "Non confirmée", "Désabonnée"},
		{"Correo;Estado", "Suscrita", "No confirmada", "Dada de baja"},
		{"E-mailadres;Status", "Aangemeld", "Niet bevestigd", "Uitgeschreven"},
		{"البريد الإلكتروني;الحالة", "مشتركة", "غير مؤكدة", "غير مشتركة"},
	} {
		p := newPeople(t)
		file := fmt.Sprintf("%s\nin@example.org;%s\nasks@example.org;%s\nout@example.org;%s\n", tt.header, tt.active, tt.pending, tt.gone)
		if _, err := p.Import(t.Context(), p.db, strings.NewReader(file), subscribers.ImportOptions{SeriesID: skin, File: "f", As: subscribers.Active, Because: "x"}); err != nil {
			t.Errorf("%s: %v", tt.header, err)
			continue
		}
		p.wantGets(skin, "in@example.org", true, tt.header)
		p.wantGets(skin, "asks@example.org", tt.pending == "", tt.header)
		p.wantGets(skin, "out@example.org", false, tt.header)
		if err := p.enrol(skin, "out@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("%s: whoever left there, added by the owner: %v, want ErrSuppressed", tt.header, err)
		}
	}
}

// TestYesAndNoOfManyHands: whoever left by a column of yes and no is not mailed, and a cell that is neither refuses the file.
func TestYesAndNoOfManyHands(t *testing.T) {
	gone, here := []string{"Ja", "2026-01-02", "Y", "x", "1", "oui", "Sí", "نعم", "3.5.2024", "5 March 2024", "TRUE"}, []string{"", "Nein", "no", "0", "F", "لا", "0000-00-00"}
	for header, columns := range map[string]struct{ gone, here, neither []string }{
		"Email,Unsubscribed":    {gone, here, []string{"vielleicht", "-", "left in 2024", "12"}},
		"E-Mail,Abgemeldet":     {gone, here, []string{"unbekannt"}},
		"E-Mail,Gekündigt":      {gone, here, []string{"?"}},
		"Courriel,Désabonnée":   {gone, here, []string{"peut-être"}},
		"Correo,Dado de baja":   {gone, here, []string{"quizás"}},
		"Email,Subscribed":      {[]string{"Nein", "no", "off", "0"}, gone, []string{"no, on 2026-01-02", "web"}},
		"E-Mail,Angemeldet":     {[]string{"nein"}, gone, []string{"unbekannt"}},
		"Courriel,Abonné":       {[]string{"non"}, gone, []string{"Ada Lovelace"}},
		"Email,Unsubscribed At": {append(gone, "some day"), []string{""}, nil},
		"Email,Email Disabled":  {[]string{"on", "2026-01-02"}, here, []string{"web"}},
		"Email,Einwilligung am": {[]string{"widerrufen", "nein"}, []string{"", "ja", "3.5.2024", "3. Mai 2024", "Messe Ulm 2023", "erteilt"}, []string{"vielleicht", "Formular", "2024-05-03, form no. 3", "2024-05-03 off-site event", "3.4.2024 Pas-de-Calais", "out/2023", "No. 3, 2024-05-03", "no 2024", "n 3.4.2024", "offen seit Mai 22", "pending 05/2024"}},
	} {
		o := subscribers.ImportOptions{SeriesID: skin, File: "f", As: subscribers.Active, Because: "x"}
		p := newPeople(t)
		for i, cells := range [][]string{columns.gone, columns.here} {
			for n, cell := range cells {
				email := fmt.Sprintf("r%d-%d@example.org", i, n)
				if _, err := p.Import(t.Context(), p.db, strings.NewReader(header+"\n"+email+","+cell+"\n"), o); err != nil {
					t.Errorf("%s: %s: %v", header, cell, err)
					continue
				}
				p.wantGets(skin, email, i == 1, header+": "+cell)
			}
		}
		for _, cell := range columns.neither {
			file := header + "\nnobody@example.org,\"" + cell + "\"\n"
			if _, err := p.Import(t.Context(), p.db, strings.NewReader(file), o); !errors.Is(err, subscribers.ErrImport) || !strings.Contains(err.Error(), "says neither yes nor no") {
				t.Errorf("%s: %s: got %v, want it refused as neither yes nor no", header, cell, err)
			}
		}
	}
}

// TestStateOfACountry: a column that only says where people live, beside another part of their address, is a field; one cell that says of
// somebody that they left is not passed over, wherever it stands, nor is a word of a state that nobody knows.
func TestStateOfACountry(t *testing.T) {
	many := "Correo,Estado,País\n" + strings.Repeat("\n", 3)
	for i := range 5000 {
		many += fmt.Sprintf("r%d@example.org,Jalisco,México\n", i)
	}
	o := subscribers.ImportOptions{SeriesID: skin, File: "f", As: subscribers.Active, Because: "x"}
	p := newPeople(t)
	if _, err := p.Import(t.Context(), p.db, strings.NewReader(many+"out@example.org,dado de baja,México\n"), o); !errors.Is(err, subscribers.ErrImport) {
		t.Errorf("with somebody who left: got %v, want it refused", err)
	}
	if _, err := p.Import(t.Context(), p.db, strings.NewReader(many), o); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "r7@example.org", true, "imported")
	if n := p.count(`SELECT count(*) FROM subscribers WHERE fields = '{"Estado":"Jalisco","País":"México"}'`); n != 5000 {
		t.Errorf("%d people have the field, want all 5000", n)
	}
	for _, status := range []string{"Status", "Subscription status", "State", "Estado"} { // nobody says that it is where somebody lives
		if _, err := p.Import(t.Context(), p.db, strings.NewReader("email,"+status+"\na@example.org,Jalisco\n"), o); !errors.Is(err, subscribers.ErrImport) {
			t.Errorf("%s: got %v, want it refused", status, err)
		}
	}
}

// TestExportNeedsNoReason: the consents in a file of our own say how people came; one without still has to be answered for.
func TestExportNeedsNoReason(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "ada@example.org")
	p.join(skin, "bob@example.org")
	var out strings.Builder
	if _, err := subscribers.Export(t.Context(), p.db, skin, subscribers.Filter{}, &out, nil); err != nil {
		t.Fatal(err)
	}
	o := subscribers.ImportOptions{SeriesID: gut, File: "f"}
	if rep, err := p.Import(t.Context(), p.db, strings.NewReader(out.String()), o); err != nil || rep.Added != 2 {
		t.Errorf("import of an export: %+v, %v", rep, err)
	}
	p.wantGets(gut, "ada@example.org", true, "imported")
	p.wantGets(gut, "bob@example.org", false, "imported, not confirmed")
	more := out.String() + `"cyd@example.org","","active","","","","",""` + "\r\n"
	if rep, err := p.Import(t.Context(), p.db, strings.NewReader(more), o); !errors.Is(err, subscribers.ErrBecause) || !rep.NeedsBecause || rep.Refused != 1 {
		t.Errorf("with one more, without a consent: %+v, %v, want ErrBecause for one row", rep, err)
	}
}
