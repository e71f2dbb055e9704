package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"apitoken/cmd/apitoken/console/terminaltest"
	"apitoken/events/secret"
)

// bashSetup loads the completion. It has the one function of the package
// bash-completion that the script calls.
const bashSetup = `_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}; }
source <(apitoken completion bash)
bind 'set page-completions off'
bind 'set enable-bracketed-paste off'
PS1='> '
`

// TestCompletionOnATerminal presses the tab key twice in a bash on a terminal of 80
// columns, and compares the ids that bash offers with the recorded ones.
func TestCompletionOnATerminal(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs bash, and pseudo-terminals, which are set up for Linux only")
	}
	setup := filepath.Join(t.TempDir(), "setup.bash")
	if err := os.WriteFile(setup, []byte(bashSetup), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a shell waits for ever
	defer cancel()
	c := exec.CommandContext(ctx, bash, "--noprofile", "--rcfile", setup, "-i")
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=dumb", "INPUTRC=/dev/null", "LC_ALL=C.UTF-8",
		"APITOKEN_URL=" + shownService(t), "APITOKEN_TOKEN=" + secret.Mint("").Text().Reveal()}
	person, err := pty.StartWithSize(c, &pty.Winsize{Rows: 40, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	readUntil(person, "> ")
	person.WriteString("apitoken show \t\t")
	text := readUntil(person, "\n> apitoken show ")
	person.WriteString("\x15exit\n") // Ctrl-U removes the line
	readUntil(person, "\x00")        // to the end
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	var offered strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^[0-9A-Za-z]{8}  \(.*$`).FindAllString(text, -1) {
		offered.WriteString(strings.TrimRight(line, " \r") + "\n")
	}
	terminaltest.Compare(t, filepath.Join("testdata", "terminal", "completion_80.golden"), offered.String(), *update)
	checkFits(t, offered.String(), 80)
	if offered.Len() == 0 {
		t.Errorf("bash offers nothing: %q", text)
	}
}
