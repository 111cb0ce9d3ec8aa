package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestStartAgainByTheLetter presses the button of the page behind a letter that was sent, three times: the next letter is the first one
// again, and the program says why.
func TestStartAgainByTheLetter(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example")
	site.run("series", "set", "bread", "--mode", "drip")
	site.run("run-due", "--now", "2099-03-31T09:00:00Z")
	site.run("run-due", "--now", "2099-04-07T09:00:00Z")
	mails := site.await(2)
	page := strings.Replace(leaveLink(t, mails[0].Data), "/u/", "/preferences/", 1)
	stop := site.serve()
	for range 3 {
		res, err := http.PostForm(page, url.Values{"wish": {"again"}, "series": {"bread"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("start again: got %s (%v), want 200", res.Status, err)
		}
	}
	stop()
	for command, wants := range map[string][]string{
		"explain": {"a-warm-oven", "  14  ", "They started again", "(cycle 2)"},
		"show":    {", in cycle 2 since 20", "restarted"},
	} {
		out := site.run("subscriber", command, "ada@reader.example")
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("subscriber %s lacks %q:\n%s", command, want, out)
			}
		}
		if n := strings.Count(out, "restarted"); n > 1 {
			t.Errorf("three presses are %d cycles:\n%s", n, out)
		}
	}
	site.run("run-due", "--now", "2099-04-14T09:00:00Z")
	mails = site.await(3)
	for i, title := range []string{"A warm oven", "Bread and the slow rise", "A warm oven"} {
		if !strings.Contains(string(mails[i].Data), "Subject: "+title) {
			t.Errorf("letter %d is not “%s”:\n%.400s", i+1, title, mails[i].Data)
		}
	}
}
