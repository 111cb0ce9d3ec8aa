package subscribers_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// imports imports a file into skin.
func (p *people) imports(file string, o subscribers.ImportOptions) (report, error) {
	p.Helper()
	if o.SeriesID == 0 {
		o.SeriesID = skin
	}
	o.File = "people.csv"
	var rep report
	o.Row = func(r subscribers.ImportRow) error {
		rep.Rows = append(rep.Rows, r)
		return nil
	}
	var err error
	rep.ImportReport, err = p.Import(p.Context(), p.db, strings.NewReader(file), o)
	rep.LongestHold = 0 // no two are alike
	return rep, err
}

// report is one of Import with its rows.
type report struct {
	subscribers.ImportReport
	Rows []subscribers.ImportRow
}

// rows writes a report in short: line, address, outcome and reason.
func rows(rep report) []string {
	lines := []string{}
	for _, r := range rep.Rows {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%d %s %s: %s", r.Line, r.Email, r.Outcome, r.Reason), ": "))
	}
	return lines
}

// export is what Export writes of a series.
func (p *people) export(seriesID int64) string {
	p.Helper()
	var b bytes.Buffer
	if _, err := subscribers.Export(p.Context(), p.db, seriesID, subscribers.Filter{}, &b, nil); err != nil {
		p.Fatal(err)
	}
	return b.String()
}

// exported is an export as lines with their cells parted by bars, without zone, tags and consent.
func (p *people) exported(seriesID int64) []string {
	p.Helper()
	lines := []string{}
	for _, cells := range p.exportedCells(seriesID) {
		lines = append(lines, strings.Join(slices.Delete(cells, 5, 8), "|"))
	}
	return lines
}

func (p *people) exportedCells(seriesID int64) [][]string {
	p.Helper()
	all, err := csv.NewReader(strings.NewReader(p.export(seriesID))).ReadAll()
	if err != nil {
		p.Fatalf("the export is no CSV: %v", err)
	}
	return all
}

// states are the local parts of skin's people with their states in its export, in order.
func (p *people) states() []string {
	p.Helper()
	all := []string{}
	for _, line := range p.exported(skin)[1:] {
		cells := strings.Split(line, "|")
		name, _, _ := strings.Cut(cells[0], "@")
		all = append(all, name+" "+cells[2])
	}
	slices.Sort(all)
	return all
}

// proofs are what an export says of how people came, by address.
func (p *people) proofs(seriesID int64) map[string]string {
	p.Helper()
	all := map[string]string{}
	for _, cells := range p.exportedCells(seriesID)[1:] {
		all[cells[0]] = cells[7]
	}
	return all
}

var onWord = subscribers.ImportOptions{Because: "they signed at the fair"}

func TestImportForms(t *testing.T) {
	utf16 := func(bom unicode.BOMPolicy, order unicode.Endianness, s string) string {
		text, err := unicode.UTF16(order, bom).NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const plain = "email,name\nada@example.org,Adá\nbob@example.org,\n"
	want := []string{
		"email|name|state|language|subscribed", "ada@example.org|Adá|pending||", "bob@example.org||pending||",
	}
	for name, file := range map[string]string{
		"commas":             plain,
		"semicolons":         strings.ReplaceAll(plain, ",", ";"),
		"tabs":               strings.ReplaceAll(plain, ",", "\t"),
		"bars":               strings.ReplaceAll(plain, ",", "|"),
		"CRLF":               strings.ReplaceAll(plain, "\n", "\r\n"),
		"BOM":                "\ufeff" + plain,
		"UTF-16 LE":          utf16(unicode.UseBOM, unicode.LittleEndian, plain),
		"UTF-16 BE":          utf16(unicode.UseBOM, unicode.BigEndian, plain),
		"UTF-16 LE, no mark": utf16(unicode.IgnoreBOM, unicode.LittleEndian, plain),
		"UTF-16 BE, no mark": utf16(unicode.IgnoreBOM, unicode.BigEndian, plain),
		"Windows-1252":       strings.ReplaceAll(plain, "á", "\xe1"),
		"CR":                 strings.ReplaceAll(plain, "\n", "\r"),
		"sep line":           "sep=;\r\n" + strings.NewReplacer(",", ";", "\n", "\r\n").Replace(plain),
		"sep line, mark":     "\ufeffsep=\t\n" + strings.ReplaceAll(plain, ",", "\t"),
		"spaced quotes":      "\"email\", \"name\"\n\"ada@example.org\", \"Adá\"\n\"bob@example.org\", \"\"\n",
		"quoted":             `"email","name"` + "\n" + `"ada@example.org","Adá"` + "\n" + `"bob@example.org",""`,
		"no last line":       "email,name\nada@example.org,Adá\nbob@example.org,",
		"short line":         "email,name\nada@example.org,Adá\nbob@example.org\n",
		"blank lines":        "email,name\n\nada@example.org,Adá\n,\n  ,  \nbob@example.org,\n\n",
		"other order":        "Name,E-mail\nAdá,ada@example.org\n,bob@example.org\n",
		"Email Address":      "NAME,Email Address\nAdá,ada@example.org\n,bob@example.org\n",
		"address":            "Full Name;Address\nAdá;ada@example.org\n;bob@example.org\n",
		"spaces":             " email , name \n ada@example.org , Adá \n bob@example.org ,\n",
		"same twice":         plain + "ADA@example.org,Adá\n",
		"first and last":     "First Name,Last Name,email\n,Adá,ada@example.org\n,,bob@example.org\n",
		"empty rest":         "email,name\nada@example.org,Adá,,\nbob@example.org,,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeople(t)
			rep, err := p.imports(file, subscribers.ImportOptions{})
			if err != nil {
				t.Fatalf("import: %v", err)
			}
			if rep.Added != 2 || rep.DryRun {
				t.Errorf("report = %+v, want two added", rep)
			}
			if diff := cmp.Diff(want, p.exported(skin)); diff != "" {
				t.Errorf("people (-want +got):\n%s", diff)
			}
			if n := p.count(`SELECT count(*) FROM mailable`); n != 0 {
				t.Errorf("%d pending people are mailable", n)
			}
		})
	}
}

