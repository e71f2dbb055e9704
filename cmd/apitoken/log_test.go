package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestAnEndedServerHasWrittenTheLineOfEachAnswer, although it collects the lines, and
// although it ends right after the last answer.
func TestAnEndedServerHasWrittenTheLineOfEachAnswer(t *testing.T) {
	s := serveIn(t, t.TempDir(), "data")
	const clients, each = 4, 25
	ids := make(chan string, clients*each)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if id := askOnce(t, s.url); id != "" {
					ids <- id
				}
			}
		})
	}
	wg.Wait()
	close(ids)
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if len(ids) != clients*each {
		t.Fatalf("got %d answers, want %d", len(ids), clients*each)
	}
	log := s.log.String()
	for id := range ids {
		if !strings.Contains(log, id) {
			t.Fatalf("the log has no line of the request %s:\n%s", id, log)
		}
	}
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			t.Errorf("a line is not whole: %q", line)
		}
	}
}

// TestARunningServerWritesALineSoon after its answer, without another request.
func TestARunningServerWritesALineSoon(t *testing.T) {
	s := serveIn(t, t.TempDir(), "data")
	id := askOnce(t, s.url)
	for wait := time.Duration(0); !strings.Contains(s.log.String(), id); wait += 10 * time.Millisecond {
		if wait > time.Minute {
			t.Fatalf("the log has no line of the request %s:\n%s", id, s.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// askOnce sends a request and returns the id of the request.
func askOnce(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url + "/v1/session/who-am-i")
	if err != nil {
		t.Error(err)
		return ""
	}
	r.Body.Close()
	return r.Header.Get("X-Request-Id")
}

// TestAServerThatCannotStartSaysWhy: the reason is the last line, after all lines of the
// log.
func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	dir := t.TempDir()
	serveIn(t, dir, "data")
	var stderr bytes.Buffer
	c := exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	c.Stderr = &stderr
	err := c.Run()
	if got := fmt.Sprint(err); got != "exit status 1" {
		t.Errorf("got %s, want exit status 1", got)
	}
	if !strings.HasPrefix(stderr.String(), "apitoken: opening the store ") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("got the messages\n%s\nwant the reason", stderr.String())
	}
}
