package subscribers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"pressrun/subscribers"
)

// TestConsentOfManyHands: what a column says of consent decides, in both directions, whatever its language; each file has somebody of
// whom it says nothing behind those of whom it does.
func TestConsentOfManyHands(t *testing.T) {
	const pending, unsubscribed, bounced, complained, suppressed = "pending", "unsubscribed", "bounced", "complained", "suppressed"
	p := newPeople(t)
	people := 0
	for _, tt := range []struct{ headers, cells, state, rest string }{
		// Yes, or a day, is gone; who has an empty cell is not.
		{"Abbestellt|Widerrufen|Widerruf|Ausgetragen|Abmeldung|Newsletter abbestellt|Newsletter-Abmeldung|Werbewiderspruch|Gekündigt|Inaktiv|WIDERSPRUCH", "ja|x|WAHR|3.5.2024|1", unsubscribed, "active"},
		{"Opt-out|Email Opt-Out|Has Opted Out of Email|Unsubscribed from all email|is_unsubscribed|Newsletter Unsubscribed|Consent withdrawn|email_disabled|Account disabled|Newsletter disabled|Inactive", "yes|TRUE|t|2024-05-03", unsubscribed, "active"},
		{"Désinscrit|Désabonnée|Désinscription|Résilié|Retrait du consentement|Refus|Est désabonné", "oui|VRAI|x", unsubscribed, "active"},
		{"Baja|Dado de baja|De baja|Desuscrita|Cancelado|Revocado|Anulada|Oposición", "sí|VERDADERO|x", unsubscribed, "active"},
		{"Afgemeld|Uitgeschreven|Opgezegd|Nieuwsbrief opgezegd|Toestemming ingetrokken|Is uitgeschreven|Afgemeld (ja/nee)", "ja|WAAR|x|3-5-2024", unsubscribed, "active"},
		{"Geblokkeerd|Niet mailen|Geen nieuwsbrief|Overleden", "ja|x", suppressed, "active"},
		{"Afgemeld op|Datum uitschrijving|Uitgeschreven sinds|Reden afmelding", "3-5-2024|te veel mail", unsubscribed, "active"},
		{"Afgemeld|Geblokkeerd|Uitgeschreven op", "nee|ONWAAR", "active", "active"},
		{"Toestemming|Nieuwsbrief|Nieuwsbrief (ja/nee)|Aangemeld|Ingeschreven|Akkoord|Actief", "nee|ONWAAR|0|afgemeld", unsubscribed, "active"},
		{"Toestemming|Nieuwsbrief", "ja|WAAR|x", "active", pending},
		{"Toestemming op", "nee|ingetrokken|niet gegeven", unsubscribed, "active"},
		{"Bevestigd|Geverifieerd", "nee", pending, "active"},
		{"إلغاء الاشتراك|غير مشترك|منسحب|رفض|ملغى", "نعم|صحيح", unsubscribed, "active"},
		{"Do not email|Do Not Contact|Deceased|Verstorben|No mailings|Mail unerwünscht|Sperrliste|DNC|Don't email|Blocked|Email Blacklisted|Suppressed|Gesperrt|Werbesperre|Nicht kontaktieren|Nicht mehr anschreiben|Ne plus écrire|No molestar|Keine Werbung|Robinsonliste|Bloqué|Ne pas contacter|Liste noire|Bloqueada|No contactar|No enviar|محظور|لا ترسل|عدم الاتصال", "yes|ja|oui|sí|نعم|2024-05-03", suppressed, "active"},
		{"Bounced|Hard bounce|Email bounced|Undeliverable|Unzustellbar|Ungültig|Rückläufer|E-mail invalide|Adresse invalide|Correo inválido|Rebotado|Devuelta|مرتد", "yes|ja|x|2024-05-03", bounced, "active"},
		{"Complained|Spam complaint|Marked as spam|Beschwerde|Als Spam gemeldet|Plainte|Queja|شكوى", "yes|ja|x", complained, "active"},
		{"Abgemeldet|Opt-out|Unsubscribed|Désinscrit|Baja|Hat widersprochen|Opt out (yes/no)", "nein|FALSCH|no|FAUX|FALSO|0|0000-00-00|لا", "active", "active"},
		{"Gesperrt|Bounced|Do not contact|Spam", "nein|FALSCH|no|FALSE|0", "active", "active"},
		{"Opt-out|Abmeldung", "abgemeldet|unsubscribed|widerrufen", unsubscribed, "active"},

		// When, and why: what is filled is gone.
		{"Widerrufen am|Gekündigt am|Kündigungsdatum|Abgemeldet seit|Ausgetragen am|Abmeldung am|Abmeldedatum|Widerrufsdatum|Opt-out date|Opted out at|Unsubscribed Date|Date unsubscribed|Unsubscribe Reason|Abmeldegrund|Désinscrit le|Date de désabonnement|Fecha de baja|Fecha de cancelado|تاريخ إلغاء الاشتراك", "03.05.2024|2024-05-03|irgendwann", unsubscribed, "active"},
		{"Gesperrt am|Blocked at|Date blocked|Bloqué le", "03.05.2024|May 2024", suppressed, "active"},
		{"Bounced at|Bounce date|Bounce reason|Hard bounced on", "2024-05-03|550 no such user", bounced, "active"},
		{"Unsubscribe reason", "marked as spam", complained, "active"},
		{"Widerrufen am|Unsubscribed at|Bounced at|Gesperrt am", "0000-00-00 00:00:00|nein|no|FALSCH", "active", "active"},

		// No is gone, yes is here; and where somebody said yes, who has an empty cell did not.
		{"Opt-in|Opted in|Email_Opt_In__c|Receive emails|Email allowed|Email Opt-in|Consent|Email consent|Marketing Consent|GDPR consent|Permission|Accepts Email Marketing|Subscribed|Active|is_active|Newsletter|Receives newsletter|Marketing", "no|FALSE|n|0|off", unsubscribed, "active"},
		{"Einwilligung|Newsletter-Abo|Newsletter gewünscht|Werbung erlaubt|Mailing erlaubt|Newsletter (ja/nein)|Status Newsletter|Newsletter-Einwilligung|Einwilligung E-Mail|Werbeeinwilligung|DSGVO-Einwilligung|Eingewilligt|Zustimmung|Einverstanden|Einverständnis|Newsletter|Aktiv|Angemeldet|Ist aktiv|Werbung", "nein|FALSCH|0", unsubscribed, "active"},
		{"Consentement|Consentement marketing|Accepte|Accord|Actif|Inscrit|Abonnée", "non|FAUX", unsubscribed, "active"},
		{"Consentimiento|Acepta|Autorización|Activo|Suscrita", "no|FALSO", unsubscribed, "active"},
		{"موافقة|موافق|مشترك|نشط", "لا", unsubscribed, "active"},
		{"Opt-in|Consent|Einwilligung|Consentement|Consentimiento|موافقة|Newsletter", "yes|ja|WAHR|VRAI|VERDADERO|نعم|2024-05-03|3.5.2024|granted|erteilt|Double", "active", pending},
		{"Consent|Einwilligung|Newsletter", "withdrawn|widerrufen|denied|abgemeldet", unsubscribed, "active"},
		{"Einwilligung am|Consent date|Double opt-in date|Bestätigt am|confirmed_at", "2024-05-03|3.5.2024 10:00", "active", pending},
		{"Einwilligung am|Consent date|confirmed_at", "05/out/2023|5 out 2023", "active", pending},
		{"Einwilligung am|Consent date", "nein|no|no 3.4.2024|no 03/04/2024|widerrufen am 3.4.2024|3.4.2024 widerrufen|widerrufen|withdrawn|nicht erteilt", unsubscribed, "active"},
		{"Einwilligung am|confirmed_at", "pending|ausstehend|unconfirmed", pending, "active"},
		{"confirmed_at|Bestätigt am|Double opt-in date", "no|nicht bestätigt|noch nicht", pending, "active"},
		{"Bestätigt am", "abgemeldet am 3.4.2024|gekündigt", unsubscribed, "active"},
		{"Double opt-in|DOI|Confirmed|Bestätigt|Confirmée|Confirmada|مؤكد", "no|nein|non|لا", pending, "active"},
		{"Double opt-in|Confirmed|Bestätigt", "yes|ja|2024-05-03", "active", pending},
		{"activated|Aktiviert|Freigeschaltet|Activado", "no|nein|0", pending, "active"},
		{"DOI bestätigt|Anmeldung bestätigt|Subscription confirmed|Inscription confirmée|Account verified|Konto aktiviert|Registrierung_verifiziert|Opt-in bestätigt|Verified account|Cuenta verificada|Alta confirmada|Signup confirmed|Aanmelding bevestigd|Inschrijving bevestigd|Account activated at", "ja|yes|1|x|t|✓|2024-05-03", "active", pending},
		{"DOI bestätigt|Anmeldung bestätigt|Subscription confirmed|Inscription confirmée|Account verified|Konto aktiviert|Registrierung_verifiziert|Opt-in bestätigt|Verified account|Compte vérifié|Aanmelding bevestigd|Inschrijving bevestigd|Account activated at", "nein|no|non|nee|N|f|0|pending|noch nicht|niet bevestigd", pending, "active"},
		{"Kundenkonto bestätigt|E-Mail-Adresse verifiziert|Email address confirmed|Confirmed address", "x|1|J", "active", pending},
		{"Verifiziert (J/N)|Confirmed (Y/N)", "J|yes", "active", pending},
		{"Verifiziert (J/N)|Confirmed (Y/N)", "N|no|0", pending, "active"},
		{"Newsletter (J/N)|Opt-in Y/N", "N|no|0", unsubscribed, "active"},
		{"DOI bestätigt|Account verified", "abgemeldet am 3.4.2024|unsubscribed", unsubscribed, "active"},
		{"Unconfirmed|E-Mail not verified|Unbestätigt|Nicht bestätigt|Non confirmée|No confirmado", "yes|ja|x|1|2024-05-03", pending, "active"},
		{"Unconfirmed|Unbestätigt", "no|nein|0", "active", "active"},
	} {
		cells := strings.Split(tt.cells, "|")
		want := append(slices.Repeat([]string{tt.state}, len(cells)), tt.rest)
		for header := range strings.SplitSeq(tt.headers, "|") {
			file := "E-Mail;" + header + "\n"
			for _, cell := range append(cells, "") {
				people++
				file += fmt.Sprintf("r%d@example.org;%s\n", people, cell)
			}
			rep, err := p.imports(file, subscribers.ImportOptions{As: subscribers.Active, Because: "x"})
			if diff := cmp.Diff(want, came(rep)); diff != "" || err != nil {
				t.Errorf("%s: %s: %v (-want +got):\n%s", header, tt.cells, err, diff)
			}
		}
	}
}

