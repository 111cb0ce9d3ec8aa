package main

import (
	"strings"
	"testing"

	"pressrun/newsletter/mailer/smtptest"
)

// TestLinksOfBeforeARotation sends a letter before and one after the key is rotated: who presses the link in either is out.
func TestLinksOfBeforeARotation(t *testing.T) {
	server := smtptest.New(t)
	taken := make(chan struct{}, 16)
	server.At("content").Call(func() { taken <- struct{}{} })
	site := newTrial(t, server)
	site.run("series", "add", "bread", "--title", "Bread letters", "--from", "The Baker <letters@bakery.example>",
		"--postal-address", "3 Mill Lane, Oatley", "--disclaimer", "Please note: Ask before you change a recipe for somebody with an allergy.",
		"--schedule", "tuesdays 09:00")
	site.run("article", "import", "bread", "articles", "--ready")
	for _, who := range []string{"ada@reader.example", "ben@reader.example"} {
		site.run("subscriber", "add", "bread", who, "--confirmed", "--because", "asked in the shop")
	}
	stop := site.serve()
	site.run("issue", "send", "bread", "--yes")
	<-taken
	<-taken
	if beside := site.try("key", "rotate"); beside == nil || !strings.Contains(beside.Error(), "another pressrun sends") {
		t.Errorf("rotate beside serve: %v, want it refused", beside)
	}
	stop()

	site.run("key", "rotate")
	stop = site.serve()
	old := server.Messages()[0]
	site.leaveByOneClick(leaveLink(t, old.Data))
	site.run("issue", "send", "bread", "--yes")
	<-taken
	stop()
	all := server.Messages()
	if len(all) != 3 || all[2].To == old.To {
		t.Fatalf("after the rotation %d messages were sent, the last to %s; want one, not to %s who left", len(all)-2, all[len(all)-1].To, old.To)
	}
	stop = site.serve()
	site.leaveByOneClick(leaveLink(t, all[2].Data))
	stop()
	for _, who := range []string{"ada@reader.example", "ben@reader.example"} {
		if shown := site.run("subscriber", "show", who); !strings.Contains(shown, who+">: ended") {
			t.Errorf("%s didn't leave by the link in their letter:\n%s", who, shown)
		}
	}
}