// TestImportWindows1252: what a spreadsheet saves as plain CSV keeps its accents, dashes and quotation marks, in the header too, and the
// report says how it was read.
func TestImportWindows1252(t *testing.T) {
	p := newPeople(t)
	file := "E-Mail;Name;Stra\xdfe;Gek\xfcndigt\nada@example.org;M\xfcller \x96 \x84A\x93;K\xf6nigsweg;nein\nbob@example.org;;;ja\n"
	rep, err := p.imports(file, subscribers.ImportOptions{Because: "x"})
	if err != nil || rep.Charset != "Windows-1252" {
		t.Fatalf("read as %q, %v; want Windows-1252", rep.Charset, err)
	}
	want := []string{
		"email|name|state|language|subscribed|Gekündigt|Straße", "bob@example.org||unsubscribed|||ja|", "ada@example.org|Müller – „A“|active||2027-03-30T09:00:00Z|nein|Königsweg",
	}
	if diff := cmp.Diff(want, p.exported(skin)); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
	if rep, err := p.imports("email,name\ncleo@example.org,Zoë\n", subscribers.ImportOptions{}); err != nil || rep.Charset != "" {
		t.Errorf("UTF-8: read as %q, %v", rep.Charset, err)
	}
}

func TestImportAddressesWithoutHeader(t *testing.T) {
	p := newPeople(t)
	rep, err := p.imports("ada@example.org\nbob@example.org\n", subscribers.ImportOptions{As: subscribers.Active, Because: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 ada@example.org added", "2 bob@example.org added"}, rows(rep)); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	p.wantGets(skin, "ada@example.org", true, "imported as active")
}

// TestImportServices has files as other services write them: what they say of a person's state wins.
func TestImportServices(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       []string // address and state of the export
	}{
		{"listmonk", `uuid,email,name,attributes,status,created_at
1,ada@example.org,Ada,{},enabled,2026-01-01
2,bob@example.org,Bob,"{""city"": ""Rome""}",blocklisted,2026-01-01
3,cleo@example.org,Cleo,{},disabled,2026-01-01`, []string{"ada active", "bob suppressed", "cleo unsubscribed"}},
		{"Mailchimp, unsubscribed", `"Email Address","First Name","Last Name",MEMBER_RATING,UNSUB_TIME,UNSUB_REASON
ada@example.org,Ada,Lovelace,2,"2026-01-01 10:00:00","N/A (Unsubscribed by an admin)"`, []string{"ada unsubscribed"}},
		{"Mailchimp, cleaned", `"Email Address","First Name",CLEAN_TIME
ada@example.org,Ada,"2026-01-01 10:00:00"`, []string{"ada bounced"}},
		{"a state and a hint", `email,status,unsubscribed_at
ada@example.org,complained,2026-01-01
bob@example.org,active,2026-01-01`, []string{"ada complained", "bob unsubscribed"}},
		{"Substack", `email,active_subscription,email_disabled,created_at
ada@example.org,false,false,2026-01-01T00:00:00Z
bob@example.org,false,true,2026-01-01T00:00:00Z`, []string{"ada active", "bob unsubscribed"}},
		{"Ghost", `id,email,name,subscribed_to_emails,created_at,deleted_at
1,ada@example.org,Ada,true,2026-01-01,
2,bob@example.org,Bob,false,2026-01-01,
3,cleo@example.org,Cleo,true,2026-01-01,2026-02-02`, []string{"ada active", "bob unsubscribed", "cleo unsubscribed"}},
		{"Kit", `First Name,Email Address,status
Ada,ada@example.org,active
Bob,bob@example.org,bounced
Cleo,cleo@example.org,complained
Dora,dora@example.org,cancelled`, []string{"ada active", "bob bounced", "cleo complained", "dora unsubscribed"}},
		{"Buttondown", `email,notes,tags,subscriber_type
ada@example.org,,,regular
bob@example.org,,,unactivated
cleo@example.org,,,undeliverable
dora@example.org,,,removed`, []string{"ada active", "bob pending", "cleo bounced", "dora unsubscribed"}},
		{"MailerLite", `Subscriber;Status
ada@example.org;Active
bob@example.org;Unconfirmed
cleo@example.org;Junk`, []string{"ada active", "bob pending", "cleo complained"}},
		{"Squarespace", `Email Address,First Name,Subscribed On,Accepts Marketing
ada@example.org,Ada,2026-01-01,Yes
bob@example.org,Bob,2026-01-01,No`, []string{"ada active", "bob unsubscribed"}},
		{"a street beside", `Address,Email
12 Quay Street,ada@example.org`, []string{"ada active"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeople(t)
			if _, err := p.imports(tt.file, subscribers.ImportOptions{As: subscribers.Active, Because: "moved house"}); err != nil {
				t.Fatalf("import: %v", err)
			}
			got := p.states()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			for _, state := range got {
				name, word, _ := strings.Cut(state, " ")
				p.wantGets(skin, name+"@example.org", word == "active", word)
			}
		})
	}
}

func TestImportKeepsUnknownColumns(t *testing.T) {
	p := newPeople(t)
	if _, err := p.imports("email,OPTIN_IP,Zip,,Language\nada@example.org,192.0.2.9,SW1,x,English\nbob@example.org,,,,pt_BR\n", subscribers.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"email|name|state|language|subscribed|Language|OPTIN_IP|Zip|column 4",
		"ada@example.org||pending|||English|192.0.2.9|SW1|x",
		"bob@example.org||pending|pt-BR|||||",
	}
	if diff := cmp.Diff(want, p.exported(skin)); diff != "" {
		t.Errorf("people (-want +got):\n%s", diff)
	}
}

func TestImportReport(t *testing.T) {
	p := newPeople(t)
	left := p.active(skin, "left@example.org").ID
	p.leave(left, skin)
	p.erase(p.active(skin, "erased@example.org").ID)
	p.active(skin, "in@example.org")
	p.join(skin, "asked@example.org")
	p.suppress("blocked.example", 0, "manual")
	file := `email,name,status
new@example.org,New,active
left@example.org,,active
erased@example.org,,subscribed
in@example.org,,active
in@example.org,Ina,active
asked@example.org,,active
x@blocked.example,,
both@example.org,,active
both@example.org,,bounced
in@example.org,,cleaned
left@example.org,,unsubscribed
`
	want := []string{
		"2 new@example.org added",
		"3 left@example.org kept out: they unsubscribed",
		"4 erased@example.org kept out: they were erased",
		"5 in@example.org kept out: mail to them bounced", // line 11 counts first
		"6 in@example.org kept out: mail to them bounced",
		"7 asked@example.org changed",
		"8 x@blocked.example kept out: they were suppressed by hand",
		"9 both@example.org kept out: mail to them bounced",
		"10 both@example.org suppressed: bounced",
		"11 in@example.org suppressed: bounced",
		"12 left@example.org unchanged",
	}
	o := onWord
	o.DryRun = true
	before := dump(p)
	rep, err := p.imports(file, o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("the dry run changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(want, rows(rep)); diff != "" || !rep.DryRun {
		t.Errorf("dry run %v (-want +got):\n%s", rep.DryRun, diff)
	}
	if want := (subscribers.ImportReport{DryRun: true, Added: 1, Changed: 1, Unchanged: 1, Suppressed: 2, KeptOut: 6}); !cmp.Equal(rep.ImportReport, want) {
		t.Errorf("report = %+v, want %+v", rep, want)
	}
	rep, err = p.imports(file, onWord)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rows(rep)); diff != "" {
		t.Errorf("the real run (-want +got):\n%s", diff)
	}
	if n := p.count(`SELECT count(*) FROM mailable WHERE series_id = ?1`, skin); n != 2 {
		t.Errorf("%d people are mailable, want new and asked", n)
	}
	before = dump(p)
	rep, err = p.imports(file, onWord)
	if err != nil || rep.Added+rep.Changed+rep.Suppressed != 0 {
		t.Errorf("the same file again: %+v, %v; want no change", rep, err)
	}
	if diff := cmp.Diff(before, dump(p)); diff != "" {
		t.Errorf("the same file again changed (-before +after):\n%s", diff)
	}
}

func TestImportEvidence(t *testing.T) {
	p := newPeople(t)
	if _, err := p.imports("email\nada@example.org\nBob@example.org\n", subscribers.ImportOptions{As: subscribers.Active, Because: "moved house"}); err != nil {
		t.Fatal(err)
	}
	bob, err := subscribers.ByEmail(t.Context(), p.db, "bob@example.org")
	if err != nil {
		t.Fatal(err)
	}
	got, err := subscribers.Consents(t.Context(), p.db, bob.ID)
	if err != nil || len(got) != 1 {
		t.Fatalf("consents = %+v, %v; want one", got, err)
	}
	c := got[0]
	if c.Event != "imported" || c.Because != "moved house" || c.Email != "Bob@example.org" || !c.At.Equal(p.clock) ||
		!strings.HasPrefix(c.Form, "people.csv:3 sha256:") || len(c.Form) != len("people.csv:3 sha256:")+64 {
		t.Errorf("consent = %+v, want file, line, hash, reason and address", c)
	}
}

func TestImportFaultsUndoEverything(t *testing.T) {
	p := newPeople(t)
	file := "email,status\nada@example.org,active\nbob,active\ncleo@localhost,\ndora@example.org,happy\nemil@example.org,active,x\n\"f\n\"@example.org,\n"
	rep, err := p.imports(file, onWord)
	if !errors.Is(err, subscribers.ErrImport) {
		t.Fatalf("import: %v, want ErrImport", err)
	}
	for _, want := range []string{"people.csv", "6 of 7 rows", "line 3: not a mail address", "line 4:", "line 5: the state \"happy\"", "and 3 more"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "cleo") {
		t.Errorf("error %q gives an address away", err)
	}
	if rep.Refused != 6 || rep.Added != 1 || len(rep.Rows) != 7 {
		t.Errorf("report = %+v, want all seven rows, six refused", rep)
	}
	if got := dump(p); len(got) != 0 {
		t.Errorf("the database holds %q, want nothing", got)
	}
	o := onWord
	o.DryRun = true
	if rep, err := p.imports(file, o); err != nil || rep.Refused != 6 {
		t.Errorf("dry run: %d refused, %v; want 6 and no error", rep.Refused, err)
	}
}

func TestImportRefusesFiles(t *testing.T) {
	p := newPeople(t)
	for _, tt := range []struct {
		name, file string
		o          subscribers.ImportOptions
		want       error
		says       string
	}{
		{"empty", "", onWord, subscribers.ErrImport, "empty"},
		{"only a mark", "\ufeff", onWord, subscribers.ErrImport, "empty"},
		{"no address column", "name,town\nAda,London\n", onWord, subscribers.ErrImport, "name, town"},
		{"columns without names", "ada@example.org,Ada\n", onWord, subscribers.ErrImport, "name the columns"},
		{"two of one name", "email,x,x\nada@example.org,1,2\n", onWord, subscribers.ErrImport, "two columns are called x"},
		{"bad header", "\"email,name\n", onWord, subscribers.ErrImport, "CSV"},
		{"open quote", "email,name\nada@example.org,\"Ada\nbob@example.org,Bob\n", onWord, subscribers.ErrImport, "line 2"},
		{"damaged UTF-8", "email,name\nada@example.org,Adá é\xe1\n", onWord, subscribers.ErrImport, "line 2: it is not UTF-8"},
		{"marked as UTF-8, and damaged", "\ufeffemail,name\nada@example.org,Ad\xe1\n", onWord, subscribers.ErrImport, "line 2: it is not UTF-8"},
		{"no charset at all", "email,name\nada@example.org,Ad\x81\n", onWord, subscribers.ErrImport, "line 2: it is not UTF-8"},
		{"no reason for the active", "email,status\nada@example.org,active\n", subscribers.ImportOptions{}, subscribers.ErrBecause, "line 2"},
		{"as active without a reason", "email\nada@example.org\n", subscribers.ImportOptions{As: subscribers.Active}, subscribers.ErrBecause, "active"},
		{"as suppressed without a reason", "email\nada@example.org\n", subscribers.ImportOptions{As: subscribers.Suppressed}, subscribers.ErrBecause, "suppressed"},
		{"as something else", "email\nada@example.org\n", subscribers.ImportOptions{As: "happy"}, subscribers.ErrImport, "happy"},
		{"name with a break", "email,name\nada@example.org,\"Ada\nBcc: x\"\n", onWord, subscribers.ErrImport, "the name can't be stored"},
		{"pause without an end", "email,state\nada@example.org,paused until spring\n", onWord, subscribers.ErrImport, "spring"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := p.imports(tt.file, tt.o)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("import: %v, want %v saying %q", err, tt.want, tt.says)
			}
		})
	}
	if got := dump(p); len(got) != 0 {
		t.Errorf("the database holds %q, want nothing", got)
	}
}

