package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/readme/readmetest"
	"apitoken/events/secret"
)

// TestEveryCommandHasExamplesThatRun parses each example. An example of a command that
// calls the service also runs, interrupted from the start: its usage must be right.
func TestEveryCommandHasExamplesThatRun(t *testing.T) {
	t.Chdir(t.TempDir())
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range runnable(Commands()) {
		n := 0
		for _, line := range strings.Split(c.Example, "\n") {
			if args, ok := exampleArgs(line, file); ok && checkExample(t, c, args, file) {
				n++
			}
		}
		if n == 0 {
			t.Errorf("%s has no example", c.CommandPath())
		}
	}
}

// checkExample reports whether the arguments run c.
func checkExample(t *testing.T, c *cobra.Command, args []string, file string) bool {
	t.Helper()
	found, rest, err := Commands().Find(args)
	if err != nil || found.CommandPath() != c.CommandPath() {
		return false
	}
	if err := found.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", args, err)
	} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	if c.Flags().Lookup("url") == nil {
		return true
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var messages strings.Builder
	env := map[string]string{"APITOKEN_TOKEN_FILE": file}
	e := &console.Env{In: in, Out: io.Discard, Err: &messages, Getenv: func(name string) string { return env[name] }}
	if code := run(ctx, e, args); code == console.ExitUsage {
		t.Errorf("%q is wrong usage: %s", args, messages.String())
	}
	return true
}

// shellWord matches a word of a shell line, a quoted part is a part of the word.
var shellWord = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// exampleArgs returns the arguments of a line that runs apitoken. The variables in it
// have the value file.
func exampleArgs(line, file string) (args []string, ok bool) {
	line, isExample := strings.CutPrefix(line, "  apitoken ")
	if !isExample {
		return nil, false
	}
	for _, word := range shellWord.FindAllString(line, -1) {
		if strings.ContainsRune("<>|&#", rune(word[0])) {
			break // the shell's, not ours
		}
		if !strings.Contains(word, "'") {
			word = os.Expand(word, func(string) string { return file })
		}
		args = append(args, strings.NewReplacer("'", "", `"`, "").Replace(word))
	}
	return args, true
}

// runnable are the commands below c that do something of their own.
func runnable(c *cobra.Command) (all []*cobra.Command) {
	for _, sub := range c.Commands() {
		switch {
		case sub.Name() == "help":
		case sub.HasSubCommands():
			all = append(all, runnable(sub)...)
		default:
			all = append(all, sub)
		}
	}
	return all
}

// TestExitCodesAreDocumentedAndInTheScripts: the help, the README and the code have
// the same exit codes, and a script shows each.
func TestExitCodesAreDocumentedAndInTheScripts(t *testing.T) {
	codes := []string{"0", strconv.Itoa(console.ExitFailed), strconv.Itoa(console.ExitUsage), strconv.Itoa(console.ExitInterrupted)}
	readmetest.Compare(t, "exit code", readmetest.Names(t, "exit code"), codes)
	var help []string
	for _, line := range strings.Split(console.ExitCodes, "\n") {
		help = append(help, strings.Fields(line)[0])
	}
	if !slices.Equal(help, codes) {
		t.Errorf("the help text has the exit codes %v, want %v", help, codes)
	}
	if !strings.HasSuffix(Commands().Long, console.ExitCodes) {
		t.Error("the help text of apitoken does not end with the exit codes")
	}
	_, others := scripts(t)
	for _, code := range codes {
		shown := regexp.MustCompile(`(?m)^exec sh \./exits ` + code + ` |^interrupt ` + code + ` `)
		if !shown.MatchString(others) {
			t.Errorf("no script shows the exit code %s", code)
		}
	}
}
