package newsletter_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pressrun/newsletter"
	"pressrun/newsletter/importer"
	"pressrun/newsletter/series"
	"pressrun/subscribers/store"
	"pressrun/subscribers/store/storetest"
)

var errTakenBack = errors.New("taken back")

// sync makes a series what a folder holds; a plan is taken back.
func (w *world) sync(s series.Series, dir string, plan bool) (done newsletter.Synced) {
	w.t.Helper()
	looked, err := series.Articles(w.ctx, w.db, s.ID)
	w.check("articles", err)
	found, err := importer.ReadBeside(looked, dir)
	w.check("read", err)
	for _, p := range found.Problems {
		if p.Fatal {
			w.t.Fatalf("read: %v", p)
		}
	}
	w.check("check", errors.Join(series.CheckSync(w.ctx, w.db, s.ID, found.Articles)...))
	err = w.db.InTx(w.ctx, func(tx *store.Tx) error {
		if done, err = w.p.SyncIn(w.ctx, tx, s, looked, found.Articles); err == nil && plan {
			err = errTakenBack
		}
		return err
	})
	if !plan || !errors.Is(err, errTakenBack) {
		w.check("sync", err)
	}
	if !plan {
		w.check("skip", w.p.SkipCancelled(w.ctx))
	}
	return done
}

// export writes a series into a new folder.
func (w *world) export(s series.Series, dir string) {
	w.t.Helper()
	articles, err := series.Articles(w.ctx, w.db, s.ID)
	w.check("articles", err)
	_, err = importer.Export(dir, articles, func(hash string) (series.Picture, error) { return series.PictureByHash(w.ctx, w.db, hash) })
	w.check("export", err)
}

// changes are what a sync does, in short: "two withdrawn 1>1 past=0 lacking=0 before=0 cancelled=2".
func changes(done newsletter.Synced) []string {
	short := []string{}
	for _, x := range done.Articles {
		if x.Same() {
			continue
		}
		line := x.Article.Slug + " " + string(x.Article.State)
		for _, n := range []struct {
			name string
			n    int64
		}{{"past", x.Past}, {"lacking", x.Lacking}, {"before", x.Passage.Before}, {"cancelled", x.Cancelled}} {
			if n.n > 0 {
				line += fmt.Sprintf(" %s=%d", n.name, n.n)
			}
		}
		for _, open := range x.Open {
			line += fmt.Sprintf(" %s %s", open.Issue, open.State)
		}
		if !x.Lack.Issued.IsZero() {
			line += " issued"
		}
		if x.Lack.Broken {
			line += fmt.Sprintf(" broken off, without it=%d", x.Lack.Readers)
		}
		short = append(short, line)
	}
	return short
}

func sends(slots []newsletter.Planned) []string {
	short := []string{}
	for _, row := range slots {
		short = append(short, fmt.Sprintf("%s %d", row.Article, row.Readers))
	}
	return short
}

// file finds the export's file of an article.
func file(t *testing.T, dir, slug string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*-"+slug+".md"))
	if err != nil || len(found) != 1 {
		t.Fatalf("file of %s: %v, %v", slug, found, err)
	}
	return found[0]
}