// TestImportGoodRows takes all rows but those with a fault, which don't hide what stands behind them.
func TestImportGoodRows(t *testing.T) {
	p := newPeople(t)
	o := onWord
	o.GoodRows = true
	file := "email,name,status\nada@example.org,Ada,active\nbob,Bob,active\ncleo@example.org,\"Cleo,active\ndora@example.org,Dora,happy\n" +
		"emil@example.org,\"Emil \"the pen\" Marsh\",active\ngone@example.org,,bounced\n"
	rep, err := p.imports(file, o)
	want := []string{
		"2 ada@example.org added", "3 bob refused: not a mail address: it has no @",
		"4 cleo@example.org refused: something stands behind the quote that closes the cell: is a quote in it not doubled?",
		"5 dora@example.org refused: the state \"happy\" is not known: write active, pending, unsubscribed, bounced, complained or suppressed, or rename the column",
		"6 emil@example.org added", "7 gone@example.org suppressed: bounced",
	}
	if diff := cmp.Diff(want, rows(rep)); diff != "" || err != nil {
		t.Errorf("import: %v (-want +got):\n%s", err, diff)
	}
	for i, column := range []string{"", "email", "name", "status", "", ""} {
		if rep.Rows[i].Column != column {
			t.Errorf("line %d: the fault is in column %q, want %q", i+2, rep.Rows[i].Column, column)
		}
	}
	if got := p.count(`SELECT count(*) FROM mailable`); got != 2 || rep.Refused != 3 {
		t.Errorf("%d people are mailable, %d refused; want 2 and 3", got, rep.Refused)
	}
	if emil, err := subscribers.ByEmail(t.Context(), p.db, "emil@example.org"); err != nil || emil.Name != `Emil "the pen" Marsh` {
		t.Errorf("Emil is %+v, %v", emil, err)
	}
	o.Because = "" // no fault of a row: the word is missing for all
	if _, err := p.imports(file, o); !errors.Is(err, subscribers.ErrBecause) {
		t.Errorf("import without a reason: %v, want ErrBecause", err)
	}
}

