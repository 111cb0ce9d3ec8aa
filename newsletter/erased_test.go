package newsletter_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pressrun/newsletter"
	"pressrun/newsletter/mailer/smtptest"
	"pressrun/newsletter/series"
	"pressrun/subscribers"
	"pressrun/subscribers/store"
)

// life is what a test has done to and by one person, with all of whose names and words to find afterwards.
type life struct {
	*world
	server *smtptest.Server
	words  []string
}

// says has the person's word remembered.
func (l *life) says(word string) string {
	l.words = append(l.words, word)
	return word
}

var freshLink = regexp.MustCompile(`8080/(?:mine|address|c)/([a-z2-7]+)`)

// linkTo is the token in the newest mail that an address got.
func (l *life) linkTo(email string) string {
	l.t.Helper()
	all := l.server.Messages()
	for i := len(all) - 1; i >= 0; i-- {
		plain := bytes.ReplaceAll(all[i].Data, []byte("=\r\n"), nil)
		if found := freshLink.FindSubmatch(plain); found != nil && all[i].To == email {
			return string(found[1])
		}
	}
	l.t.Fatalf("no link went to %s", email)
	return ""
}

// mine has a fresh link mailed and returns its token.
func (l *life) mine(email string, deliver func()) string {
	l.t.Helper()
	l.check("ask for a link", l.p.AskMine(l.ctx, email, "en", l.how()))
	l.check("forms", l.p.TakeRequests(l.ctx))
	deliver()
	return l.linkTo(email)
}

func (l *life) how() subscribers.Evidence {
	return subscribers.Evidence{IP: l.says("203.0.113.77"), Agent: l.says("Brass/1.0"), Form: "https://" + l.says("blog.marylebone.example") + "/"}
}

// found are the words that stand in files.
func found(t *testing.T, words []string, paths ...string) (all []string) {
	t.Helper()
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		low := bytes.ToLower(content)
		for _, word := range words {
			if at := bytes.Index(low, []byte(strings.ToLower(word))); at >= 0 {
				all = append(all, fmt.Sprintf("%s in %s: %q", word, filepath.Base(path), content[max(0, at-30):min(len(content), at+30)]))
			}
		}
	}
	return all
}

