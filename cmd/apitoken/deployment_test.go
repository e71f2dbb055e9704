package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apitoken/events"
)

// TestTwoDataFoldersNeverPublishTheSameSourceAndID does the same calls on two data
// folders, and on each folder again after a restart. The events have the same ids
// in both folders. A consumer of both must not take them for repeats.
func TestTwoDataFoldersNeverPublishTheSameSourceAndID(t *testing.T) {
	folders := []string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")}
	folderOf := map[string]string{} // by source
	ids := map[string]int{}
	for _, dir := range folders {
		sources := map[string]bool{}
		for range 2 {
			for _, e := range eventsOf(t, dir) {
				sources[e.Source] = true
				if other, known := folderOf[e.Source]; known && other != dir {
					t.Errorf("%s and %s publish the source %s", other, dir, e.Source)
				}
				folderOf[e.Source] = dir
				ids[e.Source+" "+e.ID]++
				if !strings.HasPrefix(e.Source, "urn:apitoken:") || events.ValidDeployment(strings.TrimPrefix(e.Source, "urn:apitoken:")) != nil {
					t.Errorf("event %s has the source %q", e.ID, e.Source)
				}
			}
		}
		if len(sources) != 1 {
			t.Errorf("%s: got the sources %v, want one for the life of the folder", dir, sources)
		}
	}
	if len(folderOf) != 2 {
		t.Errorf("got the sources %v, want one for each folder", folderOf)
	}
	for source := range folderOf {
		if ids[source+" user/admin/2"] == 0 {
			t.Errorf("%s has no event user/admin/2, so this test compares nothing: %v", source, ids)
		}
	}
}

// event has the members of an event that make it unique.
type event struct{ Source, ID string }

// eventsOf starts a server on the folder, makes a token, and returns the events of
// the answered history and, after the end of the server, of the event file.
func eventsOf(t *testing.T, dir string) (all []event) {
	t.Helper()
	s := run(t, dir)
	command := func(args ...string) []byte {
		args = append(args, "--url", s.url, "--token-file", filepath.Join(dir, "admin.token"))
		out, err := exec.Command("apitoken", args...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	command("create")
	if err := json.Unmarshal(command("history", "--owner", "admin", "--output", "json"), &all); err != nil {
		t.Fatal(err)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(file)) {
		var line struct{ Detail event }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line.Detail)
	}
	return all
}