// edit replaces a text of a file once.
func edit(t *testing.T, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), from) {
		t.Fatalf("%s has no %q (%v):\n%s", file, from, err, b)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSyncWithdrawsInMidSend: what was handed over stays, the rest is cancelled, the plan says so before, and nothing of the folder sends.
func TestSyncWithdrawsInMidSend(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada", "bob")
	w.run(monday)
	w.run(tuesday(1))
	dir := t.TempDir()
	w.export(s, dir)
	if err := os.Remove(file(t, dir, "one")); err != nil {
		t.Fatal(err)
	}
	want := []string{"one withdrawn cancelled=2 " + "skin/" + wall(1) + " sending"}
	plan := w.sync(s, dir, true)
	equal(t, "plan", changes(plan), want)
	equal(t, "issue after the plan", []string{w.issue("skin/" + wall(1))}, []string{"sending pending=2"})
	done := w.sync(s, dir, false)
	equal(t, "sync", changes(done), want)
	equal(t, "issue", []string{w.issue("skin/" + wall(1))}, []string{"cancelled skipped=2"})
	equal(t, "next slots", sends(done.After), []string{"two 2", "three 2", " 0", " 0"})
	equal(t, "again", changes(w.sync(s, dir, true)), []string{})
	if err := os.WriteFile(filepath.Join(dir, "01-one.md"), []byte("---\ntitle: About one\nslug: one\nweight: 1\n---\n\nText."), 0o644); err != nil {
		t.Fatal(err)
	}
	equal(t, "back", changes(w.sync(s, dir, false)), []string{"one ready before=2"}) // nobody had it: it is next
}

// TestSyncSaysWhoIsPast: in a drip series each reader is past a place or before it; those past skip what comes there, also what comes back.
func TestSyncSaysWhoIsPast(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{Mode: ptr(series.Drip)})
	w.articles(s, "one", "two", "three", "four")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	w.run(tuesday(2))
	w.enrol(s, "bob")
	w.run(tuesday(3)) // ada had three, bob one
	w.deliver(&moody{})
	w.clock.set(tuesday(3).Add(time.Hour))
	dir := t.TempDir()
	w.export(s, dir)
	two := file(t, dir, "two")
	kept, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "01b-new.md"), []byte("---\ntitle: New\nweight: 1\n---\n\nText."), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	before, err := w.p.NextSlots(w.ctx, w.db, s)
	w.check("next slots", err)
	equal(t, "slots before", sends(before)[:2], []string{"two 2", "three 1"})
	done := w.sync(s, dir, false)
	equal(t, "sync", changes(done), []string{"two withdrawn", "new ready past=1 lacking=1 before=1"})
	equal(t, "slots after", sends(done.After)[:2], []string{"new 2", "three 1"})
	if err := os.WriteFile(two, kept, 0o644); err != nil {
		t.Fatal(err)
	}
	equal(t, "back", changes(w.sync(s, dir, false)), []string{"two ready past=1 before=1"})
	edit(t, two, "weight: 2", "weight: 9")
	equal(t, "moved", changes(w.sync(s, dir, false)), []string{"two ready before=2"})
}

// TestSyncOfWhatWasIssued: an article of a live series that had its issue is nobody's next, wherever it goes; a new text of what is held or
// sent does not reach that issue.
func TestSyncOfWhatWasIssued(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.articles(s, "one", "two", "three")
	w.enrol(s, "ada")
	w.run(monday)
	w.run(tuesday(1))
	dir := t.TempDir()
	w.export(s, dir)
	edit(t, file(t, dir, "one"), "A few words", "Other words")
	edit(t, file(t, dir, "two"), "weight: 2", "weight: 2\ndraft: true")
	done := w.sync(s, dir, false)
	equal(t, "sync", changes(done), []string{"one ready skin/" + wall(1) + " sending", "two draft"})
	equal(t, "issue", []string{w.issue("skin/" + wall(1))}, []string{"sending pending=1"})
	equal(t, "slots after", sends(done.After)[:2], []string{"two 1", "three 1"})
	if done.After[0].Blocked == "" {
		t.Error("a draft at the head is in nobody's way, want it to hold the slot")
	}
	edit(t, file(t, dir, "one"), "weight: 1", "weight: 9")
	equal(t, "moved", changes(w.sync(s, dir, false)), []string{"one ready skin/" + wall(1) + " sending issued"})
}

// odd are articles with a value for each key of front matter, and with what no front matter likes.
func odd() (all []series.Incoming) {
	for i, title := range []string{"007", "“a”: 'b' \"c\" # d", "- yes", "null", "{x: [y]}", "&a *b !c %d @e", "النوم", "---", "2027-03-30", "x\u00a0\\n"} {
		text := series.Text{
			Title: title, Subject: title, Preheader: "p: " + title, Description: title + " and more", Markdown: "    code\n\n---\n\n# " + title + "\n\n+++\n\nPlease note: this.",
			Disclaimer: "Mind: " + title + "\nand \"that\".", DisclaimerMode: []string{"add", "replace"}[i%2], Date: "2027-03-30", Meta: map[string]string{
				"series": "skin", "tags": `["sea","moon"]`, "image": "gone.jpg", "image_alt": "x", "image_caption": "y: z", "sources": `["A book, https://example.org"]`,
				"reviewed_by": "Dr. Ellison", "review_by": "2028-03-14", "odd key": title, "nested": `{"deep":[1,2.5]}`, "toc": "true", "number": "1e3",
			},
		}
		all = append(all, series.Incoming{Slug: "odd-" + itoa(i), Draft: i%3 == 0, Text: text})
	}
	return append(all, series.Incoming{Slug: "blank", Draft: true, Text: series.Text{Title: "Blank"}})
}

// TestSyncOfAnExportIsNothing: whatever a series holds, its export is what it holds.
func TestSyncOfAnExportIsNothing(t *testing.T) {
	t.Run("odd", func(t *testing.T) { syncExport(t, odd()) })
	sources, err := filepath.Glob("importer/testdata/elsewhere/*")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no exports of other programs: %v, %v", sources, err)
	}
	for _, path := range append(sources, "../cmd/pressrun/samples", "render/testdata/source") {
		t.Run(path, func(t *testing.T) {
			found, err := importer.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			syncExport(t, found.Articles)
		})
	}
}