func TestImportAsSuppressed(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "ada@example.org")
	o := subscribers.ImportOptions{As: subscribers.Suppressed, Because: "the old block list"}
	rep, err := p.imports("email,status\nada@example.org,\nbob@example.org,\ncleo@example.org,bounced\n", o)
	if err != nil || rep.Suppressed != 3 {
		t.Fatalf("import = %+v, %v; want three suppressed", rep, err)
	}
	for _, email := range []string{"ada@example.org", "bob@example.org", "cleo@example.org"} {
		p.wantGets(skin, email, false, "suppressed by the import")
		if err := p.enrol(skin, email); !errors.Is(err, subscribers.ErrSuppressed) {
			t.Errorf("Enrol(%s): %v, want ErrSuppressed", email, err)
		}
	}
	if err := p.enrol(gut, "bob@example.org"); err != nil {
		t.Errorf("Enrol in another series: %v", err)
	}
	if err := p.enrol(gut, "cleo@example.org"); !errors.Is(err, subscribers.ErrSuppressed) {
		t.Errorf("Enrol in another series of somebody whose mail bounces: %v, want ErrSuppressed", err)
	}
	if err := p.unsuppress("ada@example.org"); err != nil {
		t.Fatal(err)
	}
	p.wantGets(skin, "ada@example.org", true, "lifted by hand")
}

