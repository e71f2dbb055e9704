package passwords

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/functions/httpapi/machine"
	"apitoken/localstack/longtest"
)

var home = netip.MustParseAddr("192.0.2.1")

// line is a line of a password file.
func line(t *testing.T, user, password string) string {
	t.Helper()
	if hashes[password] == "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
		if err != nil {
			t.Fatal(err)
		}
		hashes[password] = string(hash)
	}
	return user + ":" + hashes[password] + "\n"
}

// hashes are made once: the race detector makes bcrypt many times slower.
var hashes = map[string]string{}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// opened is a password file with the user ann, and its log.
func opened(t *testing.T) (p *Passwords, path string, log *bytes.Buffer) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), "users"), &bytes.Buffer{}
	write(t, path, line(t, "ann", "sesame"), 0o600)
	p, err := Open(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return p, path, log
}

func TestOnlyTheRightPasswordPasses(t *testing.T) {
	p, _, log := opened(t)
	if err := p.Check(t.Context(), "ann", secret.New("sesame"), home); err != nil {
		t.Errorf("got %v", err)
	}
	for user, password := range map[string]string{"ann": "hunter2", "bob": "sesame", "": "sesame"} {
		if err := p.Check(t.Context(), user, secret.New(password), home); !errors.Is(err, machine.ErrPassword) {
			t.Errorf("%q: got %v, want %v", user, err, machine.ErrPassword)
		}
	}
	if log.Len() > 0 {
		t.Errorf("the log has %s", log)
	}
}

// TestFailuresAreRefusedUntried: also the right password is then not compared.
func TestFailuresAreRefusedUntried(t *testing.T) {
	p, _, _ := opened(t)
	tried := 0
	p.users.Store(&users{check: func(string, string) bool { tried++; return false }})
	for range perPair {
		if err := p.Check(t.Context(), "ann", secret.New("hunter2"), home); !errors.Is(err, machine.ErrPassword) {
			t.Fatalf("got %v", err)
		}
	}
	err := p.Check(t.Context(), "ann", secret.New("sesame"), home)
	if r, ok := errors.AsType[*events.Refusal](err); !ok || r.Code != machine.CodePasswordFailures || tried != perPair {
		t.Errorf("got %v after %d comparisons, want a refusal after %d", err, tried, perPair)
	}
}

// TestFewPasswordsAreComparedAtOnce: sign-ins must leave the processor to other requests.
// The sign-ins above the number wait, for 5 seconds at most.
func TestFewPasswordsAreComparedAtOnce(t *testing.T) {
	p, _, _ := opened(t)
	synctest.Test(t, func(t *testing.T) {
		p.slots = make(chan struct{}, 2)
		var running, most atomic.Int32
		end := make(chan struct{})
		p.users.Store(&users{check: func(string, string) bool {
			most.Store(max(most.Load(), running.Add(1)))
			<-end
			running.Add(-1)
			return true
		}})
		var all sync.WaitGroup
		var passed, busy atomic.Int32
		try := func(ctx context.Context) {
			switch err := p.Check(ctx, "ann", secret.New("sesame"), home); {
			case err == nil:
				passed.Add(1)
			case errors.Is(err, errBusy):
				busy.Add(1)
			default:
				t.Errorf("got %v", err)
			}
		}
		for range maxWaiting + 2 {
			all.Go(func() { try(t.Context()) })
		}
		synctest.Wait()
		if r, w := running.Load(), p.waiting.Load(); r != 2 || w != maxWaiting {
			t.Errorf("%d comparisons run and %d sign-ins wait, want 2 and %d", r, w, maxWaiting)
		}
		try(t.Context()) // one more than may wait
		if busy.Load() != 1 {
			t.Error("a sign-in waits although too many do")
		}
		close(end)
		all.Wait()
		if passed.Load() != maxWaiting+2 || most.Load() != 2 {
			t.Errorf("%d passed, with %d at once; want %d and 2", passed.Load(), most.Load(), maxWaiting+2)
		}
		stuck := make(chan struct{})
		p.users.Store(&users{check: func(string, string) bool { <-stuck; return true }})
		for range 3 {
			all.Go(func() { try(t.Context()) })
		}
		left, cancel := context.WithCancel(t.Context())
		cancel()
		synctest.Wait()
		if err := p.Check(left, "ann", secret.New("sesame"), home); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v for a client that has left", err)
		}
		time.Sleep(maxWait + 1) // the clock of synctest
		if busy.Load() != 2 {
			t.Errorf("a sign-in waits longer than %s", maxWait)
		}
		close(stuck)
		all.Wait()
	})
}

