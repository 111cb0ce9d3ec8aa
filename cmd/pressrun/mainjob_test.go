package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pressrun/newsletter/outbox"
)

// TestMainJob is the product once, by its commands and its pages: own text files become a series, are previewed, go to a real SMTP server
// from serve, one reader leaves by the link in the mail, and the next issue leaves that person out.
func TestMainJob(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example", "ben@reader.example")
	site.run("preview", "bread", "--out", "preview")
	site.contains("preview/message.txt", "A warm oven", "Ask before you change a recipe")

	stop := site.serve()
	if said := site.run("issue", "send", "bread", "--yes"); !strings.Contains(said, "A running pressrun sends from this database") {
		t.Errorf("issue send beside serve doesn't say who delivers: %s", said)
	}
	first := site.await(2)
	if err := site.try("run-due", "--now", "2099-03-31T09:00"); !errors.Is(err, outbox.ErrRunning) {
		t.Errorf("run-due --now beside serve: got %v, want %v", err, outbox.ErrRunning)
	}
	link := leaveLink(t, first[0].Data)
	site.inert(link)
	site.leaveByOneClick(link)
	site.run("issue", "send", "bread", "--yes")
	site.await(3)
	stop()

	all := site.server.Messages()
	if len(all) != 3 {
		t.Fatalf("the server took %d messages, want 3: two of the first issue, one of the second", len(all))
	}
	if all[2].To == first[0].To {
		t.Errorf("%s left and got the next issue all the same", all[2].To)
	}
	if !bytes.Contains(all[2].Data, []byte("Bread and the slow rise")) {
		t.Errorf("the second issue isn't the second article:\n%s", all[2].Data)
	}
}