// TestImportReportsEveryRowWithoutReason: whoever forgot the reason sees all that is wrong at once.
func TestImportReportsEveryRowWithoutReason(t *testing.T) {
	p := newPeople(t)
	file := "email,status\nada@example.org,active\nbob,\ncleo@example.org,paused until 2027-05-01T09:00:00Z\ndora@example.org,pending\nemil@example.org,bounced\n"
	rep, err := p.imports(file, subscribers.ImportOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	reason := "refused: a written reason is needed: the file says that people are "
	want := []string{
		"2 ada@example.org " + reason + "active, so say how they came here", "3 bob refused: not a mail address: it has no @",
		"4 cleo@example.org " + reason + "paused, so say how they came here", "5 dora@example.org added: pending: not mailed before they confirm", "6 emil@example.org suppressed: bounced",
	}
	if diff := cmp.Diff(want, rows(rep)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if _, err := p.imports(file, subscribers.ImportOptions{}); !errors.Is(err, subscribers.ErrBecause) || !errors.Is(err, subscribers.ErrImport) {
		t.Errorf("import: got %v, want ErrBecause and ErrImport", err)
	}
}

// TestUnfinishedImport: whom an import left behind counts as pending until they, an owner or another import say more.
func TestUnfinishedImport(t *testing.T) {
	p := newPeople(t)
	const until = "paused until 2027-05-01T09:00:00Z"
	file := "email,status\nada@example.org,active\nbob@example.org," + until + "\ncleo@example.org,active\ndora@example.org,active\n"
	stop := func() {
		p.must(func(tx *store.Tx) error { _, err := tx.Exec(t.Context(), `UPDATE imports SET done = NULL`); return err })
	}
	count := func(when string, want subscribers.Counts) {
		t.Helper()
		if got, err := subscribers.Count(t.Context(), p.db, skin); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", when, got, err, want)
		}
	}
	if _, err := p.imports(file, onWord); err != nil {
		t.Fatal(err)
	}
	count("imported", subscribers.Counts{Active: 3, Paused: 1, Mailable: 3})
	stop()
	count("stopped midway", subscribers.Counts{Pending: 4})
	for _, line := range p.exported(skin)[1:] {
		if !strings.Contains(line, "|pending") {
			t.Errorf("exported %s, want it pending", line)
		}
	}
	p.active(skin, "ada@example.org")
	if err := p.enrol(skin, "cleo@example.org"); err != nil {
		t.Error(err)
	}
	count("one confirms, one is added by hand", subscribers.Counts{Pending: 2, Active: 2, Mailable: 2})
	if _, err := p.imports("email,status\nbob@example.org,"+until+"\ndora@example.org,active\n", onWord); err != nil {
		t.Fatal(err)
	}
	count("the others are imported again", subscribers.Counts{Active: 3, Paused: 1, Mailable: 3})
}

// TestPeopleLeaveDuringAnImport writes from another process while an import runs: it never waits for the import's end, and
// an import that was stopped midway mails nobody and goes on with the same file.
func TestPeopleLeaveDuringAnImport(t *testing.T) {
	const people = 60_000
	p := newPeople(t)
	reader := p.active(skin, "reader@example.org")
	var file strings.Builder
	file.WriteString("email\n")
	for i := range people {
		fmt.Fprintf(&file, "r%d@example.org\n", i)
	}
	other, err := store.Open(t.Context(), p.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	left := make(chan error)
	go func() {
		left <- leaveMidway(t.Context(), other, people, func(tx *store.Tx) error {
			defer stop()
			return p.Unsubscribe(t.Context(), tx, reader.ID, skin, subscribers.Evidence{})
		})
	}()
	o := subscribers.ImportOptions{SeriesID: skin, File: "people.csv", As: subscribers.Active, Because: "they signed"}
	_, err = p.Import(ctx, p.db, strings.NewReader(file.String()), o)
	if failed := <-left; failed != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("leave midway: %v, import: %v, want it stopped", failed, err)
	}
	p.wantGets(skin, "reader@example.org", false, "left during the import")
	mailable := `SELECT count(*) FROM mailable`
	if n := p.count(mailable); n != 0 {
		t.Errorf("stopped midway: %d people are mailable, want none", n)
	}
	rep, err := p.imports(file.String(), o)
	if err != nil || rep.Added == 0 || rep.Changed == 0 || rep.Added+rep.Changed != people {
		t.Errorf("the same file again: %d added, %d changed, %v; want the rest and what was there", rep.Added, rep.Changed, err)
	}
	if n := p.count(mailable); n != people {
		t.Errorf("imported: %d people are mailable, want %d", n, people)
	}
}

// leaveMidway calls leave in a transaction that sees an import of n people half done.
func leaveMidway(ctx context.Context, db *store.DB, n int, leave func(tx *store.Tx) error) error {
	for {
		var done int
		err := db.InTx(ctx, func(tx *store.Tx) error {
			err := tx.QueryRow(ctx, `SELECT count(*) FROM enrolments WHERE import_id IS NOT NULL`).Scan(&done)
			if err == nil && 0 < done && done < n {
				err = leave(tx)
			}
			return err
		})
		switch {
		case err != nil || 0 < done && done < n:
			return err
		case done >= n:
			return errors.New("the import was through before anybody could write")
		}
	}
}

func TestImportThen(t *testing.T) {
	p := newPeople(t)
	refuse := errors.New("not like this")
	for _, tt := range []struct {
		file  string
		dry   bool
		err   error
		calls int
		kept  int
	}{
		{"email\nada@example.org\n", true, nil, 1, 0},
		{"email\nada@example.org\n", true, refuse, 1, 0},
		{"email\nada\n", true, nil, 0, 0},
		{"email\nada@example.org\n", false, nil, 1, 1},
	} {
		calls := 0
		_, err := p.imports(tt.file, subscribers.ImportOptions{DryRun: tt.dry, Then: func(q store.Querier) error {
			calls++
			if c, err := subscribers.Count(t.Context(), q, skin); err != nil || c.Pending != 1 {
				t.Errorf("Then sees %+v, %v; want the one imported", c, err)
			}
			return tt.err
		}})
		if calls != tt.calls || !errors.Is(err, tt.err) {
			t.Errorf("import of %q: Then called %d times, %v; want %d, %v", tt.file, calls, err, tt.calls, tt.err)
		}
		if n := p.count(`SELECT count(*) FROM subscribers`); n != tt.kept {
			t.Errorf("import of %q left %d people, want %d", tt.file, n, tt.kept)
		}
	}
}

func TestImportReading(t *testing.T) {
	p := newPeople(t)
	p.active(skin, "in@example.org")
	o := subscribers.ImportOptions{As: subscribers.Active, Because: "x", Reading: []int64{4, 5}}
	const file = "email\nin@example.org\nnew@example.org\n"
	rep, err := p.imports(file, o)
	if err != nil || rep.Added != 1 || rep.Changed != 1 {
		t.Fatalf("import = %+v, %v; want one added, one changed", rep, err)
	}
	if rep, err = p.imports(file, o); err != nil || rep.Unchanged != 2 {
		t.Errorf("again = %+v, %v; want two unchanged", rep, err)
	}
	readings, err := subscribers.Readings(t.Context(), p.db, skin)
	if err != nil || len(readings) != 1 {
		t.Fatalf("Readings = %v, %v; want one", readings, err)
	}
	for _, email := range []string{"in@example.org", "new@example.org"} {
		s, err := subscribers.ByEmail(t.Context(), p.db, email)
		if err != nil {
			t.Fatal(err)
		}
		if got := readings[p.enrolment(skin, s.ID).ReadingID]; !cmp.Equal(got, []int64{4, 5}) {
			t.Errorf("%s had %v before, want 4 and 5", email, got)
		}
	}
	if readings, err := subscribers.Readings(t.Context(), p.db, gut); err != nil || len(readings) != 0 {
		t.Errorf("Readings of another series = %v, %v; want none", readings, err)
	}
}

// fill makes people of every kind, with texts that spreadsheets trip over.
func fill(p *people) {
	p.Helper()
	for i, email := range []string{"+ada@example.org", "bob@example.org", "=c@example.org", "dora@example.org", "emil@example.org", "fay@example.org", "gus@example.org"} {
		p.must(func(tx *store.Tx) error {
			_, err := p.Add(p.Context(), tx, subscribers.Addition{
				Email: email, Name: []string{"=1+1", "'=x", "@Ada", "ＳＵＭ", "＝1", `"Quo"te, ` + "'", "-"}[i], Language: "de",
				Zone: []string{"", "Europe/Berlin"}[i%2], Tags: []string{"=guest", fmt.Sprint("tag ", i)}[:i%3%2+1],
				Fields: map[string]string{"email": "+49 12", "Note": "a\nb", "@formula": "''-1", fmt.Sprint("only", i): "\tx"},
			})
			return err
		})
		p.active(skin, email)
		p.pass(time.Minute)
	}
	id := func(email string) int64 {
		s, err := subscribers.ByEmail(p.Context(), p.db, email)
		if err != nil {
			p.Fatal(err)
		}
		return s.ID
	}
	p.leave(id("bob@example.org"), skin)
	p.suppress("=c@example.org", 0, "bounce")
	p.suppress("dora@example.org", 0, "complaint")
	p.suppress("emil@example.org", 0, "manual")
	p.must(func(tx *store.Tx) error {
		return p.Pause(p.Context(), tx, id("fay@example.org"), skin, p.clock.Add(30*day), subscribers.Evidence{})
	})
	p.join(skin, "hal@example.org")
}

func TestExportAndImportAgain(t *testing.T) {
	from, to := newPeople(t), newPeople(t)
	fill(from)
	to.clock = from.clock
	first := from.export(skin)
	for _, line := range strings.Split(first, "\r\n") {
		for _, cell := range strings.Split(line, `","`) {
			if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a cell that a spreadsheet runs: %q", cell)
			}
		}
	}
	rep, err := to.imports(first, onWord)
	if err != nil {
		t.Fatalf("import of the export: %v", err)
	}
	if rep.Refused+rep.KeptOut+rep.Unchanged != 0 || len(rep.Rows) != 8 {
		t.Errorf("report = %+v, want all eight people", rep)
	}
	before, after := from.exported(skin), to.exported(skin)
	for i, line := range before {
		if strings.Contains(line, "|suppressed|") {
			// Were that lifted, they would have to confirm: the date of their confirmation elsewhere stays behind.
			before[i] = strings.Replace(line, "|2027-03-30T09:04:00Z|", "||", 1)
		}
	}
	slices.Sort(before) // people who are gone come first now
	slices.Sort(after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("export, import, export (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(from.proofs(skin), to.proofs(skin)); diff != "" {
		t.Errorf("proofs of consent (-first +second):\n%s", diff)
	}
	if proof := from.proofs(skin)["'+ada@example.org"]; !strings.HasPrefix(proof, `{"event":"confirmed","at":"2027-03-30T09:00:00Z","ip":"192.0.2.7",`) || !strings.Contains(proof, `,"request":{"event":"requested",`) {
		t.Errorf("Ada's proof is %s, want her confirmation and her request", proof)
	}
	for _, email := range []string{"+ada", "bob", "=c", "dora", "emil", "fay", "gus", "hal"} {
		a, err := subscribers.ByEmail(t.Context(), from.db, email+"@example.org")
		b, err2 := subscribers.ByEmail(t.Context(), to.db, email+"@example.org")
		a.ID, a.Created = b.ID, b.Created
		if diff := cmp.Diff(a, b); diff != "" || err != nil || err2 != nil {
			t.Errorf("%s: %v, %v (-first +second):\n%s", email, err, err2, diff)
		}
		to.wantGets(skin, email+"@example.org", from.gets(skin, email+"@example.org"), "after export and import")
	}
	if got, err := subscribers.ByEmail(t.Context(), to.db, "+ada@example.org"); err != nil || got.Fields["@formula"] != "''-1" || got.Name != "=1+1" {
		t.Errorf("Ada came back as %+v, %v", got, err)
	}
}

// Of a consent the export has all that the database has (STANDARDS 9).
func TestExportHasTheWholeProof(t *testing.T) {
	from, to := newPeople(t), newPeople(t)
	to.clock = from.clock
	var req subscribers.Request
	from.must(func(tx *store.Tx) (err error) {
		req, err = from.Join(t.Context(), tx, []int64{skin}, subscribers.Addition{Email: "Ada@example.org"}, subscribers.Evidence{
			IP: "192.0.2.7", Agent: "Browser", Form: "https://example.org/", Wording: "I want it.", Language: "de",
		})
		return err
	})
	from.must(func(tx *store.Tx) error {
		_, err := from.Confirm(t.Context(), tx, req.Token, subscribers.Evidence{Wording: "Yes.", Language: "fr", MessageID: "<7@example.org>"})
		return err
	})
	if err := from.changeAddress(from.newAddress(req.Subscriber.ID, "new@example.org")); err != nil {
		t.Fatal(err)
	}
	proof := from.proofs(skin)["new@example.org"]
	consents, err := subscribers.Consents(t.Context(), from.db, req.Subscriber.ID)
	if err != nil || len(consents) != 2 {
		t.Fatalf("consents: %+v, %v", consents, err)
	}
	for _, c := range consents {
		for _, want := range []string{c.Wording, c.WordingVersion, c.Language, c.Token, c.MessageID, c.Email, c.IP, c.Agent, c.Form} {
			if want = strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(want); !strings.Contains(proof, want) {
				t.Errorf("%s: %q is not in the proof %s", c.Event, want, proof)
			}
		}
	}
	if _, err := to.imports(from.export(skin), onWord); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(from.proofs(skin), to.proofs(skin)); diff != "" {
		t.Errorf("proofs of consent (-first +second):\n%s", diff)
	}
}

func TestImportStripsNothingOfForeignFiles(t *testing.T) {
	p := newPeople(t)
	if _, err := p.imports("email,name,phone\n'-ada@example.org,'=x,'+49 12\n", subscribers.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := subscribers.ByEmail(t.Context(), p.db, "'-ada@example.org")
	if err != nil || got.Name != "'=x" || got.Fields["phone"] != "'+49 12" {
		t.Errorf("imported %+v, %v; want the apostrophes kept", got, err)
	}
}

func TestExportOfNobody(t *testing.T) {
	p := newPeople(t)
	if got, want := p.export(skin), "\"email\",\"name\",\"state\",\"language\",\"subscribed\",\"zone\",\"tags\",\"consent\"\r\n"; got != want {
		t.Errorf("export = %q, want %q", got, want)
	}
}

func TestList(t *testing.T) {
	p := newPeople(t)
	fill(p)
	var got []string
	err := subscribers.List(t.Context(), p.db, skin, subscribers.Filter{}, func(l subscribers.Listed) error {
		got = append(got, fmt.Sprintf("%s %s %v %s", l.Email, l.State, l.Mailable, l.Suppressed))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"+ada@example.org active true ", "bob@example.org ended false unsubscribe", "=c@example.org ended false bounce",
		"dora@example.org ended false complaint", "emil@example.org active false manual", "fay@example.org paused false ",
		"gus@example.org active true ", "hal@example.org pending false ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	if err := subscribers.List(t.Context(), p.db, skin, subscribers.Filter{}, func(subscribers.Listed) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("List with a callback that fails: %v, want its error", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, s := range []string{
		"email,name,status\nada@example.org,Ada,active\n", "ada@example.org\nbob@example.org", "\ufeffE-mail;Name\nada@example.org;\"A;\"\n",
		"\xff\xfee\x00m\x00a\x00i\x00l\x00\n\x00a\x00@\x00b\x00.\x00c\x00", "email,name,state,language,subscribed\n'=a@b.c,'=x,paused until 2027-01-01T00:00:00Z,de,2020-01-01T00:00:00Z\n",
		"email\n\"", "email|x\n|\n", "\"em\nail\"", "email\n\"a\r\n\"@b.c\n",
	} {
		f.Add([]byte(s))
	}
	p := newPeople(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		var rep report
		var err error
		rep.ImportReport, err = p.Import(t.Context(), p.db, bytes.NewReader(file), subscribers.ImportOptions{
			SeriesID: skin, File: "x.csv", As: subscribers.Active, Because: "x", DryRun: true,
			Row: func(r subscribers.ImportRow) error {
				rep.Rows = append(rep.Rows, r)
				return nil
			},
		})
		if err != nil && !errors.Is(err, subscribers.ErrImport) {
			t.Fatalf("import of %q: %v", file, err)
		}
		if n := rep.Added + rep.Changed + rep.Unchanged + rep.Suppressed + rep.KeptOut + rep.Refused; n != len(rep.Rows) {
			t.Errorf("the report of %q counts %d of %d rows", file, n, len(rep.Rows))
		}
		last := 0
		for _, r := range rep.Rows {
			if r.Line < last || r.Line < 1 {
				t.Errorf("the report of %q has line %d after %d", file, r.Line, last)
			}
			last = r.Line
		}
	})
}
