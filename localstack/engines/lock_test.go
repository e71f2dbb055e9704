package engines_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	pinned = regexp.MustCompile(`(?m)^([A-Za-z0-9._-]+==[^\s\\]+)`)
	locked = regexp.MustCompile(`(?m)^([A-Za-z0-9._-]+==[^\s\\]+) \\\n    --hash=sha256:[0-9a-f]{64}( \\\n    --hash=sha256:[0-9a-f]{64})*$`)
)

// TestEveryPythonPackageHasItsHashes: pip refuses a package whose file has another
// hash. A package that is only in one of the two files would not be installed, or
// would not be known to readers.
func TestEveryPythonPackageHasItsHashes(t *testing.T) {
	lists, err := filepath.Glob("*/requirements.txt")
	if err != nil || len(lists) != 8 {
		t.Fatalf("got the lists %q, %v; want eight", lists, err)
	}
	for _, list := range lists {
		want := packages(t, pinned, list)
		got := packages(t, locked, strings.TrimSuffix(list, ".txt")+".lock")
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: the lock has the packages %q, want %q", list, got, want)
		}
	}
	script, err := os.ReadFile("../engines.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.ReplaceAll(string(script), "\\\n", ""), "\n") {
		if strings.Contains(line, "pip install") && !strings.Contains(line, "--require-hashes") {
			t.Errorf("engines.sh installs packages without their hashes: %s", line)
		}
	}
}

// packages returns the packages of a file in one spelling (PEP 503), sorted.
func packages(t *testing.T, form *regexp.Regexp, path string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range form.FindAllStringSubmatch(string(b), -1) {
		name, version, _ := strings.Cut(m[1], "==")
		all = append(all, strings.ToLower(regexp.MustCompile(`[-_.]+`).ReplaceAllString(name, "-"))+"=="+version)
	}
	slices.Sort(all)
	return all
}