// TestTheFileIsReadAgain: what is wrong leaves the users before, and a problem that stays
// is logged once.
func TestTheFileIsReadAgain(t *testing.T) {
	longtest.SkipSequential(t)
	p, path, log := opened(t)
	passes := func(user, password string) bool {
		return p.Check(t.Context(), user, secret.New(password), home) == nil
	}
	write(t, path, line(t, "bob", "hunter2"), 0o600)
	p.Reload(t.Context(), false)
	if passes("ann", "sesame") || !passes("bob", "hunter2") {
		t.Error("the new file is not in use")
	}
	for _, step := range []struct {
		text  string
		mode  os.FileMode
		asked bool
		want  string // in the log; "": nothing
	}{
		{line(t, "mallory", "x") + "oops", 0o600, false, "line 2: the line has no colon"},
		{"", 0o600, false, "has no user"},
		{"", 0o600, false, ""},
		{"", 0o600, true, "has no user"},
		{line(t, "mallory", "x"), 0o620, false, "other users may change"},
	} {
		log.Reset()
		write(t, path, step.text, step.mode)
		p.Reload(t.Context(), step.asked)
		if got := log.String(); (step.want == "") != (got == "") || !strings.Contains(got, step.want) || strings.Contains(got, "mallory") || strings.Contains(got, "oops") {
			t.Errorf("%v: the log has %q, want %q", step, got, step.want)
		}
		if !passes("bob", "hunter2") {
			t.Errorf("%v: the users before are gone", step)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	p.Reload(t.Context(), false)
	if !strings.Contains(log.String(), "no such file") || !passes("bob", "hunter2") {
		t.Errorf("a file that is gone: the log has %s", log)
	}
	write(t, path, line(t, "ann", "sesame"), 0o644)
	log.Reset()
	p.Reload(t.Context(), false)
	if !strings.Contains(log.String(), "other users can read the password file") || !strings.Contains(log.String(), "users=1") || !passes("ann", "sesame") {
		t.Errorf("a file that others can read: the log has %s", log)
	}
	log.Reset()
	p.Reload(t.Context(), false)
	if log.Len() > 0 {
		t.Errorf("the same file: the log has %s", log)
	}
	p.Reload(t.Context(), true)
	if !strings.Contains(log.String(), "is the same") {
		t.Errorf("the same file: the log has %s", log)
	}
}

// TestAFileThatOthersCanChangeIsRefused, and one of another user.
func TestAFileThatOthersCanChangeIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	logger := slog.New(slog.DiscardHandler)
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: true, 0o620: false, 0o660: false, 0o602: false, 0o666: false} {
		write(t, path, line(t, "ann", "sesame"), mode)
		if _, err := Open(path, logger); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "chmod go-w "+path) {
			t.Errorf("mode %03o: got %v", mode, err)
		}
	}
	write(t, path, line(t, "ann", "sesame"), 0o600)
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, logger); err == nil || !strings.Contains(err.Error(), "belongs to user 65534, who could change it") {
			t.Errorf("a file of another user: got %v", err)
		}
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing": {path + "x", "no such file"}, "a folder": {filepath.Dir(path), "not a regular file"},
	} {
		if _, err := Open(c.path, logger); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOnlyLocalUsersHavePasswords: another text would be another user, or none.
func TestOnlyLocalUsersHavePasswords(t *testing.T) {
	for user, want := range map[string]bool{
		"ann": true, "Ann": true, "ann.b": true, "jürgen": true, "500": false, "S-1-5-21-1-2-3-1001": false, " ann": false, "ann ": false,
		"j\u0075\u0308rgen": false, "": false, strings.Repeat("x", 300): false, "a\u200bnn": false,
	} {
		if got := isLocal(user); got != want {
			t.Errorf("%q: got %t, want %t", user, got, want)
		}
	}
}
