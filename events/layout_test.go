package events_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestImportsPointInward checks which folders may not import which other
// folders. Each rule has its reason.
func TestImportsPointInward(t *testing.T) {
	all := packages(t)
	for _, rule := range []struct {
		in     string // packages at or below
		never  string // what they may not import, at or below
		but    string // the exception, at or below
		reason string
	}{
		{"apitoken/events", "apitoken/functions", "", "the service does not depend on who calls it"},
		{"apitoken/events", "apitoken/infra", "", "the service runs on any store and any bus"},
		{"apitoken/events", "apitoken/cmd", "", "the service does not depend on the command line"},
		{"apitoken/functions/httpapi", "apitoken/infra", "", "the handlers run on any store"},
		{"apitoken/functions", "apitoken/cmd", "", "Lambda and the command line are equal: neither needs the other"},
		{"apitoken/cmd", "apitoken/functions", "apitoken/functions/httpapi", "Lambda and the command line are equal: they share the HTTP interface only"},
		{"apitoken/infra", "apitoken/functions", "", "an adapter does not depend on who calls it"},
		{"apitoken/infra", "apitoken/cmd", "", "an adapter does not depend on who calls it"},
		{"apitoken/infra", "apitoken/events/token", "", "an adapter knows facts and no rules"},
		{"apitoken/infra", "apitoken/events/settings", "", "an adapter knows facts and no rules"},
		{"apitoken/infra", "apitoken/events/name", "", "an adapter stores owner keys and does not read names"},
		{"apitoken/cmd", "apitoken/localstack", "", "only tests use the engines and the drives"},
		{"apitoken/events", "apitoken/localstack", "", "only tests use the engines and the drives"},
		{"apitoken/functions", "apitoken/localstack", "", "only tests use the engines and the drives"},
		{"apitoken/infra", "apitoken/localstack", "", "only tests use the engines and the drives"},
	} {
		for pkg, p := range all {
			for _, imported := range p.imports {
				if below(pkg, rule.in) && below(imported, rule.never) && (rule.but == "" || !below(imported, rule.but)) {
					t.Errorf("%s imports %s: %s", pkg, imported, rule.reason)
				}
			}
		}
	}
}

// TestEventsImportTheStandardLibraryOnly: a program that verifies a history
// needs nothing else. Only events/name also needs Unicode's rules for names, which
// the standard library does not have.
func TestEventsImportTheStandardLibraryOnly(t *testing.T) {
	for pkg, p := range packages(t) {
		if !below(pkg, "apitoken/events") {
			continue
		}
		for _, imported := range p.imports {
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !(pkg == "apitoken/events/name" && below(imported, "golang.org/x/text")) {
				t.Errorf("%s imports %s, which is not in the standard library", pkg, imported)
			}
		}
	}
}

// TestFunctionsHaveDeployables: a folder of functions/ is either the main
// package of one Lambda function or one of four libraries.
func TestFunctionsHaveDeployables(t *testing.T) {
	libraries := []string{"httpapi", "gateway", "wiring", "payloads"}
	for pkg, p := range packages(t) {
		path, found := strings.CutPrefix(pkg, "apitoken/functions/")
		if !found {
			continue
		}
		folder, rest, _ := strings.Cut(path, "/")
		switch library := slices.Contains(libraries, folder); {
		case library && p.name == "main":
			t.Errorf("%s is a command, but the libraries of functions/ have no commands", pkg)
		case !library && (p.name != "main" || rest != "" && !strings.HasPrefix(rest, "testdata")):
			t.Errorf("%s is neither a Lambda function nor one of the libraries %v", pkg, libraries)
		}
	}
}

// TestTopLevelIsFixed: the top level of the repository has these entries only.
func TestTopLevelIsFixed(t *testing.T) {
	allowed := []string{"functions", "events", "infra", "localstack", "cmd", "go.mod", "go.sum", "Makefile", "template.yaml", "README.md"}
	tracked, err := exec.Command("git", "ls-files", "--full-name", "..").Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	for line := range strings.Lines(string(tracked)) {
		top, _, _ := strings.Cut(strings.TrimSpace(line), "/")
		if !slices.Contains(allowed, top) && !strings.HasPrefix(top, ".") {
			t.Errorf("%s may not be at the top level", top)
		}
	}
}

// pkg is a package of the module: its name, and its imports outside of tests.
type pkg struct {
	name    string
	imports []string
}

// packages returns all packages of the module by import path, without the suites
// of events (storetest, bustest), which are test code.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	lookAtSources(t)
	all, err := listedOnce()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	return all
}

// lookAtSources walks the sources of the module. go test repeats an earlier
// result until a folder or file changes that the test itself has read, and go
// list reads the sources in another process.
func lookAtSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../functions", "../events", "../infra", "../cmd", "../localstack"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

// listedOnce runs go list once for all tests, because it takes about a second.
var listedOnce = sync.OnceValues(listPackages)

func listPackages() (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{.Name}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]pkg{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if !strings.HasSuffix(words[0], "test") {
			all[words[0]] = pkg{name: words[1], imports: words[2:]}
		}
	}
	return all, nil
}

func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}