// syncExport brings articles into a series, withdraws each fourth, exports them and syncs the export.
func syncExport(t *testing.T, in []series.Incoming) {
	t.Helper()
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	w.importArticles(s, in...)
	for i := 1; i < len(in); i += 4 {
		w.article(in[i].Slug, series.Withdraw)
	}
	for range 2 {
		dir := t.TempDir()
		w.export(s, dir)
		equal(t, "sync of the export", changes(w.sync(s, dir, false)), []string{})
	}
	articles, err := series.Articles(w.ctx, w.db, s.ID)
	w.check("articles", err)
	for i, a := range articles {
		equal(t, "article", []string{a.Slug, fmt.Sprint(a.State == series.Withdrawn), fmt.Sprint(a.Revision)}, []string{in[i].Slug, fmt.Sprint(i%4 == 1), "1"})
	}
}

// TestSyncOfAChain: a folder that its labels order stays in order when texts are taken out of it, at its begin, side by side, and at its end.
func TestSyncOfAChain(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	dir := t.TempDir()
	w.check("copy", os.CopyFS(dir, os.DirFS("../cmd/pressrun/samples")))
	if n := len(changes(w.sync(s, dir, false))); n != 9 {
		t.Fatalf("got %d articles, want 9", n)
	}
	for _, gone := range []struct {
		files []string
		want  []string
	}{
		{[]string{"sleep.txt"}, []string{"sleep-begins-in-the-morning withdrawn"}},
		{[]string{"stress.txt", "food-diary.txt"}, []string{"when-stress-wont-stay-in-the-head withdrawn", "a-food-diary-without-the-fuss withdrawn"}},
		{[]string{"listening-to-your-skin.txt", "movement.txt"}, []string{"listening-to-your-skin withdrawn", "movement-for-people-who-dont-exercise withdrawn"}},
	} {
		for _, name := range gone.files {
			w.check("remove", os.Remove(filepath.Join(dir, name)))
		}
		equal(t, fmt.Sprint("without ", gone.files), changes(w.sync(s, dir, false)), gone.want)
		equal(t, "again", changes(w.sync(s, dir, true)), []string{})
	}
}

