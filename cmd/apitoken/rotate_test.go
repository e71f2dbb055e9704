package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// rotation is a command that rotates its own token, and writes it into the file
// from which the token was read. It reaches the server over a proxy.
type rotation struct {
	*testing.T
	dir, file string
	proxy     *httptest.Server

	mu       sync.Mutex
	answered func() // called in place of the answer to a rotation; nil: the answer is sent
}

// lose sets what happens in place of the answer to a rotation; nil: the answer is
// sent.
func (r *rotation) lose(answered func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = answered
}

// abort closes the connection of the request.
func abort() { panic(http.ErrAbortHandler) }

func newRotation(t *testing.T) *rotation {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s := run(t, dir)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	r := &rotation{T: t, dir: dir, file: filepath.Join(dir, "admin.token")}
	forward := httputil.NewSingleHostReverseProxy(target)
	r.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		answered := r.answered
		r.mu.Unlock()
		if answered == nil || !strings.HasSuffix(req.URL.Path, "/rotate") {
			forward.ServeHTTP(w, req)
			return
		}
		lost := httptest.NewRecorder()
		forward.ServeHTTP(lost, req)
		if lost.Code != http.StatusOK {
			t.Errorf("the lost answer is %d %s", lost.Code, lost.Body)
		}
		answered()
	}))
	t.Cleanup(r.proxy.Close)
	return r
}

// command is the command with the token of the file or, if it is not empty, the
// given token.
func (r *rotation) command(token string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command("apitoken", args...)
	cmd.Env = append(os.Environ(), "APITOKEN_URL="+r.proxy.URL, "APITOKEN_TOKEN_FILE="+r.file, "APITOKEN_TOKEN=")
	if token != "" {
		cmd.Env = append(cmd.Env, "APITOKEN_TOKEN_FILE=", "APITOKEN_TOKEN="+token)
	}
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	return cmd, &printed
}

