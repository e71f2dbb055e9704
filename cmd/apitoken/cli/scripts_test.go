package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/console"
)

// TestEveryCommandIsInTheScripts: help.txtar compares the help text of every
// command, and another script runs the command.
func TestEveryCommandIsInTheScripts(t *testing.T) {
	help, others := scripts(t)
	for _, name := range leaves(newRoot(&console.Env{Getenv: func(string) string { return "" }}), "") {
		if !strings.Contains(help, "\nexec apitoken "+name+" --help\n") {
			t.Errorf("help.txtar does not compare the help text of %s", name)
		}
		if !regexp.MustCompile(`(?m)^(! )?exec apitoken ` + name + `( |$)`).MatchString(others) {
			t.Errorf("no script runs the command %s", name)
		}
	}
}

// scripts returns the text of help.txtar, and of all other scripts.
func scripts(t *testing.T) (help, others string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == "help.txtar" {
			help = string(b)
		} else {
			others += string(b) + "\n"
		}
	}
	return help, others
}