// dot writes a picture of one colour.
func dot(t *testing.T, name string, c color.Color) {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, 20, 10))
	draw.Draw(p, p.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), png.Encode(&b, p), os.WriteFile(name, b.Bytes(), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// TestSyncOfPictures: two articles call two pictures the same, so the export gives one another name, and back it is no change. A picture
// that is another one is.
func TestSyncOfPictures(t *testing.T) {
	w := newWorld(t)
	s := w.series("skin", series.Change{})
	dir := t.TempDir()
	red, blue := color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 0, 200, 255}
	for i, c := range []color.Color{red, blue} {
		name := itoa(i + 1)
		dot(t, filepath.Join(dir, name, "img/dot.png"), c)
		text := "---\ntitle: Number " + name + "\nslug: n" + name + "\nimage: img/dot.png\n---\n\nWords, and ![a dot](img/dot.png \"Dot\")."
		if err := os.WriteFile(filepath.Join(dir, name, name+".md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "sync", changes(w.sync(s, dir, false)), []string{"n1 ready", "n2 ready"})
	out := t.TempDir()
	w.export(s, out)
	if b, err := os.ReadFile(file(t, out, "n2")); err != nil || !strings.Contains(string(b), "](pictures/") {
		t.Fatalf("the second picture keeps its name (%v):\n%s", err, b)
	}
	for _, folder := range []string{out, dir} {
		equal(t, "sync of the same", changes(w.sync(s, folder, true)), []string{})
	}
	edit(t, file(t, out, "n2"), "Words", "Other words")
	dot(t, filepath.Join(out, "img/dot.png"), color.NRGBA{0, 200, 0, 255})
	var changed []string
	for _, x := range w.sync(s, out, false).Articles {
		changed = append(changed, x.Article.Slug+" "+strings.Join(x.Changed, " "))
	}
	equal(t, "changed", changed, []string{"n1 pictures", "n2 text"})
	equal(t, "again", changes(w.sync(s, out, true)), []string{})
}

// folder is what a drawn history of a folder has in it: front matter and text by file.
type folder map[string]string

func (f folder) write(t *rapid.T, dir string) {
	old, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range old {
		err = errors.Join(err, os.Remove(name))
	}
	for name, content := range f {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// step edits one file at random.
func (f folder) step(t *rapid.T) {
	slug := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "slug")
	var files []string
	for name, content := range f {
		if strings.Contains(content, "\nslug: "+slug+"\n") {
			files = append(files, name)
		}
	}
	for _, name := range files { // gone, or renamed and written anew
		delete(f, name)
	}
	if rapid.IntRange(0, 4).Draw(t, "gone") == 0 && len(f) > 0 {
		return
	}
	front := fmt.Sprintf("---\ntitle: %s\nslug: %s\nweight: %d\n", rapid.SampledFrom([]string{"One", "Two", "\"3\""}).Draw(t, "title"), slug,
		rapid.IntRange(1, 6).Draw(t, "weight"))
	front += rapid.SampledFrom([]string{"", "", "", "draft: true\n", "withdrawn: true\n", "subject: S\n", "disclaimer: Mind them.\n", "tags: [a, b]\n", "mood: good\n"}).Draw(t, "more")
	text := rapid.SampledFrom([]string{"Some text.", "Another text.", "    code\n\n- list", "# Head\n\nText."}).Draw(t, "text")
	f[rapid.StringMatching(`[a-z]{3}`).Draw(t, "file")+"-"+slug+".md"] = front + "---\n\n" + text + "\n"
}

// meaning is what a folder says of articles, without what is withdrawn, which a folder may leave out.
func meaning(t tester, dir string) (all []series.Incoming) {
	found, err := importer.Read(dir)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	for _, in := range found.Articles {
		if !in.Withdrawn {
			in.Source, in.Line = "", 0
			all = append(all, in)
		}
	}
	return all
}

// TestSyncOfAnyFolder: after a sync the series is what the folder says, a second one finds nothing, a plan changes nothing and says
// what the sync then does, and no delivery is ever made by it.
func TestSyncOfAnyFolder(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := worldOn(rt, storetest.Open(t, newsletter.Migrate))
		s := w.series("skin", series.Change{Mode: ptr(rapid.SampledFrom([]series.Mode{series.Live, series.Drip}).Draw(rt, "mode"))})
		w.enrol(s, "ada", "bob")
		w.run(monday)
		dir, base := filepath.Join(t.TempDir(), "folder"), t.TempDir()
		if err := os.Mkdir(dir, 0o755); err != nil {
			rt.Fatal(err)
		}
		f := folder{}
		for step := range 8 {
			for range rapid.IntRange(1, 4).Draw(rt, "edits") {
				f.step(rt)
			}
			f.write(rt, dir)
			before := w.everything(s)
			plan := w.sync(s, dir, true)
			if now := w.everything(s); fmt.Sprint(now) != fmt.Sprint(before) {
				rt.Fatalf("a plan changed\n%v into\n%v", before, now)
			}
			done := w.sync(s, dir, false)
			if diff := cmp.Diff(changes(plan), changes(done)); diff != "" {
				rt.Fatalf("sync (-planned +done):\n%s", diff)
			}
			if again := changes(w.sync(s, dir, true)); len(again) > 0 {
				rt.Fatalf("a second sync would do: %v", again)
			}
			out := filepath.Join(base, fmt.Sprint(step))
			w.export(s, out)
			if diff := cmp.Diff(meaning(rt, dir), meaning(rt, out)); diff != "" {
				rt.Fatalf("export (-folder +export):\n%s", diff)
			}
			if again := changes(w.sync(s, out, true)); len(again) > 0 {
				rt.Fatalf("a sync of the export would do: %v", again)
			}
			after := w.everything(s)
			if after.rows > before.rows || after.waiting > before.waiting {
				rt.Fatalf("deliveries: %+v before the sync, %+v after it", before, after)
			}
			w.run(tuesday(1).Add(time.Duration(step) * 7 * 24 * time.Hour))
		}
	})
}

// state is what of a site a sync may touch, and what it must not.
type state struct {
	articles      []string
	rows, waiting int64
}

func (w *world) everything(s series.Series) (st state) {
	w.t.Helper()
	articles, err := series.Articles(w.ctx, w.db, s.ID)
	w.check("articles", err)
	for _, a := range articles {
		st.articles = append(st.articles, fmt.Sprint(a.Slug, a.Rank, a.State, a.Revision, a.Placed, a.Updated, slices.Sorted(maps.Keys(a.Meta)), a.Title, a.Markdown))
	}
	w.check("deliveries", w.db.QueryRow(w.ctx, `SELECT count(*), coalesce(sum(state = 'pending'), 0) FROM deliveries`).Scan(&st.rows, &st.waiting))
	return st
}
