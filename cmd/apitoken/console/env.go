// Package console is what the commands share to speak with their user: the
// standard files and variables of the process, messages, tables and JSON, and the
// run of a command with its exit code.
//
// Data goes to standard output, and messages for people to standard error. Texts of
// a service never reach a terminal as control characters. The package knows no
// command, and leaves the calls to the service to the package access.
package console

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// Env is the part of the process that a command uses: its standard files and
// its environment variables.
type Env struct {
	In       *os.File
	Out, Err io.Writer
	Getenv   func(string) string
	Environ  func() []string // all variables as NAME=VALUE; nil: none

	started  bool             // the arguments were valid, and the command itself runs
	changes  changeCount      // what the command has asked the service to change
	progress *Progress        // the line that is on the terminal now, or nil
	now      func() time.Time // of a test; nil: time.Now
}

// WholeToken matches a token anywhere in a text.
var WholeToken = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// Messagef writes a message of one line to standard error. It redacts tokens: a
// user may have typed or pasted a token in a wrong place. It replaces unprintable
// characters: an error may contain a text of the service.
func (e *Env) Messagef(format string, args ...any) {
	e.progress.hide()
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	line = Plain(strings.ReplaceAll(line, "\t", " "))
	fmt.Fprintln(e.Err, WholeToken.ReplaceAllString(line, "[redacted]"))
}

func (e *Env) clock() time.Time {
	if e.now != nil {
		return e.now()
	}
	return time.Now()
}
