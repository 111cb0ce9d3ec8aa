package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// again presses the button of a page behind the letters of bread.
func (s *trial) again(page string, times int) {
	s.t.Helper()
	stop := s.serve()
	defer stop()
	for range times {
		res, err := http.PostForm(page, url.Values{"wish": {"again"}, "series": {"bread"}})
		if err != nil {
			s.t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			s.t.Fatalf("start again: got %s (%v), want 200", res.Status, err)
		}
	}
}

// TestSettleNamesWhoStartedAgain: the command says whom it can't send a lost letter once more, and what to do.
func TestSettleNamesWhoStartedAgain(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example")
	site.run("series", "set", "bread", "--mode", "drip")
	site.run("run-due", "--now", "2099-03-31T09:00:00Z")
	page := strings.Replace(leaveLink(t, site.await(1)[0].Data), "/u/", "/preferences/", 1)
	site.server.At("content").Drop(false).Times(1)
	site.run("run-due", "--now", "2099-04-07T09:00:00Z")
	site.again(page, 1)
	var issue string
	for line := range strings.Lines(site.run("issue", "list")) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], "bread/2099-04-07T09:00/") {
			issue = f[0]
		}
	}
	var errs bytes.Buffer
	if err := run(t.Context(), []string{"issue", "settle", issue, "--as", "again", "--yes"}, strings.NewReader(""), io.Discard, &errs); err != nil {
		t.Fatal(err)
	}
	want := "not sent again: 1, since who it is for has started the series again and gets the article in its turn. " +
		"To count the rest as sent: pressrun issue settle " + issue + " --as sent\ndeliveries changed: 0\n"
	if !strings.Contains(errs.String(), want) {
		t.Errorf("got %s\nwant in it: %s", errs.String(), want)
	}
}

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
	site.again(page, 3)
	for command, wants := range map[string][]string{
		"explain": {"a-warm-oven", "  14  ", "They started again", "(cycle 2)"},
		"show":    {", in cycle 2 since 20", "restarted", "CYCLE"},
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
	rows := map[string]bool{}
	for line := range strings.Lines(site.run("subscriber", "show", "ada@reader.example")) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "a-warm-oven" {
			rows[f[2]+" "+f[3]] = true
		}
	}
	if !rows["1 sent"] || !rows["2 sent"] {
		t.Errorf("the letters of an article by their cycles: got %v, want one of each", rows)
	}
	for i, title := range []string{"A warm oven", "Bread and the slow rise", "A warm oven"} {
		if !strings.Contains(string(mails[i].Data), "Subject: "+title) {
			t.Errorf("letter %d is not “%s”:\n%.400s", i+1, title, mails[i].Data)
		}
	}
}
