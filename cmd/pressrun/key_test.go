package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"pressrun/subscribers"
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

// A rotation ends while another command is about to begin: the one rotates the file as it is by then, and who would send or answer links
// by the older copy doesn't start.
func TestARotationMeanwhile(t *testing.T) {
	trial := newTrial(t)
	a := &app{in: strings.NewReader(""), out: io.Discard, err: io.Discard, now: time.Now, config: "pressrun.toml"}
	open := func() *site {
		s, err := a.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	rotates, starts := open(), open()
	trial.run("key", "rotate")
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	if err := a.rotateKey(cmd, rotates); err != nil {
		t.Errorf("rotate after a rotation: %v", err)
	}
	if text, err := os.ReadFile("pressrun.key"); err != nil || strings.Count(string(text), "\n") != 3 {
		t.Errorf("the key file after two rotations: %v, %d lines; want 3", err, strings.Count(string(text), "\n"))
	}
	trial.run("series", "list")
	_, stop, err := starts.startWorker(context.WithoutCancel(t.Context()))
	if err == nil {
		err = stop()
	}
	if !errors.Is(err, subscribers.ErrOldKey) {
		t.Errorf("start with the key of before: %v, want ErrOldKey", err)
	}
	trial.run("key", "rotate") // nobody holds the lock
}

// What a rotation that was killed left behind has every secret in it: it is gone with the next one, and no second name is ever used.
func TestRotationLeavesNoSecretsBehind(t *testing.T) {
	trial := newTrial(t)
	if err := os.WriteFile("pressrun.key.new", []byte("what a crash left"), 0o644); err != nil {
		t.Fatal(err)
	}
	trial.run("key", "rotate")
	left, err := filepath.Glob("*pressrun.key*")
	hidden, also := filepath.Glob(".*pressrun.key*")
	if left = append(left, hidden...); errors.Join(err, also) != nil || len(left) != 1 {
		t.Errorf("beside the key file stand %q, want nothing", left)
	}
	if info, err := os.Stat("pressrun.key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v; want it for its owner alone", info, err)
	}
}