// came are the states that new people of a report came with.
func came(rep report) (states []string) {
	for _, r := range rep.Rows {
		state, _, _ := strings.Cut(r.Reason, ":")
		if r.Outcome == subscribers.OutcomeAdded && state == "" {
			state = "active"
		}
		states = append(states, state)
	}
	return states
}

// TestConsentThatIsNotUnderstood: a column that sounds like consent keeps everybody from coming as active, whichever of its cells are
// filled and also with GoodRows, until they come as pending or the column is called otherwise.
func TestConsentThatIsNotUnderstood(t *testing.T) {
	active := subscribers.ImportOptions{As: subscribers.Active, Because: "x"}
	p, other := newPeople(t), newPeople(t)
	for _, header := range []string{
		"Vermerk Abmeldung", "Letzter Widerruf durch", "Einwilligungstext", "Opt-in-Weg", "opt", "Unsub campaign", "Soft bounces", "Blockiergrund des Anbieters", "Suppress list",
		"Austrittsdatum", "Abo beendet am", "Consent wording", "Texte du consentement", "Note de désinscription", "Motivo de dar de baja", "Kundenstatus", "سبب الإلغاء", "Sperre durch", "RGPD", "Mail permissions of 2024",
		"Ausgetreten am", "Entfernt", "Removed from list", "Nicht mehr erwünscht", "No longer interested", "Stop", "Left on", "Exclude", "Parti le", "Ne plus déranger", "No quiere correos", "محذوف", "لا يريد",
	} {
		file := "E-Mail;Stadt;" + header + "\na@example.org;Ulm;\nb@example.org;Bonn;siehe Akte\n"
		for _, good := range []bool{false, true} {
			o := active
			o.GoodRows = good
			rep, err := p.imports(file, o)
			if !errors.Is(err, subscribers.ErrImport) || !strings.Contains(err.Error(), header) || !strings.Contains(err.Error(), "as pending") || rep.Refused != 2 {
				t.Errorf("%s: %d rows refused, %v; want both, with the column's name and what to do", header, rep.Refused, err)
			}
			if !cmp.Equal(rep.Unread, []string{header}) {
				t.Errorf("%s: %q is unread, want it named", header, rep.Unread)
			}
		}
		if _, err := other.imports(file, subscribers.ImportOptions{}); err != nil {
			t.Errorf("%s, as pending: %v", header, err)
		}
		if _, err := other.imports(strings.Replace(file, header, "Notiz", 1), active); err != nil {
			t.Errorf("%s, called otherwise: %v", header, err)
		}
	}
	for _, header := range []string{
		"Verteiler", "Mail OK", "Newsletter per Post gewollt", "Kontaktaufnahme per E-Mail", "Abo", "Recevoir la newsletter", "Recibir boletín", "Suscripción al boletín", "Rundbrief", "النشرة البريدية", "Abo (ja/nein)", "Rundbrief: oui / non",
	} {
		for cell, stops := range map[string]bool{
			"nein": true, "no": true, "Non": true, "ja": true, "abgemeldet": true, "لا": true, "Berlin": false, "3": false, "0": true, "1": true, "2024-05-03": false, "nein danke": true, "no, gracias": true,
			"non merci": true, "raus": true, "bitte nicht mehr": true, "abgemeldet am 3.4.2024": true, "ja, gern": true, "✗": true, "No. 12 Quay Street": false, "Nora": false, "nora@example.org": false, "-": false,
		} {
			o := active
			o.DryRun = true
			if rep, err := p.imports("E-Mail;"+header+"\na@example.org;"+cell+"\n", o); err != nil || (len(rep.Unread) > 0) != stops {
				t.Errorf("%s: %s: unread %q, %v; want it to stop: %v", header, cell, rep.Unread, err, stops)
			}
		}
	}
	// Figures only answer where all of the column does, and it is no number of mails by its name.
	for header, tt := range map[string]struct {
		cells string
		stops bool
	}{
		"Infolettre": {"1|0|", true}, "Send emails": {"0|nein|ja", true}, "Newsletter (1=ja)": {"0||", true}, "Abonné à la newsletter": {"1|1|0", true},
		"DOI je": {"J|N|", true}, "DOI war": {"✓|✗|3. Mai", true}, "DOI sei": {"1|3. Mai|N", true}, "DOI ist": {"1|0|3. Mai", false},
		"Mailing week": {"1|0|2", false}, "Emails received (6mo)": {"0|1|", false}, "CONTACT ID": {"1||", false}, "Rundbrief äöüß": {"\xff||", false}, "Mail ͺ": {"ͺ||", false},
	} {
		cells := strings.Split(tt.cells, "|")
		o := active
		o.DryRun = true
		rep, err := p.imports(fmt.Sprintf("E-Mail;%s\na@example.org;%s\nb@example.org;%s\nc@example.org;%s\n", header, cells[0], cells[1], cells[2]), o)
		if (len(rep.Unread) > 0) != tt.stops || err != nil {
			t.Errorf("%s: %s: unread %q, %v; want it to stop: %v", header, tt.cells, rep.Unread, err, tt.stops)
		}
	}
	if left := dump(p); len(left) != 0 {
		t.Errorf("the database holds %q, want nothing", left)
	}
	_, err := p.imports("email,status,Unsub note,Bounce text\na@example.org,active,x,y\n", onWord)
	if err == nil || !strings.Contains(err.Error(), `the columns "Unsub note" and "Bounce text" sound`) || !strings.Contains(err.Error(), "write them as columns") ||
		strings.Contains(err.Error(), "import these people as pending") || !strings.Contains(err.Error(), "write pending as the state") {
		t.Errorf("with a state of their own: %v; want both columns named, and no advice that doesn't help", err)
	}
	// What is only filled for those who left anyway, or not at all, keeps nobody out.
	if _, err := p.imports("email,status,Unsub note,Bounce text\na@example.org,active,,\nb@example.org,unsubscribed,too long,\n", onWord); err != nil {
		t.Errorf("a note of who left: %v", err)
	}
}

