package events_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImportsPointInward holds the layout: who may import whom, and why.
func TestImportsPointInward(t *testing.T) {
	for _, rule := range []struct {
		in     string // packages at or below
		never  string // what they may not import, at or below
		reason string
	}{
		{"apitoken/events", "apitoken/functions", "what can happen does not depend on who asks for it"},
		{"apitoken/events", "apitoken/infra", "the rules do not depend on a store"},
		{"apitoken/events", "github.com/", "whoever verifies a history needs the standard library only"},
		{"apitoken/functions/issuer", "apitoken/infra", "the issuer runs on any store"},
		{"apitoken/functions/guard", "apitoken/infra", "the guard runs on any store"},
		{"apitoken/functions/httpapi", "apitoken/infra", "the handlers run on any store"},
		{"apitoken/functions/relay", "apitoken/infra", "the relay runs between any outbox and any bus"},
		{"apitoken/infra", "apitoken/functions", "an adapter serves whoever calls it"},
		{"apitoken/infra", "apitoken/events/token", "an adapter knows facts, and no rules"},
		{"apitoken/infra", "apitoken/events/settings", "an adapter knows facts, and no rules"},
	} {
		for pkg, imports := range packages(t) {
			for _, imported := range imports {
				if below(pkg, rule.in) && below(imported, rule.never) {
					t.Errorf("%s imports %s: %s", pkg, imported, rule.reason)
				}
			}
		}
	}
}

// TestTopLevelIsFixed holds the top level of the repository to its few rooms.
func TestTopLevelIsFixed(t *testing.T) {
	allowed := []string{"functions", "events", "infra", "localstack", "cmd", "go.mod", "go.sum", "Makefile", "template.yaml", "README.md"}
	tracked, err := exec.Command("git", "ls-files", "--full-name", "..").Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	for line := range strings.Lines(string(tracked)) {
		top, _, _ := strings.Cut(strings.TrimSpace(line), "/")
		if !slices.Contains(allowed, top) && !strings.HasPrefix(top, ".") {
			t.Errorf("%s stands at the top level", top)
		}
	}
}

// packages gives the non-test imports of every package of the module. The
// suites of events (logtest, bustest) are test code and left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = filepath.Join("..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if !strings.HasSuffix(words[0], "test") {
			all[words[0]] = words[1:]
		}
	}
	return all
}

func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}
