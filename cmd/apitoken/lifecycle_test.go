package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run starts a server on dir. The server ends with the test.
func run(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	s, err := startServer(exec.Command("apitoken", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, flags...)...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.end(syscall.SIGKILL)
		}
	})
	return s
}

// firstFiles are the files that a first start makes, in order.
var firstFiles = []string{"peppers", "apitoken.db", "events.jsonl", "admin.pending", "admin.token"}

// TestNextStartRepairsAKilledFirstStart kills first starts as soon as each of their
// files is on disk, and a random time later. The next start, which is not killed,
// must leave exactly one live token of the administrator.
func TestNextStartRepairsAKilledFirstStart(t *testing.T) {
	for _, file := range firstFiles {
		for _, late := range []time.Duration{0, rand.N(10 * time.Millisecond)} {
			dir := filepath.Join(t.TempDir(), "data")
			killAt(t, dir, file, late)
			killAt(t, dir, file, late) // a start may be killed more than once
			s := run(t, dir)
			if got := liveAdminTokens(t, s, dir); got != 1 {
				t.Errorf("killed %v after %s: the administrator has %d live tokens, want only the one in the file", late, file, got)
			}
			if err := s.end(syscall.SIGINT); err != nil {
				t.Errorf("SIGINT: %v, want exit 0", err)
			}
		}
	}
}

// killAt starts a server and kills it when the file exists and late has passed.
func killAt(t *testing.T, dir, file string, late time.Duration) {
	t.Helper()
	cmd := exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until) && !has(dir, file) && !bootstrapped(dir); {
	}
	time.AfterFunc(late, func() { cmd.Process.Kill() })
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("a start that should have been killed ended with %v", err)
	}
}

func has(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

// bootstrapped reports whether an earlier start made all its files. Later starts
// then do not make all of them again.
func bootstrapped(dir string) bool { return has(dir, "admin.token") && !has(dir, "admin.pending") }

func liveAdminTokens(t *testing.T, s *server, dir string) int {
	t.Helper()
	cmd := exec.Command("apitoken", "list", "--owner", "admin", "--output", "text", "--url", s.url, "--token-file", filepath.Join(dir, "admin.token"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the token in the file does not work: %v", err)
	}
	return bytes.Count(out, []byte("\n"))
}

// TestRequestInFlightIsAnsweredBeforeTheEnd ends the server when it has received
// half a request. The request must be answered, its token must be stored and its
// event published, and the process must exit with 0.
func TestRequestInFlightIsAnsweredBeforeTheEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := run(t, dir)
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"name": "in flight"}`
	fmt.Fprintf(conn, "POST /v1/auth/access-tokens/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", bytes.TrimSpace(token), len(body))
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); !strings.Contains(line, "100 Continue") {
		t.Fatalf("the handler does not ask for the body: %q, %v", line, err)
	}
	answer.ReadString('\n')
	ended := make(chan error, 1)
	go func() { ended <- s.end(syscall.SIGTERM) }()
	untilRefused(t, address)

	io.WriteString(conn, body)
	res, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatalf("the request in flight has no answer: %v", err)
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || err != nil {
		t.Errorf("the request in flight was answered %s %s (%v), want 200", res.Status, got, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v, want exit 0", err)
	}
	published, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil || !bytes.Contains(published, []byte(`in flight`)) {
		t.Errorf("the event of the request was not published (%v)", err)
	}
}

// untilRefused waits until the server refuses connections.
func untilRefused(t *testing.T, address string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("the server still accepts connections")
}

func TestLongHeadersAreRefused(t *testing.T) {
	s := run(t, filepath.Join(t.TempDir(), "data"))
	r, err := http.NewRequest("GET", s.url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KB of headers were answered %s, want 431", res.Status)
	}
}

// TestInterruptedCreateSaysThatATokenMayExist interrupts a create before its
// answer arrives.
func TestInterruptedCreateSaysThatATokenMayExist(t *testing.T) {
	asked := make(chan bool)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // without this read the handler would not notice the end of the request
		asked <- true
		<-r.Context().Done()
	}))
	defer silent.Close()
	cmd := exec.Command("apitoken", "create")
	cmd.Env = append(os.Environ(), "APITOKEN_URL="+silent.URL, "APITOKEN_TOKEN=JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", "APITOKEN_TOKEN_FILE=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 130 {
		t.Errorf("create ended with %v, want exit code 130", err)
	}
	want := "apitoken: interrupted: the token may have been created; if `apitoken list` shows it, revoke it\n"
	if stderr.String() != want {
		t.Errorf("standard error is %q, want %q", stderr.String(), want)
	}
}