// TestBouncesThatAreNone: neither a number of mails nor what else the word of a bounce means ends somebody for good; where it may be
// about mail all the same it stops active rows.
func TestBouncesThatAreNone(t *testing.T) {
	p := newPeople(t)
	for _, tt := range []struct {
		header, cell string
		stops        bool
	}{
		{"Marketing emails bounced", "1", false},
		{"Marketing emails bounced", "0", false},
		{"Emails bounced", "3", false},
		{"Bounced emails", "2", false},
		{"Emails bounced", "hard", true},
		{"Invalide", "oui", true},
		{"Invalide", "non", false},
		{"Inválida", "sí", true},
		{"Disabled", "yes", true},
		{"Disabled", "no", false},
		{"is_disabled", "0", false},
	} {
		file := "E-Mail;Unsubscribed;" + tt.header + "\na@example.org;no;" + tt.cell + "\n"
		o := subscribers.ImportOptions{As: subscribers.Active, Because: "x", DryRun: true}
		rep, err := p.imports(file, o)
		if err != nil || rep.Suppressed > 0 || (len(rep.Unread) > 0) != tt.stops {
			t.Errorf("%s: %s: %d gone, unread %q, %v; want none gone, and it to stop: %v", tt.header, tt.cell, rep.Suppressed, rep.Unread, err, tt.stops)
		}
		if rep, err := p.imports(strings.Replace(file, ";no;", ";;", 1), subscribers.ImportOptions{DryRun: true}); err != nil || rep.Pending != 1 {
			t.Errorf("%s: %s, as pending: %+v, %v", tt.header, tt.cell, rep, err)
		}
	}
}

// TestDaysThatAreNone: the empty day of a spreadsheet is neither the day on which somebody left or agreed, nor a fault.
func TestDaysThatAreNone(t *testing.T) {
	p := newPeople(t)
	for i, day := range []string{"00.01.1900", "0.1.1900", "1/0/1900", "01/00/1900 00:00", "1900-01-00", "1900-01-00T00:00:00", "30.12.1899", "1899-12-30 00:00:00", "0000-00-00", "0000-00-00T00:00:00Z", "00000000"} {
		file := fmt.Sprintf("E-Mail;Angemeldet am;Abgemeldet am;Einwilligung am;Opt-in\na%d@example.org;%s;%s;2024-05-03;\nb%d@example.org;;;%s;\nc%d@example.org;;;2024-05-03;%s\n", i, day, day, i, day, i, day)
		rep, err := p.imports(file, subscribers.ImportOptions{As: subscribers.Active, Because: "x"})
		if diff := cmp.Diff([]string{"active", "pending", "pending"}, came(rep)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", day, err, diff)
		}
	}
	if rep, err := p.imports("email,unsubscribed at\nz@example.org,01.01.1900\n", onWord); err != nil || !cmp.Equal(came(rep), []string{"unsubscribed"}) {
		t.Errorf("a day that is one: %v, %v; want it unsubscribed", came(rep), err)
	}
}

// TestWordsForNothing: what a database writes for nothing says no more than an empty cell; what people write does neither where a day should
// stand, but where a reason may, it may be all that somebody gave.
func TestWordsForNothing(t *testing.T) {
	p := newPeople(t)
	people := 0
	for _, tt := range []struct{ headers, filled, nothing, want string }{
		{"confirmed_at|Bestätigt am|Einwilligung am|Consent date", "2024-05-03", `NULL|\N|(null)|NaT|nan|-|–|n/a|None|k. A.`, "active pending"},
		{"unsubscribed_at|Abmeldegrund", "2024-05-03", `NULL|\N|(null)|NaT|nan|undefined`, "unsubscribed active"},
		{"bounced_at", "2024-05-03", `NULL|\N`, "bounced active"},
		{"Unsubscribed|Abgemeldet", "ja", `NULL|\N`, "unsubscribed active"},
		{"Opt-in|Newsletter|Confirmed", "ja", `NULL|\N`, "active pending"},
		{"Infolettre|Unsub note|Subscription", "", `NULL|\N`, "active active"},
	} {
		for header := range strings.SplitSeq(tt.headers, "|") {
			for nothing := range strings.SplitSeq(tt.nothing, "|") {
				people++
				rep, err := p.imports(fmt.Sprintf("E-Mail;%s\na%d@example.org;%s\nb%d@example.org;%s\n", header, people, tt.filled, people, nothing), subscribers.ImportOptions{As: subscribers.Active, Because: "x"})
				if got := strings.Join(came(rep), " "); got != tt.want || err != nil {
					t.Errorf("%s: %s and %s: %s, %v; want %s", header, tt.filled, nothing, got, err, tt.want)
				}
			}
		}
	}
}

