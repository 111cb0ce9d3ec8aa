package main

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pressrun/subscribers/store"
)

var mailLinks = regexp.MustCompile(`https?://[^\s<>"')]+`)

// TestCrawlOfALetter follows every link of a letter that was sent, and of the pages behind them, by GET and HEAD, twice, as scanners
// and previews do: nobody has come or left by that.
func TestCrawlOfALetter(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example")
	stop := site.serve()
	defer stop()
	site.run("subscriber", "add", "bread", "ben@reader.example", "--yes") // a confirmation
	site.await(1)
	site.run("issue", "send", "bread", "--yes")
	mails := site.await(2)
	before := peopleOf(t)
	for range 2 {
		seen := map[string]bool{}
		for _, m := range mails {
			body, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(m.Data)))
			if err != nil {
				t.Fatal(err)
			}
			site.crawl(mailLinks.FindAllString(string(m.Data)+string(body), -1), seen)
		}
		if len(seen) < 6 {
			t.Fatalf("found only %d links: %v", len(seen), seen)
		}
	}
	if after := peopleOf(t); after != before {
		t.Errorf("looking changed the database:\nbefore\n%s\nafter\n%s", before, after)
	}
}

var pageLinks = regexp.MustCompile(`(?:href|action|src)="(/[^"]*)"`)

// crawl asks for links of this site, and for those on their pages.
func (s *trial) crawl(todo []string, seen map[string]bool) {
	s.t.Helper()
	for len(todo) > 0 {
		link := todo[0]
		todo = todo[1:]
		if seen[link] || !strings.HasPrefix(link, s.base) {
			continue
		}
		seen[link] = true
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			req, err := http.NewRequestWithContext(s.t.Context(), method, link, nil)
			if err != nil {
				s.t.Fatalf("%s: %v", link, err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				s.t.Fatal(err)
			}
			page, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode >= http.StatusInternalServerError {
				s.t.Errorf("%s %s: %s, %v", method, link, res.Status, err)
			}
			for _, found := range pageLinks.FindAllStringSubmatch(string(page), -1) {
				todo = append(todo, s.base+found[1])
			}
		}
	}
}

// peopleOf is all that the database has of people: every table but those that the scheduler and the sender write by themselves.
func peopleOf(t *testing.T) string {
	t.Helper()
	db, err := store.Open(t.Context(), "pressrun.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	for _, table := range column(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`) {
		if slices.Contains([]string{"instance", "slots", "issues", "deliveries", "notices"}, table) {
			continue
		}
		columns := column(t, db, fmt.Sprintf(`SELECT 'quote("' || name || '")' FROM pragma_table_info('%s')`, table))
		fmt.Fprintf(&all, "== %s\n%s\n", table, strings.Join(column(t, db,
			fmt.Sprintf(`SELECT %s FROM "%s" ORDER BY 1`, strings.Join(columns, ` || ' ' || `), table)), "\n"))
	}
	return all.String()
}

func column(t *testing.T, db *store.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}
