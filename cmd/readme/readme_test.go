package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	shownToken = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
	otherToken = "L7k8ljIC.BWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"
)

func TestStepsAreTheCommandsOfConsoleBlocks(t *testing.T) {
	readme := strings.ReplaceAll(`# title
$ not in a block
'''
$ not a console block
'''
'''console
output without a command
$ first
a
b
$ second
'''
after it
'''console
$ third
c
'''
`, "'''", "```")
	got := parseSteps(readme)
	want := []step{
		{line: 8, command: "first", output: []string{"a", "b"}},
		{line: 11, command: "second"},
		{line: 15, command: "third", output: []string{"c"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheREADMEHasSteps(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := parseSteps(string(readme))
	if len(steps) < 8 || steps[0].command != "make run" {
		t.Errorf("got %d steps, the first is %+v", len(steps), steps[:min(1, len(steps))])
	}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		readme, output string
		equal          bool
	}{
		"equal":                   {"a\nb", "a\nb\n", true},
		"more output":             {"b", "a\nb\nc\n", true},
		"a missing line":          {"a\nb", "a\n", false},
		"a changed line":          {"active  -", "revoked  -", false},
		"no output":               {"a", "", false},
		"nothing shown":           {"", "anything", true},
		"dots and empty lines":    {"a\n...\n\nz", "a\nb\nz", true},
		"white space":             {"ID  NAME", "ID          NAME\n", true},
		"a time":                  {"at 2026-11-21T10:00:00Z", "at 2027-01-02T03:04:05.678Z", true},
		"a time of the log":       {"at 2026-11-21 10:00:00", "at 2027-01-02 03:04:05", true},
		"no time":                 {"at 2026-11-21T10:00:00Z", "at never", false},
		"a date alone":            {"on 2026-11-21", "on 2026-11-22", false},
		"a hash":                  {strings.Repeat("0a", 32), strings.Repeat("1b", 32), true},
		"a shorter hash":          {strings.Repeat("0a", 31), strings.Repeat("1b", 31), false},
		"a duration":              {"in 1.5s", "in 20ms", true},
		"a number":                {"in 15", "in 20", false},
		"another token":           {"it is " + shownToken, "it is " + otherToken, true},
		"a token that is no more": {"it is " + shownToken, "it is lost", false},
		"another id":              {"with id: JhxND7ci\nJhxND7ci active", "with id: L7k8ljIC\nL7k8ljIC active", true},
		"an id that is not":       {"with id: JhxND7ci\nJhxND7ci active", "with id: L7k8ljIC\nJhxND7ci active", false},
		"a token with its id":     {"with id: JhxND7ci it is " + shownToken, "with id: L7k8ljIC it is " + otherToken, true},
	} {
		var e examples
		if err := e.compare(strings.Split(c.readme, "\n"), c.output); (err == nil) != c.equal {
			t.Errorf("%s: got %v, want equal: %v", name, err, c.equal)
		}
	}
}

// TestFirstExamplesAreReplacedInLaterSteps: a token is replaced before the id
// that it contains, also if the id was learned first.
func TestFirstExamplesAreReplacedInLaterSteps(t *testing.T) {
	var e examples
	e.learn("with id: JhxND7ci", "with id: L7k8ljIC")
	e.learn(shownToken, otherToken)
	e.learn(shownToken+" with id: JhxND7ci", "zzzzzzzz"+shownToken[8:]+" with id: zzzzzzzz") // the first ones stay
	got := e.replace("show JhxND7ci, then " + shownToken)
	if want := "show L7k8ljIC, then " + otherToken; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.learn("no example", "with id: L7k8ljIC")
	if len(e) != 2 {
		t.Errorf("got %v, want the token and the id", e)
	}
}

func TestExportsLastAndIdsAreReplaced(t *testing.T) {
	s := &session{dir: t.TempDir(), examples: examples{{"JhxND7ci", "L7k8ljIC"}}}
	for _, st := range []step{
		{command: "export A=one"},
		{command: "export B=two"},
		{command: "git clone somewhere x"},
		{command: "cd x"},
		{command: `echo "$A $B JhxND7ci" | tee file`, output: []string{"one two JhxND7ci"}},
		{command: "cat file", output: []string{"one two L7k8ljIC"}},
	} {
		if err := s.run(t.Context(), st); err != nil {
			t.Errorf("%s: %v", st.command, err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "file")); err != nil {
		t.Errorf("the steps ran in another folder: %v", err)
	}
}

func TestAFailedCommandIsAnErrorWithItsOutput(t *testing.T) {
	s := &session{dir: t.TempDir()}
	for command, want := range map[string]string{
		"echo seen; exit 3":        "exit status 3\nseen",
		"echo seen >&2; exit 3":    "seen",
		"(echo seen; false) | cat": "seen",     // as bash's pipefail has it
		"echo $UNSET_IN_README":    "UNSET_IN", // as bash's nounset has it
	} {
		if err := s.run(t.Context(), step{command: command}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", command, err, want)
		}
	}
	if err := s.run(t.Context(), step{command: "echo a", output: []string{"b"}}); err == nil || !strings.Contains(err.Error(), "the README shows: b") {
		t.Errorf("got %v, want the line that differs", err)
	}
}

func TestTooFewStepsAreAnError(t *testing.T) {
	s := &session{dir: t.TempDir()}
	if err := s.runAll(t.Context(), []step{{line: 7, command: "true"}}); err == nil || !strings.Contains(err.Error(), "too little") {
		t.Errorf("got %v", err)
	}
	if err := s.runAll(t.Context(), []step{{line: 7, command: "false"}}); err == nil || !strings.Contains(err.Error(), "README line 7: $ false") {
		t.Errorf("got %v, want the line", err)
	}
}

// TestABlockWithoutItsProgramsIsLeftOut, and with -all that is an error.
func TestABlockWithoutItsProgramsIsLeftOut(t *testing.T) {
	steps := parseSteps("<!-- needs sh no-such-program -->\n```console\n$ touch left-out\n```\n<!-- needs sh -->\n```console\n$ touch made\n```\n```console\n$ touch plain\n```\n")
	if len(steps) != 3 || len(steps[0].needs) != 2 || len(steps[1].needs) != 1 || steps[2].needs != nil {
		t.Fatalf("got %+v", steps)
	}
	s := newSession(t.TempDir(), false)
	if err := s.runAll(t.Context(), steps); err == nil || !strings.Contains(err.Error(), "shows too little") {
		t.Errorf("got %v", err)
	}
	for name, want := range map[string]bool{"left-out": false, "made": true, "plain": true} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); (err == nil) != want {
			t.Errorf("%s exists: %t, want %t", name, err == nil, want)
		}
	}
	if err := newSession(t.TempDir(), true).runAll(t.Context(), steps); err == nil || !strings.Contains(err.Error(), "no-such-program, which is not installed") {
		t.Errorf("got %v", err)
	}
}

// TestWhatACommandLeavesRunningEndsWithTheSession also if a later command fails.
func TestWhatACommandLeavesRunningEndsWithTheSession(t *testing.T) {
	s := newSession(t.TempDir(), false)
	if err := s.run(t.Context(), step{command: "(trap 'touch ended; exit' TERM; touch started; while :; do sleep 0.01; done) >log 2>&1 &"}); err != nil {
		t.Fatal(err)
	}
	await := func(name string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
				return
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	await("started")
	s.stop()
	await("ended")
}
