package desk_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter/series"
	"pressrun/newsletter/web/desk"
	"pressrun/newsletter/web/webtest"
	"pressrun/subscribers/store"
)

// change presses a button and follows it to the page it leads to.
func (o *office) change(t *testing.T, c *http.Cookie, verb, name string, form url.Values) webtest.Answer {
	t.Helper()
	a := o.post(t, c, "/desk/"+verb+"/"+name, form)
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%s %s: got %d:\n%s", verb, name, a.Status, a.Body)
	}
	return o.get(t, c, a.Header.Get("Location"))
}

// TestSettleWhoStartedAgain: the page says whom a lost letter can't go to once more.
func TestSettleWhoStartedAgain(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	issue := o.Send(t, skin)
	o.InTx(t, func(tx *store.Tx) error {
		for _, query := range []string{
			`UPDATE deliveries SET state = 'uncertain', dated = 1, hash = 'h', message_id = 'm' WHERE kind = 'issue'`,
			`UPDATE enrolments SET cycle = 2, cycle_since = 2`, // which is started again by the readers' page
		} {
			if _, err := tx.Exec(t.Context(), query); err != nil {
				return err
			}
		}
		return nil
	})
	wants(t, "settle what can't go", o.change(t, c, "settle", issue, url.Values{"as": {"again"}}), 200, "Those who have started the series again since", "uncertain")
}

func TestIssueButtons(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	issue := o.Send(t, skin)
	page := o.get(t, c, "/desk/issue/"+issue)
	wants(t, "issue", page, 200, "Water", "sending", "0 of 1 sent", `<iframe class="letter" sandbox src="/desk/issue/`+issue+`?view=letter"`, "for good")
	wants(t, "paused", o.change(t, c, "pause", issue, nil), 200, "it goes on where it stopped", "by mara@example.org", `action="/desk/resume/`+issue+`"`)
	wants(t, "resumed", o.change(t, c, "resume", issue, nil), 200, "It goes on.")
	wants(t, "nothing to try again", o.change(t, c, "retry", issue, nil), 200, "None of the failed ones")
	again := o.post(t, c, "/desk/resume/"+issue, nil)
	wants(t, "resumed twice", again, 409, "That is not possible now", "sending")
	wants(t, "settle", o.change(t, c, "settle", issue, url.Values{"as": {"sent"}}), 200, "Counted as sent")
	wants(t, "cancelled", o.change(t, c, "cancel", issue, nil), 200, "Cancelled.", "cancelled")
	wants(t, "settle as something", o.post(t, c, "/desk/settle/"+issue, url.Values{"as": {"lost"}}), 400)
	wants(t, "no such issue", o.get(t, c, "/desk/issue/skin/2030-01-01T00:00"), 404)
	wants(t, "hold no issue", o.post(t, c, "/desk/hold/none/2030-01-01T00:00", nil), 404)
}

// A slot that has not fired is shown as it is planned, with the buttons that do something, and no others.
func TestPlannedSlot(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	for slot, text := range map[string]string{"skin/2027-03-02T09:00": "Water", "skin/2027-03-09T09:00": "Sleep"} {
		page := o.get(t, c, "/desk/issue/"+slot)
		wants(t, slot, page, 200, "<h1>"+text+"</h1>", "planned", "1 reader gets it at its time.", `action="/desk/hold/`+slot+`"`,
			`src="/desk/article/skin-`, "As its issue would be today")
		for _, no := range []string{"No issue yet", "nobody to send to", "for good", "/desk/cancel/"} {
			if strings.Contains(page.Body, no) {
				t.Errorf("%s: the page says %q:\n%s", slot, no, page.Body)
			}
		}
	}
	far := "skin/2029-03-06T09:00"
	wants(t, "without an article", o.get(t, c, "/desk/issue/"+far), 200, "<h1>No article</h1>", "0 readers", "No ready article is left")
	o.change(t, c, "hold", far, nil)
	wants(t, "held", o.get(t, c, "/desk/issue/"+far), 200, "held", `action="/desk/release/`+far+`"`)
	wants(t, "cancel what is not made", o.post(t, c, "/desk/cancel/"+far, nil), 409, "pressrun series skip skin 2029-03-06")
	wants(t, "no slot", o.get(t, c, "/desk/issue/skin/2027-03-03T09:00"), 404)
}

