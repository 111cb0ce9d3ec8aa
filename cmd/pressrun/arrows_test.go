package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// order lists our packages from the program down to what knows nothing of the others. A package imports only packages below it.
var order = []string{
	"pressrun/cmd/pressrun",
	"pressrun/newsletter/web/public",
	"pressrun/newsletter/web/desk",
	"pressrun/newsletter/web/webtest",
	"pressrun/newsletter/web",
	"pressrun/newsletter",
	"pressrun/newsletter/importer",
	"pressrun/newsletter/fetch",
	"pressrun/newsletter/outbox",
	"pressrun/newsletter/mailbox/mailboxtest",
	"pressrun/newsletter/mailbox",
	"pressrun/newsletter/bounce",
	"pressrun/newsletter/pace",
	"pressrun/newsletter/render",
	"pressrun/newsletter/mailer/catcher",
	"pressrun/newsletter/mailer/smtptest",
	"pressrun/newsletter/mailer",
	"pressrun/newsletter/series",
	"pressrun/newsletter/ics",
	"pressrun/subscribers",
	"pressrun/templates",
	"pressrun/subscribers/store/storetest",
	"pressrun/subscribers/store",
}

// apart are pairs that must not know each other although one stands above the other: content and people meet in a delivery only.
var apart = [][2]string{
	{"pressrun/newsletter/series", "pressrun/subscribers"},
	{"pressrun/newsletter/render", "pressrun/newsletter/series"},
	{"pressrun/newsletter/render", "pressrun/subscribers/store"},
	{"pressrun/newsletter/mailer", "pressrun/newsletter/series"},
	{"pressrun/newsletter/mailer", "pressrun/subscribers"},
	{"pressrun/newsletter/outbox", "pressrun/newsletter/render"},
	{"pressrun/newsletter/importer", "pressrun/newsletter/outbox"},
}

// TestArrows keeps imports pointing down.
func TestArrows(t *testing.T) {
	for pkg, imports := range ourImports(t) {
		from := slices.Index(order, pkg)
		if from < 0 {
			t.Errorf("package %s has no place in the order: give it one", pkg)
			continue
		}
		for _, imported := range imports {
			if to := slices.Index(order, imported); strings.HasPrefix(imported, "pressrun/") && to <= from {
				t.Errorf("%s imports %s, which stands above it", pkg, imported)
			}
			if slices.Contains(apart, [2]string{pkg, imported}) {
				t.Errorf("%s imports %s: these two must not know each other", pkg, imported)
			}
		}
	}
}

// ourImports lists what each package of the module imports, its tests aside.
func ourImports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "pressrun/...").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("the go command is not here, and the imports are its to list")
	}
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	imports := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return imports
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		imports[pkg.ImportPath] = pkg.Imports
	}
}
