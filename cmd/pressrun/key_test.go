package main

import (
	"strings"
	"testing"
)

// TestLinksOfBeforeARotation sends a letter before and one after the key is rotated: who presses the link in either is out.
func TestLinksOfBeforeARotation(t *testing.T) {
	site := newTrial(t)
	site.bread("ada@reader.example", "ben@reader.example")
	stop := site.serve()
	site.run("issue", "send", "bread", "--yes")
	old := site.await(2)[0]
	if beside := site.try("key", "rotate"); beside == nil || !strings.Contains(beside.Error(), "another pressrun sends") {
		t.Errorf("rotate beside serve: %v, want it refused", beside)
	}
	stop()

	site.run("key", "rotate")
	stop = site.serve()
	site.leaveByOneClick(leaveLink(t, old.Data))
	site.run("issue", "send", "bread", "--yes")
	site.await(3)
	stop()
	all := site.server.Messages()
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
