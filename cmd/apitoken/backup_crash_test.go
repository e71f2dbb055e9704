package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/backup"
	"apitoken/cmd/apitoken/datadir"
)

// killedEvents is how many events the store of a killed backup and restore has.
const killedEvents = 3000

// TestAKilledBackupOrRestoreLeavesNothingThatLooksComplete kills each of the two at
// many moments. A file of a backup is complete or not there. A folder that opens has
// the whole store, and the same command mends every other folder.
func TestAKilledBackupOrRestoreLeavesNothingThatLooksComplete(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := run(t, dir).end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	fillOutbox(t, dir, killedEvents)
	out, killed := filepath.Join(t.TempDir(), "backup.tar"), 0
	for pause := time.Duration(0); ; pause = longer(pause) {
		if endedBeforeKill(t, pause, "backup", "--data", dir, "--out", out) {
			break
		}
		killed++
		expectCompleteOrMissing(t, out)
		os.Remove(out)
	}
	expectCompleteOrMissing(t, out)
	restored, peppers := filepath.Join(t.TempDir(), "restored"), filepath.Join(dir, "peppers")
	for pause := time.Duration(0); ; pause = longer(pause) {
		if endedBeforeKill(t, pause, "restore", out, "--data", restored, "--peppers-file", peppers) {
			break
		}
		killed++
		if f, err := datadir.OpenExisting(t.Context(), restored); err == nil {
			f.Close()
			expectRestored(t, restored)
			break
		}
	}
	expectRestored(t, restored)
	if killed < 4 {
		t.Errorf("only %d processes were killed", killed)
	}
	t.Logf("%d processes were killed", killed)
}

// longer returns the next pause before a kill. Equal steps would take the square of the
// time of a command: many minutes on a machine where the command takes seconds.
func longer(pause time.Duration) time.Duration { return pause + 4*time.Millisecond + pause/20 }

// endedBeforeKill runs a command and kills it after the pause. It reports whether the
// command had ended with success.
func endedBeforeKill(t *testing.T, pause time.Duration, args ...string) bool {
	t.Helper()
	cmd := exec.Command("apitoken", args...)
	out := &lockedText{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(pause, func() { cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	if err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return err == nil
}

func expectCompleteOrMissing(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := backup.Read(f, func(string, io.Reader) error { return nil }); err != nil {
		t.Errorf("the killed backup left a file: %v", err)
	}
}

func expectRestored(t *testing.T, dir string) {
	t.Helper()
	f, err := datadir.OpenExisting(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pending, err := f.Store.Pending(t.Context(), time.Now().Add(time.Hour), 2*killedEvents)
	if err != nil || len(pending) != killedEvents {
		t.Errorf("the restored store has %d of %d events, %v", len(pending), killedEvents, err)
	}
}