// A slot that is held without an issue can be cancelled too: it is skipped.
func TestCancelHeldSlot(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water")
	o.AddReader(t, skin, "ada@example.org")
	o.InTx(t, func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE articles SET state = 'draft'`)
		return err
	})
	o.Pass(24 * time.Hour)
	if _, err := o.Publisher.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := o.signIn(t, "mara@example.org", desk.Editor)
	slot := "skin/2027-03-02T09:00"
	wants(t, "held", o.get(t, c, "/desk/"), 200, "Needs a decision", `action="/desk/cancel/`+slot+`"`)
	wants(t, "cancelled", o.change(t, c, "cancel", slot, nil), 200, "Cancelled.", "Nothing is being sent")
	wants(t, "its page", o.get(t, c, "/desk/issue/"+slot), 200, "skipped", "by mara@example.org")
	wants(t, "again", o.post(t, c, "/desk/cancel/"+slot, nil), 409, "the slot is skipped")
	wants(t, "hold it", o.post(t, c, "/desk/hold/"+slot, nil), 409, "the slot is skipped")
}

// What an editor holds has its buttons for as long as the series waits behind it.
func TestAHeldSlotStaysOnTheOverview(t *testing.T) {
	for _, held := range []bool{true, false} {
		o := open(t)
		skin := o.AddSeries(t, "skin", "Water")
		o.AddReader(t, skin, "ada@example.org")
		o.InTx(t, func(tx *store.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE articles SET state = 'draft'`)
			return err
		})
		slot := "skin/2027-03-02T09:00"
		if held {
			o.change(t, o.signIn(t, "mara@example.org", desk.Editor), "hold", slot, nil)
		}
		o.Pass(24 * time.Hour)
		if _, err := o.Publisher.RunDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.Pass(100 * 24 * time.Hour)
		page := o.get(t, o.signIn(t, "mara@example.org", desk.Editor), "/desk/")
		if shown := strings.Contains(page.Body, `action="/desk/release/`+slot+`"`); shown != held {
			t.Errorf("on hold %t: got its button %t", held, shown)
		}
	}
}

func TestHoldComingSlot(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	slot := "skin/2027-03-02T09:00"
	held := o.change(t, c, "hold", slot, nil)
	wants(t, "held", held, 200, "Held: nothing of it leaves", `action="/desk/release/`+slot+`"`, "by mara@example.org")
	o.Pass(24 * time.Hour)
	if _, err := o.Publisher.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = o.signIn(t, "mara@example.org", desk.Editor)
	wants(t, "at its time", o.get(t, c, "/desk/"), 200, "Needs a decision", "Water", `action="/desk/release/`+slot+`"`)
	wants(t, "released", o.change(t, c, "release", slot, nil), 200, "Released.", "sending")
}