func (r *rotation) read() string {
	r.Helper()
	b, err := os.ReadFile(r.file)
	if err != nil {
		r.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// finish runs the rotation again, which gets the new secret, and checks that there
// was one rotation.
func (r *rotation) finish(old string) {
	r.Helper()
	r.lose(nil)
	cmd, printed := r.command(old, "rotate", "self", "--write-to", r.file)
	if err := cmd.Run(); err != nil || !strings.Contains(printed.String(), "this run finishes it") {
		r.Fatalf("the next run: %v: %s", err, printed)
	}
	fresh := r.read()
	if fresh == old || has(r.dir, "admin.token.rotation") || strings.Contains(printed.String(), fresh[9:]) {
		r.Errorf("the file has the old token, or its key is left, or the command printed the secret: %s", printed)
	}
	cmd, printed = r.command("", "history", "self", "--output", "text")
	if err := cmd.Run(); err != nil || strings.Count(printed.String(), "TokenRotated") != 1 {
		r.Errorf("got %v and the history %s, want one rotation, read with the new token", err, printed)
	}
	left, err := filepath.Glob(r.file + ".*")
	if err != nil || len(left) > 0 {
		r.Errorf("the files %v are left", left)
	}
}

// TestARotationWithoutAnAnswerIsFinishedByTheNextRun: no try of the first run gets
// its answer. The next run has only the old secret, which manages no tokens.
func TestARotationWithoutAnAnswerIsFinishedByTheNextRun(t *testing.T) {
	r := newRotation(t)
	old := r.read()
	var tries atomic.Int64
	r.lose(func() { tries.Add(1); abort() })
	cmd, printed := r.command("", "rotate", "self", "--write-to", r.file)
	err := cmd.Run()
	if err == nil || tries.Load() != 3 || !strings.Contains(printed.String(), "the token may have been rotated; run the same command again") {
		t.Errorf("got %v after %d tries: %s", err, tries.Load(), printed)
	}
	info, err := os.Stat(r.file + ".rotation")
	if err != nil || info.Mode().Perm() != 0o600 || r.read() != old {
		t.Fatalf("the key is not in its file, or the token's file has changed: %v, %v", info, err)
	}
	other, text := r.command("", "rotate", "self", "--write-to", r.file, "--grace", "7D")
	if err := other.Run(); err == nil || !strings.Contains(text.String(), "belongs to an unfinished rotation") {
		t.Errorf("with another grace: got %v: %s", err, text)
	}
	r.finish(old)
}

// TestAKilledRotationIsFinishedByTheNextRun: the process is killed after the service
// has committed the rotation.
func TestAKilledRotationIsFinishedByTheNextRun(t *testing.T) {
	r := newRotation(t)
	old := r.read()
	cmd, printed := r.command("", "rotate", "self", "--write-to", r.file)
	started := make(chan *os.Process, 1)
	r.lose(func() { (<-started).Kill(); abort() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started <- cmd.Process
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("the command was not killed: %v: %s", err, printed)
	}
	reserved, _ := filepath.Glob(r.file + ".tmp-*")
	for _, path := range reserved { // what this process left has no secret, and the next run removes it
		if b, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(b)) != "" {
			t.Errorf("%s has %q, %v", path, b, err)
		}
	}
	r.finish(old)
}

// TestARotationThatCannotBeWrittenIsFinishedByTheNextRun: the file becomes a folder
// after it was checked.
func TestARotationThatCannotBeWrittenIsFinishedByTheNextRun(t *testing.T) {
	r := newRotation(t)
	old := r.read()
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	cmd, printed := r.command(old, "rotate", "self", "--write-to", r.file)
	r.lose(func() {
		if err := os.Mkdir(r.file, 0o700); err != nil {
			t.Error(err)
		}
		r.lose(nil) // the client sends the request again
		abort()
	})
	err := cmd.Run()
	if err == nil || !strings.Contains(printed.String(), "has a new secret, but writing "+r.file) || !strings.Contains(printed.String(), "run the same command again") {
		t.Errorf("got %v: %s", err, printed)
	}
	if err := os.Remove(r.file); err != nil {
		t.Fatal(err)
	}
	r.finish(old)
}

// TestOfTwoRotationsOfOneFileTheSecondIsRefused while the first has no answer, also
// with a key of its own. Without this, both get a secret, and the file may keep the
// one that the other run has replaced.
func TestOfTwoRotationsOfOneFileTheSecondIsRefused(t *testing.T) {
	for _, flags := range [][]string{nil, {"--idempotency-key", strings.Repeat("k", 16)}} {
		r := newRotation(t)
		second, text := r.command("", append([]string{"rotate", "self", "--write-to", r.file}, flags...)...)
		var err error
		r.lose(func() { err = second.Run(); r.lose(nil); abort() })
		first, printed := r.command("", "rotate", "self", "--write-to", r.file)
		if err := first.Run(); err != nil {
			t.Errorf("the first run: %v: %s", err, printed)
		}
		if err == nil || !strings.Contains(text.String(), "another run is rotating the token of "+r.file) {
			t.Errorf("with %v the second run: got %v: %s", flags, err, text)
		}
		if has(r.dir, "admin.token.rotation") {
			t.Errorf("the key is left: %s", printed)
		}
	}
}

// TestTheFileHasTheCurrentSecretAfterRotationsAtTheSameTime of another token.
func TestTheFileHasTheCurrentSecretAfterRotationsAtTheSameTime(t *testing.T) {
	r := newRotation(t)
	r.lose(nil)
	file := filepath.Join(t.TempDir(), "ci.token")
	create, printed := r.command("", "create")
	if err := create.Run(); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	_, rest, _ := strings.Cut(printed.String(), "with id: ")
	id, _, _ := strings.Cut(rest, " ")
	done := 0
	for range 6 {
		errs := make([]error, 4)
		var group sync.WaitGroup
		for n := range errs {
			group.Go(func() {
				cmd, _ := r.command("", "rotate", id, "--write-to", file, "--grace", "0")
				errs[n] = cmd.Run()
			})
		}
		group.Wait()
		for _, err := range errs {
			if err == nil {
				done++
			}
		}
		fresh, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if cmd, text := r.command(strings.TrimSpace(string(fresh)), "whoami"); cmd.Run() != nil {
			t.Fatalf("after %d rotations the token in the file does not pass: %s", done, text)
		}
	}
	if done < 6 {
		t.Errorf("%d rotations were done, want one in each of 6 rounds at least", done)
	}
}

// TestALostAnswerThatWouldBePrintedNamesItsKey: with the key, the next run prints
// the new secret.
func TestALostAnswerThatWouldBePrintedNamesItsKey(t *testing.T) {
	r := newRotation(t)
	r.lose(abort)
	cmd, printed := r.command("", "rotate", "self")
	err := cmd.Run()
	_, rest, found := strings.Cut(printed.String(), "--idempotency-key ")
	if err == nil || !found {
		t.Fatalf("got %v: %s", err, printed)
	}
	key, _, _ := strings.Cut(rest, ":")
	r.lose(nil)
	cmd, printed = r.command("", "rotate", "self", "--idempotency-key", key)
	if err := cmd.Run(); err != nil || !strings.Contains(printed.String(), "your token is: ") {
		t.Errorf("with the key: got %v: %s", err, printed)
	}
	if cmd, printed = r.command("", "rotate", "self"); cmd.Run() == nil || !strings.Contains(printed.String(), "permission_denied_by_credential") {
		t.Errorf("without the key: got %s", printed)
	}
}
