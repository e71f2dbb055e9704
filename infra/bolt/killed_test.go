package bolt_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/bolt"
)

// The environment of the process that is killed.
const (
	killedFile    = "APITOKEN_TEST_KILLED_FILE"
	killedAt      = "APITOKEN_TEST_KILLED_AT"
	killedWritten = "APITOKEN_TEST_KILLED_WRITTEN"
)

// TestAKilledOffboardingEndsTheSame kills the process with SIGKILL, so nothing in it
// runs later. The file is as the process has left it.
func TestAKilledOffboardingEndsTheSame(t *testing.T) {
	if path := os.Getenv(killedFile); path != "" {
		offboardAndDie(t, path)
		return
	}
	var path string
	var store *bolt.Store
	reopen := func(t testing.TB) events.Store {
		t.Helper()
		opened, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { opened.Close() })
		store = opened
		return store
	}
	open := func(t testing.TB) events.Store {
		t.Helper()
		path = filepath.Join(t.TempDir(), "apitoken.db")
		return reopen(t)
	}
	lifetest.KilledOffboarding(t, open, func(t testing.TB, at int, written bool) events.Store {
		t.Helper()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAKilledOffboardingEndsTheSame$")
		cmd.Env = append(os.Environ(), killedFile+"="+path, killedAt+"="+strconv.Itoa(at), killedWritten+"="+strconv.FormatBool(written))
		out, err := cmd.CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the process ended with %v, want SIGKILL: %s", err, out)
		}
		return reopen(t)
	})
}

// offboardAndDie runs in the process that is killed.
func offboardAndDie(t *testing.T, path string) {
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := strconv.Atoi(os.Getenv(killedAt))
	if err != nil {
		t.Fatal(err)
	}
	die := func() {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal arrives
	}
	err = lifetest.OffboardUntil(t.Context(), store, at, os.Getenv(killedWritten) == "true", die)
	t.Fatalf("the offboarding ended with %v before commit %d", err, at)
}