// TestReleaseWaitsForAnImport says on the page what is in the way, and that nothing was sent.
func TestReleaseWaitsForAnImport(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	slot := "skin/2027-03-02T09:00"
	o.change(t, c, "hold", slot, nil)
	o.Pass(24 * time.Hour)
	if _, err := o.Publisher.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := o.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO imports (series_id, sum, terms, begun, accepted, touched, failed)
			VALUES (?1, '', '{"file": "people.csv"}', ?2, ?2, ?2, 'no room on the disk')`, skin.ID, o.Now().UnixMilli())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c = o.signIn(t, "mara@example.org", desk.Editor)
	wants(t, "release", o.post(t, c, "/desk/release/"+slot, nil), 409,
		"It waits for an import", "people.csv", "no room on the disk", "pressrun subscriber import skin people.csv --forget", "Nothing was sent")
}

func TestLetterFrame(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water", "Sleep")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Viewer)
	issue := o.Send(t, skin)
	for path, text := range map[string]string{"/desk/issue/" + issue + "?view=letter": "Water", "/desk/article/skin-2/letter": "Sleep"} {
		a := o.get(t, c, path)
		wants(t, path, a, 200, text, webtest.Disclaimer)
		if policy := a.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox; ") || a.Header.Get("X-Frame-Options") != "SAMEORIGIN" {
			t.Errorf("%s: got policy %q, frame options %q", path, policy, a.Header.Get("X-Frame-Options"))
		}
		if strings.Contains(a.Body, "ada@example.org") {
			t.Errorf("%s: a reader's address is in the letter", path)
		}
	}
	wants(t, "article", o.get(t, c, "/desk/article/skin-2"), 200, "Sleep", "ready", `src="/desk/article/skin-2/letter?view=desktop"`)
	for view, want := range map[string]string{
		"phone": `class="letter phone"`, "dark": `letter?view=dark"`, "pictures_off": `letter?view=pictures_off"`, "nonsense": `class="letter desktop"`,
		"text": "=====\n", "source": "Content-Transfer-Encoding: quoted-printable",
	} {
		wants(t, view, o.get(t, c, "/desk/article/skin-2?view="+view), 200, want, `aria-current="page"`)
	}
	wants(t, "dark", o.get(t, c, "/desk/article/skin-2/letter?view=dark"), 200, "color-scheme:dark!important", "@media (min-width:0)")
	wants(t, "without pictures", o.get(t, c, "/desk/article/skin-2/letter?view=pictures_off"), 200, "img-src 'none'")
	wants(t, "what preflight says of it", o.get(t, c, "/desk/article/skin-2"), 200, "Preflight", "<b>to look at:</b> The article has 6 words.")
	wants(t, "no article", o.get(t, c, "/desk/article/none"), 404)
}

// A label of the table that no page leads to, or a name that is markup, stays harmless.
func TestNaughtyNames(t *testing.T) {
	o := open(t)
	c := o.signIn(t, "mara@example.org", desk.Owner)
	naughty := `"><script>alert(1)</script>{{.Env}}`
	var skin series.Series
	o.InTx(t, func(tx *store.Tx) (err error) {
		skin, err = series.Add(t.Context(), tx, "skin", series.Change{
			Title: &naughty, FromName: new("Mara"), FromEmail: new("mara@harbour.example"), PostalAddress: new("12 Quay Street"),
			Zone: new("Europe/London"), Disclaimer: new(webtest.Disclaimer), Schedule: []string{"0 9 * * 2"},
		}, o.Now())
		if err != nil {
			return err
		}
		_, err = series.ImportArticles(t.Context(), tx, skin.ID, []series.Incoming{{Slug: "skin-1", Text: series.Text{
			Title: naughty, Markdown: naughty + "\n\n[x](javascript:alert(1)) <img src=x onerror=alert(1)>",
		}}}, series.ImportOptions{Ready: true}, o.Now())
		return err
	})
	o.AddReader(t, skin, "ada@example.org")
	issue := o.Send(t, skin)
	for _, path := range []string{"/desk/", "/desk/series/skin", "/desk/article/skin-1", "/desk/article/skin-1/letter", "/desk/issue/" + issue, "/desk/issue/" + issue + "?view=letter"} {
		body := o.get(t, c, path).Body
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: %s survived:\n%s", path, bad, body)
			}
		}
	}
}

// What came back by mail is shown among the counts, where something did.
func TestIssueReturned(t *testing.T) {
	o := open(t)
	skin := o.AddSeries(t, "skin", "Water")
	o.AddReader(t, skin, "ada@example.org")
	c := o.signIn(t, "mara@example.org", desk.Editor)
	issue := o.Send(t, skin)
	if page := o.get(t, c, "/desk/issue/"+issue); strings.Contains(page.Body, "came back") {
		t.Errorf("nothing did:\n%s", page.Body)
	}
	err := o.DB.InTx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO bounces (delivery_id, issue_id, subscriber_id, series_id, kind, report, class, code, enhanced, said, heard)
			SELECT id, issue_id, subscriber_id, series_id, 'bounced', 'r', 'dead', 550, '5.1.1', '', 1 FROM deliveries WHERE issue_id IS NOT NULL`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "came back", o.get(t, c, "/desk/issue/"+issue), 200, `<dt>came back</dt><dd data-count="bounced">1</dd>`)
}