// TestErasedNowhere has somebody live through every kind of event, erases them by their own link, and looks for their addresses, names and
// words in every file beside the database, the log and the journal among them, and in a backup. A stranger whose address they once typed
// is gone as well.
func TestErasedNowhere(t *testing.T) {
	w := newWorld(t)
	w.check("bind", subscribers.BindKey(w.ctx, w.db, w.key))
	_, err := w.people.KeepJournal(w.ctx, w.db)
	w.check("journal", err)
	l := &life{world: w, server: smtptest.New(t)}
	skin, gut := w.series("skin", series.Change{}), w.series("gut", series.Change{})
	w.articles(skin, "one", "two", "three", "four", "five", "six", "seven", "eight")
	w.articles(gut, "bread")
	w.enrol(skin, "ben")

	old, moved := l.says("ada.lovelace")+"@old.example", l.says("augusta.king")+"@new.example"
	stranger, waiting := l.says("babbage")+"@third.example", l.says("somerville")+"@fourth.example"
	worker := w.start(smtp(l.server))
	deliver := func() { w.check("drain", worker.Drain(w.ctx)) }

	// They are imported, then ask for more, confirm, and write a name.
	file := "email,name,city\n" + old + "," + l.says("Countess Ada") + "," + l.says("Torquay") + "\n"
	_, err = w.people.Import(w.ctx, w.db, strings.NewReader(file), subscribers.ImportOptions{
		SeriesID: skin.ID, File: "readers.csv", As: subscribers.Active, Because: "they signed a form",
	})
	w.check("import", err)
	w.check("subscribe", w.subscribe(newsletter.Signup{Series: []string{"gut"}, Email: old, Name: "Countess Ada", Evidence: l.how()}))
	deliver()
	_, err = w.p.Confirm(w.ctx, l.linkTo(old), l.how())
	w.check("confirm", err)

	// Letters come, are put off and refused, by relays that name them.
	for n, reply := range []string{
		"", "452 4.2.2 the mailbox of Countess Ada (ada.lovelace) is full", "552 5.2.2 ada.lovelace@old.example is over quota, ADA.LOVELACE",
		"554 5.7.1 message for ada.lovelace refused as spam",
	} {
		if reply != "" {
			l.server.At("RCPT " + old).Reply(reply).Times(1)
		}
		w.run(tuesday(n + 1))
		deliver()
	}

	// They ask for what is known, name a stranger's address as theirs, and move to one that is.
	manage := l.mine(old, deliver)
	for _, to := range []string{stranger, moved} {
		_, err = w.p.AskAddress(w.ctx, manage, to, "en", l.how())
		w.check("ask for a new address", err)
		deliver()
	}
	w.check("move", w.p.ChangeAddress(w.ctx, l.linkTo(moved), l.how()))
	deliver()

	// They leave a series, say why, undo it and leave again; an owner has a word to say, twice.
	person, err := subscribers.ByEmail(w.ctx, w.db, moved)
	w.check("find", err)
	leave := w.key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: person.ID, SeriesID: gut.ID})
	w.check("leave", w.p.Unsubscribe(w.ctx, leave, false, l.how()))
	w.check("say why", w.p.SayWhy(w.ctx, leave, "other", l.says("the analytical engine calls")))
	w.check("undo", w.p.UndoUnsubscribe(w.ctx, leave, l.how()))
	w.check("leave", w.p.Unsubscribe(w.ctx, leave, false, l.how()))
	for _, email := range []string{old, moved} {
		w.tx("suppress", func(tx *store.Tx) error {
			return w.people.Suppress(w.ctx, tx, email, gut.ID, "manual", l.says("Lady Byron wrote to us"))
		})
	}
	w.check("pause", w.p.Prefer(w.ctx, w.key.Seal(subscribers.Token{Purpose: subscribers.PurposeUnsubscribe, SubscriberID: person.ID, SeriesID: skin.ID}),
		newsletter.Wish{Verb: "pause", Series: "skin", Until: "2027-06-01"}, l.how()))

	// While a mail to one more address waits, they are erased, and somebody reads meanwhile.
	w.clock.set(tuesday(5))
	manage = l.mine(moved, deliver)
	w.check("close", worker.Close())
	_, err = w.p.AskAddress(w.ctx, manage, waiting, "en", l.how())
	w.check("ask for a new address", err)
	if len(found(t, l.words, w.db.Path(), w.db.Path()+"-wal")) < 10 {
		t.Fatal("hardly a word of them was ever in the files, so that nothing is shown")
	}
	w.check("read", w.db.Snapshot(w.ctx, func(q store.Querier) error {
		var n int
		if err := q.QueryRow(w.ctx, `SELECT count(*) FROM subscribers`).Scan(&n); err != nil {
			return err
		}
		return w.p.EraseMine(w.ctx, manage)
	}))
	w.run(tuesday(5).Add(time.Minute))

	worker = w.start(smtp(l.server))
	deliver()
	w.check("close", worker.Close())
	for _, m := range l.server.Messages() {
		if m.To == waiting {
			t.Error("a mail went out for somebody who was erased before")
		}
	}
	backup := filepath.Join(filepath.Dir(w.db.Path()), "backup.db")
	w.check("backup", w.db.Backup(w.ctx, backup))
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(w.db.Path()), "*"))
	w.check("files", err)
	if len(paths) < 4 {
		t.Errorf("files: %q, want the database, its log, the journal and the backup at least", paths)
	}
	for _, word := range found(t, l.words, paths...) {
		t.Error(word)
	}
}
