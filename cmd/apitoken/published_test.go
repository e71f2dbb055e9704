package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"apitoken/infra/eventfile"
)

// scriptPublished is `published DIR ID...`: it waits until the file of events of a running
// server has these events. A server answers a call before it writes the event there.
func scriptPublished(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text := eventsIn(ts, ts.MkAbs(args[0]))
		missing := ""
		for _, id := range args[1:] {
			if !strings.Contains(text, `"id":"`+id+`"`) {
				missing = id
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the file of events has no event %s:\n%s", missing, text)
		}
	}
}

// eventsIn returns the text of all parts. The server may begin a new part meanwhile; then
// the next call has the events of the part before.
func eventsIn(ts *testscript.TestScript, dir string) string {
	parts, err := eventfile.Parts(filepath.Join(dir, "events.jsonl"))
	ts.Check(err)
	var all strings.Builder
	for _, part := range parts {
		b, err := os.ReadFile(part)
		if !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
		all.Write(b)
	}
	return all.String()
}