// TestWordsForNothingThatMayBeReasons: nobody is put out by one for good, nor passed over.
func TestWordsForNothingThatMayBeReasons(t *testing.T) {
	p := newPeople(t)
	for _, header := range []string{"unsubscribed_at", "Abmeldegrund", "Unsubscribe reason", "Gesperrt am", "Date de désabonnement"} {
		for _, cell := range []string{"-", "—", "n/a", "N/A", "none", "k.A.", "n. v. t."} {
			rep, err := p.imports("E-Mail;"+header+"\na@example.org;"+cell+"\n", onWord)
			if !errors.Is(err, subscribers.ErrImport) || rep.Refused != 1 || !strings.Contains(err.Error(), "leave it empty where they have not left") {
				t.Errorf("%s: %s: %v, want it refused, and what to do", header, cell, err)
			}
		}
	}
}

// TestConsentInAnotherCharset: a file that is neither UTF-8 nor says what it is may be about who left in a column whose name is spoilt.
// Then nobody comes as active; one with the accents of Western Europe does.
func TestConsentInAnotherCharset(t *testing.T) {
	active := subscribers.ImportOptions{As: subscribers.Active, Because: "x", DryRun: true}
	p := newPeople(t)
	for name, tt := range map[string]struct {
		set          *charmap.Charmap
		header, cell string
		stops        bool
	}{
		"Arabic":               {charmap.Windows1256, "إلغاء الاشتراك", "نعم", true},
		"Arabic answer":        {charmap.Windows1256, "Mail OK", "لا", true},
		"Cyrillic":             {charmap.Windows1251, "Отписан", "да", true},
		"Central Europe":       {charmap.Windows1250, "Odhlášený", "ano", true},
		"Mac, German":          {charmap.Macintosh, "Gekündigt", "ja", true},
		"Mac, French":          {charmap.Macintosh, "Désabonné", "oui", true},
		"Mac, Spanish":         {charmap.Macintosh, "Suspensión", "x", true},
		"DOS":                  {charmap.CodePage850, "Gelöscht", "ja", true},
		"Western, a street":    {charmap.Windows1252, "Straße", "Königsweg", false},
		"Western, Größe":       {charmap.Windows1252, "GRÖSSE – HÖHE", "x", false},
		"Western, French":      {charmap.Windows1252, "Prénom d’usage à l’été", "à", false},
		"Western, N°":          {charmap.Windows1252, "N° adhérent", "12", false},
		"Western, Nº":          {charmap.Windows1252, "Nº socio", "12", false},
		"Western, euros":       {charmap.Windows1252, "Spende (€)", "20", false},
		"Western, m²":          {charmap.Windows1252, "Größe m²", "80", false},
		"Western, a section":   {charmap.Windows1252, "§", "7", false},
		"Western, quoted":      {charmap.Windows1252, "„Förderer“ – «Gönner»", "x", false},
		"Western, a question":  {charmap.Windows1252, "¿Socio fundador?", "x", false},
		"Mac, a last letter":   {charmap.Macintosh, "Suspendió", "x", true},
		"Mac, sharp s":         {charmap.Macintosh, "Entlaßen", "x", true},
		"Mac, a first letter":  {charmap.Macintosh, "Änderung", "x", true},
		"DOS, a first letter":  {charmap.CodePage850, "äußert", "x", true},
		"DOS, a last letter":   {charmap.CodePage850, "où", "x", true},
		"Central, first":       {charmap.Windows1250, "życzenie", "x", true},
		"Central, last":        {charmap.Windows1250, "odszedł", "x", true},
		"Western, not written": {charmap.Windows1252, "Größe ©", "", false},
	} {
		file, err := tt.set.NewEncoder().String("E-Mail;Vorname;" + tt.header + "\na@example.org;Zoé;" + tt.cell + "\n")
		if err != nil { // Windows-1251 has no é
			file, err = tt.set.NewEncoder().String("E-Mail;Vorname;" + tt.header + "\na@example.org;Zo;" + tt.cell + "\n")
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rep, err := p.imports(file, active)
		if err != nil || rep.Charset == "" || (len(rep.Unread) == 1) != tt.stops {
			t.Errorf("%s: read as %q, unread %q, %v; want it to stop: %v", name, rep.Charset, rep.Unread, err, tt.stops)
		}
		if tt.stops && name != "Arabic answer" && !strings.Contains(rep.Rows[0].Reason, "save it as “CSV UTF-8”, or import these people as pending") {
			t.Errorf("%s: %s; want the ways out", name, rep.Rows[0].Reason)
		}
		if rep, err := p.imports(file, subscribers.ImportOptions{DryRun: true}); err != nil || rep.Added != 1 {
			t.Errorf("%s, as pending: %+v, %v", name, rep, err)
		}
	}
}

// TestColumnsThatSayNothing: a word of consent in a column about something else stops no list; what may be a no all the same stops the
// active rows of one, also where a column of states says active.
func TestColumnsThatSayNothing(t *testing.T) {
	p := newPeople(t)
	for _, tt := range []struct{ headers, cells, stops string }{
		{"Unsubscribe link|Unsubscribe URL|Opt-Out-Link|Opt-in URL|Abmelde-Link", "https://x.example/u/1", ""},
		{"Bounces|Hard bounces|Hard bounce count|Number of complaints|Spam complaints", "0", "2"},
		{"Bounce rate|Soft bounce count|Soft bounces", "0|0.1|12 %|3", "siehe Akte"},
		{"Unsubscribe count|Unsubscribe source|Unsubscribe IP|Opt-out IP address|Abmeldequelle", "", "1"},
		{"Block|Block 3|Block/Flat", "C|12", "yes|x"},
		{"Mail block|Newsletter block|Block reason|Block date", "", "2024-05-03|spam"},
		{"Photo consent|Foto-Einwilligung|Treatment consent|SMS consent", "yes|no", ""},
		{"Email and SMS consent|Newsletter- und Fotoeinwilligung", "", "no|nein"},
		{"Einwilligungsgrund|Opt-in reason|Reden toestemming|Reason for consent|Motif du consentement|Newsletter Grund|Grund der Zustimmung", "Gewinnspiel|Webinar|beurs|2024-05-03", "withdrawn|no|abgemeldet am 3.4.2024"},
		{"Newsletter seit|Einwilligung seit|Consent date", "Mai 22|Q3/22", ""},
		{"Permission level|Consent source|Opt-in source|Opt-in Quelle|IP Opt-in|Opt-in-IP-Adresse|Consent IP Address|OPTIN_IP", "web|192.0.2.1", "withdrawn|no"},
		{"Mailing State|MailingState|Mailing State/Province|Contact country", "NE|NO|No Mans Land", ""},
		{"Above 18|Aboriginal|Aboard since|Abonos", "yes|no|ja", ""},
		{"Abotyp|Abozustand|Abo-Art", "Print|12", "gekündigt|abgemeldet|abgemeldet am 3.4.2024|kein Abo|keine E-Mails|unsubscribed"},
		{"Abo|Newsletter-Abo bei uns|Abos|Abobeginn|Abostatus alt", "", "nein"},
		{"Email language|Subscriber country|Email domain|Mail-Sprache|Newsletter Land|Langue", "NO|si.edu|NE|no", ""},
		{"Consent to track|Einwilligung Tracking|Fax consent|FaxOptOut|Telefax-Einwilligung", "Yes|No", ""},
		{"Consent (Halifax)|Halifax unsubscribed", "", "yes|no"},
		{"Consent to track email opens|Do not call or contact", "", "No"},
		{"OnePlus|Phone plus|Linodeseite|About", "yes|12", ""},
		{"Adopting family|Immunosuppressed|Resilience score|Coptic name", "yes|no|5", ""},
		{"ListSuppressed|List suppression|NewsletterOptInWeg|Vertrag resilié", "", "yes|siehe Akte"},
		{"Beschwerden|Chief complaint", "Hautausschlag|Acne", "reported us as spam|ja|2024-05-03"},
		{"Lead Status|Patron Status|Marital status|Zahlungsstatus", "NEW|Active patron|single|bezahlt", "Do not contact|Declined patron|unsubscribed"},
		{"Employment status|Insurance status|Student status|Relationship status|Visa status|Project status|Ticket status|Statut juridique", "retired|single|open|AOK|2024", "unsubscribed|keine Werbung"},
		{"ⓒⓞⓝⓢⓔⓝⓣⓧ", "", "no"},
		{"Confirmación del alta|Account now verified|Konto jetzt aktiviert", "ja|yes|J|t|✓|x|1|2024-05-03", "N|n|f|✗|☐|❌|0|nein|no|non|pending|noch nicht"},
		{"keine E-Mails mehr (ja/nein)", "nein", "2024-05-03|ja"},
		{"keine E-Mails mehr|Ne souhaite plus recevoir|No enviar correos|Former subscriber|Ex-subscriber|Subscription cancelled|Mail refused|No marketing|Not interested|Will keine Post|Objection|Ausgeschieden|Solicita baja", "", "2024-05-03|yes|x|1"},
		{"Darf angeschrieben werden|Lettre d'information|Acepta comunicaciones comerciales", "", "no|nein|0|nicht bestätigt"},
		{"No. of emails|No of newsletters|Empfehlung", "3|0", ""},
		{"Anmeldung nicht bestätigt|Confirmation pending|Account unverified|Bestätigung fehlt|Confirmation en attente", "2024-05-03", "ja|yes|nein|1"},
		{"Opmerking afmelding|Uitschrijfreden|Vermelding toestemming", "", "te veel mail"},
		{"Ontvangt nieuwsbrief|Aangemeld voor de nieuwsbrief", "3-5-2024", "nee|ja|niet meer|graag"},
		{"Order confirmed|Terminbestätigung|Age verified|Phone verified|Attendance confirmed|Purchase verified|Zahlung bestätigt", "no|nein|0|yes", ""},
		{"Verified buyer|Mobile verified|Student verified|Karte freigeschaltet|Print subscription|Gift subscription|Subscription auto-renew|Complimentary subscription|Stripe subscription", "no|nein|0|yes|true", ""},
		{"Bestätigung erhalten|Confirmation received|Bestätigungslink geklickt|Link bestätigt", "yes", "no|nein|N"},
		{"Confirm email address|E-Mail-Adresse bestätigen|Confirmed address", "a@example.org|ada22@example.org", ""},
		{"Bank verified|Device confirmed|IBAN bestätigt", "no|0|yes", ""},
		{"Verification|Verification (t/f)|Verified user|Adresse nun bestätigt|تأكيد الحساب", "yes", "no|N|0"},
		{"Print subscription and newsletter", "", "no|yes"},
		{"Confirmations sent|Number of confirmations", "0", ""},
		{"Account deactivated|Konto deaktiviert|Deaktivierungsgrund", "no|nein|0", "yes|1|2024-05-03|zu viele Mails"},
	} {
		for header := range strings.SplitSeq(tt.headers, "|") {
			for i, cells := range []string{tt.cells, tt.stops} {
				for cell := range strings.SplitSeq(cells, "|") {
					o := subscribers.ImportOptions{As: subscribers.Active, Because: "x", DryRun: true}
					rep, err := p.imports("E-Mail;"+header+"\na@example.org;"+cell+"\n", o)
					if want := i > 0 && cell != ""; err != nil || (len(rep.Unread) > 0) != want {
						t.Errorf("%s: %q: %q unread, %v, %v; want it to stop: %v", header, cell, rep.Unread, err, came(rep), want)
					}
					if i == 0 && !cmp.Equal(came(rep), []string{"active"}) {
						t.Errorf("%s: %q: %v, want it active", header, cell, came(rep))
					}
				}
			}
		}
	}
	for _, tt := range []struct{ header, cells, stops string }{
		{"Photo consent", "yes|no", ""},
		{"Lead Status|Zahlungsstatus|Attendee Status|Order status", "lost|canceled|storniert|Not attending|active", "Do not contact|unsubscribed|keine Werbung|abgemeldet"},
		{"Listenstatus|Global status", "aktiv|VIP|Subscribed", "abgemeldet|not subscribed|opted out"},
		{"Angemeldet am|created_at", "2024-05-03|1.2.2024 10:00|05/out/2023", "abgemeldet|unsubscribed 2024-05-03"},
		{"Subscription|Subscription to our letters", "weekly", "no|nein"},
		{"Subscription Status|Member status|Email Status|State|Abostatus", "active|VIP|Subscribed|enabled", "Canceled|inactive|disabled|Gekündigt|removed|Invalid|baja"},
		{"Member Status", "Non-member|Kein Mitglied|No", "No mailings|not subscribed|unsubscribed in May"},
		{"Contact Status|Email Status|Subscription status", "Lead|valid", "Not contacted|Not verified|no"},
		{"active_subscription|Paid subscription|Subscription plan", "no|false|0|yes|No plan", ""},
		{"Subscription", "weekly", "yes|no"},
	} {
		for header := range strings.SplitSeq(tt.header, "|") {
			for i, cells := range []string{tt.cells, tt.stops} {
				for cell := range strings.SplitSeq(cells, "|") {
					o := subscribers.ImportOptions{Because: "x", DryRun: true}
					rep, err := p.imports("Email;Status;"+header+"\na@example.org;active;"+cell+"\n", o)
					want := i > 0 && cell != ""
					if err != nil || rep.Suppressed > 0 || (len(rep.Unread) > 0) != want {
						t.Errorf("beside a state, %s: %q: %d gone, %q unread, %v; want none gone, and it to stop: %v", header, cell, rep.Suppressed, rep.Unread, err, want)
					}
					if rep, err := p.imports("Email;Status;"+header+"\na@example.org;;"+cell+"\n", subscribers.ImportOptions{DryRun: true}); want && (err != nil || rep.Pending != 1) {
						t.Errorf("beside a state, %s: %q, as pending: %+v, %v", header, cell, rep, err)
					}
				}
			}
		}
	}
}

// TestLoneState: the only column called some status is the state's where all of its cells are states.
func TestLoneState(t *testing.T) {
	p := newPeople(t)
	for file, want := range map[string][]string{
		"Email,Global Status\na1@example.org,Subscribed\nb1@example.org,Unsubscribed\nc1@example.org,\n":                                 {"active", "unsubscribed", "active"},
		"Email,Listenstatus,Lead Status\na2@example.org,aktiv,NEW\nb2@example.org,abgemeldet,\n":                                         {"active", "unsubscribed"},
		"Email,Global Status,Status of list\na3@example.org,Subscribed,Subscribed\nb3@example.org,Unsubscribed,Subscribed\n":             nil,
		"Email,Global Status\na4@example.org,Subscribed\nb4@example.org,Former\n":                                                        nil,
		"Email,Zahlungsstatus\na5@example.org,storniert\nb5@example.org,canceled\n":                                                      nil,
		"Email,Zahlungsstatus,Unsubscribed\na6@example.org,active,no\nb6@example.org,active,yes\n":                                       {"active", "unsubscribed"},
		"Email,Global Status,Opt-in Zeitstempel\na7@example.org,Subscribed,2024-05-03\nb7@example.org,,\nc7@example.org,Unsubscribed,\n": {"active", "pending", "unsubscribed"},
	} {
		rep, err := p.imports(file, subscribers.ImportOptions{As: subscribers.Active, Because: "x", DryRun: true})
		if want == nil && len(rep.Unread) == 0 || want != nil && !cmp.Equal(came(rep), want) || err != nil {
			t.Errorf("%s%v, %q unread, %v; want %v", file, came(rep), rep.Unread, err, want)
		}
	}
}

// TestConsentOfServices: the columns of other services' files are understood, or say nothing of consent, so that none of them stops.
func TestConsentOfServices(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		want []string
	}{
		"listmonk": {"uuid,email,name,attributes,status,created_at,updated_at\n1,a@example.org,A,{},enabled,2026-01-01,2026-01-01\n2,b@example.org,B,{},blocklisted,2026-01-01,2026-01-01\n", []string{"active", "suppressed"}},
		"Mailchimp": {"Email Address,First Name,Last Name,Address,Phone Number,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS\n" +
			"a@example.org,A,B,,,2,2024-05-03 10:00:00,192.0.2.1,,192.0.2.1,1,2,1,2,Europe/Berlin,DE,BE,2024-05-03 10:00:00,1,abc,,\n", []string{"active"}},
		"Mailchimp with questions of its own": {"Email Address,MEMBER_RATING,LEID,EUID,Einwilligungstext\na@example.org,2,1,abc,Formular\n", []string{"active"}},
		"Substack": {"Email,Name,Stripe plan,Cancel date,Start date,Paid upgrade date,Emails received (6mo),Emails dropped (6mo),Emails opened (6mo),Subscription source (free),Days active (30d),Activity,Type,active_subscription,expiry,plan,email_disabled,digest_enabled,created_at\n" +
			"a@example.org,A,,2024-01-01,2024-01-01,,3,0,3,web,3,5,Author,false,,other,false,false,2024-01-01T00:00:00Z\n" +
			"b@example.org,B,,,2024-01-01,,3,0,3,web,3,5,Author,true,,other,true,false,2024-01-01T00:00:00Z\n", []string{"active", "unsubscribed"}},
		"Ghost": {"id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n1,a@example.org,A,,true,false,,2024-01-01T00:00:00.000Z,,,Bronze\n" +
			"2,b@example.org,B,,false,true,,2024-01-01T00:00:00.000Z,,,Bronze\n", []string{"active", "unsubscribed"}},
		"Kit": {"First Name,Email,Subscriber ID,Subscriber State,Created At,Referrer,IP address,Tags\nA,a@example.org,7,active,2024-01-01 10:00:00 UTC,web,192.0.2.1,\nB,b@example.org,8,cancelled,2024-01-01 10:00:00 UTC,web,192.0.2.1,\n", []string{"active", "unsubscribed"}},
		"Buttondown": {"id,email,notes,metadata,tags,referrer_url,subscriber_type,source,creation_date,utm_campaign,churn_date,unsubscription_date,unsubscription_reason,undeliverability_date,undeliverability_reason,last_open_date,email_open_rate,risk_score,ip_address\n" +
			"1,a@example.org,,{},,https://x.example,regular,embed,2024-01-01,,2024-02-01,,,,,2024-01-01,0.5,1,192.0.2.1\n2,b@example.org,,{},,,unsubscribed,embed,2024-01-01,,,2024-01-02,too long,,,,,,\n", []string{"active", "unsubscribed"}},
		"MailerLite": {"Subscriber,Sent,Opens,Clicks,Subscribed,Location,Status,optin_ip,opted_in_at,subscribed_at,unsubscribed_at,Groups,Rating\na@example.org,5,3,1,2024-01-01 10:00:00,Berlin,Active,192.0.2.1,2024-01-01 10:00:00,2024-01-01 10:00:00,,x,3\n" +
			"b@example.org,5,3,1,2024-01-01 10:00:00,Berlin,Unsubscribed,192.0.2.1,2024-01-01 10:00:00,2024-01-01 10:00:00,2024-02-01 10:00:00,x,3\n", []string{"active", "unsubscribed"}},
		"beehiiv": {"email,subscription_id,status,tier,premium_tiers,created_at,acquisition_source,utm_source,referring_site,referral_code,total_unique_opened,click_rate,unsubscribed_at\n" +
			"a@example.org,s1,active,free,,2024-01-01T00:00:00Z,web,,,,5,0.1,\nb@example.org,s2,inactive,free,,2024-01-01T00:00:00Z,web,,,,5,0.1,2024-02-01T00:00:00Z\n", []string{"active", "unsubscribed"}},
		"Squarespace": {"Email Address,First Name,Last Name,Subscribed On,Accepts Marketing,Mailing Lists,Subscriber Since,Subscriber Source,Customer Since,Order Count,Total Spent,Has Account,Shipping Address,Shipping City,Shipping Country,Tags\n" +
			"a@example.org,A,B,2024-01-01,Yes,News,2024-01-01,Form,,0,0,No,1 Street,Ulm,DE,\nb@example.org,A,B,2024-01-01,No,News,2024-01-01,Form,,0,0,No,1 Street,Ulm,NO,\n", []string{"active", "unsubscribed"}},
		"Constant Contact": {
			"Email address,First name,Last name,Company,Job title,Email status,Email permission status,Email update source,Confirmed Opt-Out Date,Confirmed Opt-Out Source,Confirmed Opt-Out Reason,Phone - home,City - Home,State/Province - Home,Country - Home,Email Lists,Source Name,Created At,Updated At\n" +
				"a@example.org,A,,,,Active,Implied,Contact,,,,,Ulm,NE,NO,General Interest,Sign-up form,2024-01-01 10:00:00,2024-01-01 10:00:00\n" +
				"b@example.org,B,,,,Unsubscribed,Express,Account,2024-05-03,Contact,No longer interested,,,,,General Interest,,,\n" +
				"c@example.org,C,,,,Awaiting confirmation,Not set,Contact,,,,,,,,,,,\nd@example.org,D,,,,No permissions set,,Contact,,,,,,,,,,,\ne@example.org,E,,,,,,,,,,,,,,,,,\n",
			[]string{"active", "unsubscribed", "pending", "pending", "pending"},
		},
		"Brevo": {"CONTACT ID,EMAIL,FIRSTNAME,LASTNAME,SMS,WHATSAPP,DOUBLE_OPT-IN,OPT_IN,ADDED_TIME,MODIFIED_TIME\n1,a@example.org,A,B,,,Yes,Yes,01-01-2024,01-01-2024\n" +
			"2,b@example.org,A,B,,,No,Yes,01-01-2024,01-01-2024\n3,c@example.org,A,B,,,,No,01-01-2024,01-01-2024\n4,d@example.org,A,B,,,,,01-01-2024,01-01-2024\n", []string{"active", "pending", "unsubscribed", "pending"}},
		"Campaign Monitor": {"Name,Email Address,Date Subscribed,Consent to track,Country\nA,a@example.org,2024-05-03,No,NO\nB,b@example.org,2024-05-03,Yes,\n", []string{"active", "active"}},
		"HubSpot": {"Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Lifecycle Stage,Create Date,Last Activity Date,Unsubscribed from all email,Opted out of email: Marketing Information,Opted out of email: One to One,Marketing emails delivered,Marketing emails opened,Marketing emails clicked,Marketing emails bounced,Email hard bounce reason,Email Domain,Email Address Quarantined,Country/Region,Preferred language\n" +
			"1,A,A,a@example.org,,Jo Doe,NEW,lead,2024-01-01 10:00,2024-01-01 10:00,false,No,,3,1,0,0,,si.edu,false,NO,no\n" +
			"2,B,B,b@example.org,,Jo Doe,NEW,lead,2024-01-01 10:00,,true,Yes,Yes,3,1,0,0,,example.org,false,DE,de\n" +
			"3,C,C,c@example.org,,Jo Doe,NEW,lead,2024-01-01 10:00,,,,,3,1,0,1,UNKNOWN_USER,example.org,true,DE,de\n", []string{"active", "unsubscribed", "bounced"}},
		"Salesforce": {"First Name,Last Name,Email,Email Opt Out,Fax Opt Out,Do Not Call,Mailing Street,Mailing City,Mailing State/Province,Mailing Zip/Postal Code,Mailing Country,Lead Source,Email Bounced Reason,Email Bounced Date,Contact Owner\n" +
			"A,A,a@example.org,0,1,1,No. 12 Quay Street,Omaha,NE,68102,NO,Web,,,Jo Doe\nB,B,b@example.org,1,0,0,,,,,,,,,Jo Doe\nC,C,c@example.org,0,0,0,,,,,,,550 no such user,1/2/2024,Jo Doe\n", []string{"active", "unsubscribed", "bounced"}},
		"Eventbrite": {"Order #,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Order Type,Total Paid,Attendee Status,Billing Country\n1,2024-01-01,A,A,a@example.org,1,Early bird,Free Order,0,Attending,NO\n", []string{"active"}},
		"Shopify": {"Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address City,Default Address Province Code,Default Address Country Code,Phone,Accepts SMS Marketing,Accepts WhatsApp Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags\n" +
			"1,A,A,a@example.org,yes,,Omaha,NE,NO,,no,no,0.00,0,,no,vip\n2,B,B,b@example.org,no,,Omaha,NE,US,,yes,yes,0.00,0,,no,\n", []string{"active", "unsubscribed"}},
		"WooCommerce": {"Name,Username,Last active,Sign up,Email,Orders,Total spend,AOV,Country / Region,City,Region,Postal code\nA,a,2024-01-01,2024-01-01,a@example.org,0,0,0,NO,Oslo,,\n", []string{"active"}},
		"a German sheet": {"Anrede;Titel;Vorname;Nachname;E-Mail;Telefon;Straße;PLZ;Ort;Land;Geburtstag;Mitglied seit;Newsletter;Einwilligung am;Bemerkung\n" +
			"Frau;Dr.;A;A;a@example.org;;Neustraße 1;89073;Ulm;NO;1.2.1980;2019;ja;3.4.2024;nein, kein Fleisch\n;;B;B;b@example.org;;;;;;;;nein;;\n;;C;C;c@example.org;;;;;;;;;;\n;;D;D;d@example.org;;;;;;;;ja;widerrufen am 3.5.2024;\n", []string{"active", "unsubscribed", "pending", "unsubscribed"}},
		"a French sheet": {"Civilité;Nom;Prénom;Adresse e-mail;Téléphone;Ville;Pays;N° adhérent;Cotisation payée;Newsletter;Désinscrit le\n" +
			"Mme;A;A;a@example.org;;Lyon;FR;12;non;oui;\nM.;B;B;b@example.org;;Lyon;FR;13;oui;non;\nM.;C;C;c@example.org;;Lyon;FR;14;oui;oui;03/05/2024\n", []string{"active", "unsubscribed", "unsubscribed"}},
		"a Spanish sheet": {"Nombre;Apellidos;Correo electrónico;Teléfono;Ciudad;Estado;País;Nº socio;Cuota pagada;Boletín;Fecha de baja\n" +
			"A;A;a@example.org;;Guadalajara;Jalisco;México;12;no;;\nB;B;b@example.org;;Tijuana;Baja California;México;13;sí;;3/5/2024\n", []string{"active", "unsubscribed"}},
		"a Dutch sheet": {"Voornaam;Tussenvoegsel;Achternaam;E-mailadres;Telefoon;Straat;Postcode;Plaats;Land;Lid sinds;Contributie betaald;Nieuwsbrief;Afgemeld op\n" +
			"A;van;A;a@example.org;;Dorpsstraat 1;1234 AB;Delft;NL;2019;nee;ja;\nB;;B;b@example.org;;;;;;;;nee;\nC;;C;c@example.org;;;;;;;;ja;3-5-2024\n", []string{"active", "unsubscribed", "unsubscribed"}},
	} {
		p := newPeople(t)
		rep, err := p.imports(tt.file, subscribers.ImportOptions{As: subscribers.Active, Because: "x"})
		if diff := cmp.Diff(tt.want, came(rep)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		for i, state := range tt.want {
			p.wantGets(skin, string(rune('a'+i))+"@example.org", state == "active", name)
		}
	}
}

// TestConsentOfTheSuppressed: a list of who may not be mailed stays one, whatever its columns of consent say; a state of theirs wins.
func TestConsentOfTheSuppressed(t *testing.T) {
	p := newPeople(t)
	o := subscribers.ImportOptions{As: subscribers.Suppressed, Because: "asked by phone"}
	file := "email,status,Newsletter,Confirmed\na@example.org,,yes,\nb@example.org,,,\nc@example.org,,no,\nd@example.org,active,yes,yes\ne@example.org,,,no\n"
	if _, err := p.imports(file, o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a suppressed", "b suppressed", "c unsubscribed", "d active", "e suppressed"}, p.states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestColumnsThatDisagree: of two columns the one counts that says no, whichever the state's is.
func TestColumnsThatDisagree(t *testing.T) {
	for file, want := range map[string][]string{
		"email,activated,deactivated\na@example.org,0,0\nb@example.org,1,0\nc@example.org,1,1\n":                                                           {"pending", "active", "unsubscribed"},
		"Email,Status,Subscription Status\na@x.example,Active,Unsubscribed\nb@x.example,Active,Subscribed\nc@x.example,,Pending\nd@x.example,Active,VIP\n": {"unsubscribed", "active", "pending", "active"},
		"Email,Status,Email Status\na@x.example,,Complaint\nb@x.example,,Blacklisted\nc@x.example,active,Cleaned\n":                                        {"complained", "suppressed", "bounced"},
		"E-Mail;Status;Anmeldestatus\na@x.example;aktiv;abgemeldet\nb@x.example;aktiv;aktiv\n":                                                             {"unsubscribed", "active"},
		"Email,Status,State\na@x.example,Active,NE\nb@x.example,Active,NO\nc@x.example,Active,unsubscribed\n":                                              {"active", "active", "unsubscribed"},
		"Email,Status,Email Status,Subscribed\na@x.example,active,bounced,2024-05-03\nb@x.example,complained,active,2024-05-03\n":                          {"bounced", "complained"},
	} {
		p := newPeople(t)
		rep, err := p.imports(file, onWord)
		if diff := cmp.Diff(want, came(rep)); diff != "" || err != nil || len(rep.Unread) > 0 {
			t.Errorf("%s%v, %q unread (-want +got):\n%s", file, err, rep.Unread, diff)
		}
	}
}

// TestConsentTwice: two columns of the same name, as it is folded, are both heeded.
func TestConsentTwice(t *testing.T) {
	p := newPeople(t)
	if _, err := p.imports("email,Opt-out,opt out\na@example.org,no,yes\nb@example.org,yes,no\n", onWord); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a unsubscribed", "b unsubscribed"}, p.states()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestFieldsOfOurOwnFilesSayNothing: what a column said when somebody came in goes out again as a field, and they may have come back since.
func TestFieldsOfOurOwnFilesSayNothing(t *testing.T) {
	p, to := newPeople(t), newPeople(t)
	file := "E-Mail;Gekündigt;Confirmed;Unsub note\nback@example.org;ja;;too long\nleft@example.org;ja;;\nasked@example.org;;no;\nin@example.org;;yes;\n"
	if _, err := p.imports(file, onWord); err != nil {
		t.Fatal(err)
	}
	p.active(skin, "back@example.org")
	p.active(skin, "asked@example.org")
	if _, err := p.imports("email,attributes\nfb@example.org,\"{\"\"marketing\"\": \"\"fb\"\"}\"\n", subscribers.ImportOptions{As: subscribers.Active, Because: "x"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"asked active", "back active", "fb active", "in active", "left unsubscribed"}
	if diff := cmp.Diff(want, p.states()); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	rep, err := to.imports(p.export(skin), onWord)
	if err != nil || len(rep.Unread) > 0 {
		t.Fatalf("import of the export: %v, %q unread", err, rep.Unread)
	}
	if diff := cmp.Diff(want, to.states()); diff != "" {
		t.Errorf("imported elsewhere (-want +got):\n%s", diff)
	}
	if rep, err := p.imports(p.export(skin), onWord); err != nil || rep.Unchanged != 5 {
		t.Errorf("imported here again: %+v, %v; want nothing changed", rep.ImportReport, err)
	}
	if diff := cmp.Diff(want, p.states()); diff != "" {
		t.Errorf("imported here again (-want +got):\n%s", diff)
	}
}

// TestNobodyWhoSaidNoComesAsActive has every way to say no in every column that asks for a yes, and every yes in those of who left, under
// names that have words around them: whoever it is doesn't come as active, be it since they are known to be gone or not to have
// confirmed, since their row is refused, or since the column stops all of them.
func TestNobodyWhoSaidNoComesAsActive(t *testing.T) {
	const (
		here = "Opt-in|Consent|Einwilligung|Einverständnis|Zustimmung|Newsletter|Abo|Verteiler|Mailing|Subscription|Subscribed|Permission|Toestemming|Nieuwsbrief|Consentement|Consentimiento|" +
			"Suscrito|Abonné|Inscrit|Angemeldet|Aangemeld|Confirmed|Bestätigt|Verified|DOI|Double opt-in|Aktiviert|Activated|Bevestigd|موافقة|Email Marketing|Anmeldung bestätigt|Inscription confirmée|Confirmación del alta|Konto jetzt aktiviert"
		no = "no|nein|nee|non|لا|unsubscribed|abgemeldet|afgemeld|Désabonné|baja|widerrufen|withdrawn|opted out|nicht bestätigt|not confirmed|unconfirmed|pending|ausstehend|nein danke|no, thanks|" +
			"widerrufen am 3.4.2024|abgemeldet 2024-05-03|not subscribed|keine Werbung|stop|niet meer|geen mail|jamais|nunca|dado de baja|bounced|blocked|n|N|f|✗|0"
		gone = "Opt-out|Unsubscribed|Abgemeldet|Abmeldung|Widerruf|Gekündigt|Désinscrit|Désabonnement|Baja|Dado de baja|Afgemeld|Uitgeschreven|Opgezegd|Gesperrt|Blocked|Bounced|Do not email|Unzustellbar|" +
			"Deaktiviert|Consent withdrawn|Einwilligung widerrufen|Toestemming ingetrokken|Unconfirmed|Nicht bestätigt|إلغاء الاشتراك"
		yes = "yes|ja|oui|sí|نعم|x|TRUE|WAHR|waar|2024-05-03|3.5.2024"
	)
	p := newPeople(t)
	for _, tt := range []struct{ headers, around, cells string }{
		{here, "%s|Newsletter %s|%s status|%s am|%s date|%s at|E-Mail %s|%s (ja/nein)|Is_%s", no},
		{gone, "%s|Newsletter %s|%s status|%s am|%s date|%s at|E-Mail %s|%s (ja/nein)|%s op|%s Grund", yes},
	} {
		arounds, cells := strings.Split(tt.around, "|"), strings.Split(tt.cells, "|")
		for n, header := range strings.Split(tt.headers, "|") {
			for i := range 2 { // of what stands around it, others for each
				p.wantNoneActive(strings.Replace(arounds[(2*n+i)%len(arounds)], "%s", header, 1), cells)
			}
		}
	}
}

// wantNoneActive imports people of whom each has one of cells in a column of their own, all of the same name but for the points behind it, and
// wants their own cell to keep each from coming as active: that of somebody else, which stops all of a file, may not be there.
func (p *people) wantNoneActive(name string, cells []string) {
	p.Helper()
	file := "E-Mail"
	var names []string
	for i := range cells {
		names = append(names, name+strings.Repeat(".", i))
		file += ";" + names[i]
	}
	for i, cell := range cells {
		file += fmt.Sprintf("\nr%d@example.org;%s%s", i, strings.Repeat(";", i), cell)
	}
	rep, err := p.imports(file+"\n", subscribers.ImportOptions{As: subscribers.Active, Because: "x", DryRun: true})
	if err != nil || len(rep.Rows) != len(cells) {
		p.Fatalf("%s: %v", name, err)
	}
	for i, state := range came(rep) {
		row := rep.Rows[i]
		others := row.Outcome == subscribers.OutcomeRefused && row.Column != names[i] && !slices.Contains(rep.Unread, names[i])
		if state == "active" || others {
			p.Errorf("%s: %s alone would come as active", name, cells[i])
		}
	}
}
