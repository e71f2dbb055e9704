package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// maxBytes is how large the function may be.
	maxBytes = 9_000_000

	// maxRatio is how much longer than a function that does nothing it may
	// take from the start of its process to its first poll.
	maxRatio = 1.8
)

// build makes a function as the deployment does.
func build(t testing.TB, pkg string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return file
}

// sandbox stands in for Lambda and for AWS: it tells when the runtime API was
// polled, and counts whatever else is called.
type sandbox struct {
	polled chan time.Time
	other  atomic.Int32
	url    string

	events chan string // what polls get
	failed chan string // what the function reports as its failure
}

func newSandbox(t testing.TB) *sandbox {
	t.Helper()
	s := &sandbox{polled: make(chan time.Time, 2), events: make(chan string, 1), failed: make(chan string, 1)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const api = "/2018-06-01/runtime/invocation/"
	switch r.Method + r.URL.Path {
	case "GET" + api + "next":
		s.polled <- time.Now()
		select {
		case event := <-s.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			io.WriteString(w, event)
		case <-r.Context().Done():
		}
	case "POST" + api + "1/error":
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		s.failed <- string(body)
	default:
		s.other.Add(1)
	}
}

// start runs a function up to its first poll and gives the time that took.
func (s *sandbox) start(t testing.TB, file string) time.Duration {
	t.Helper()
	began := time.Now()
	stop := s.run(t, file)
	defer stop()
	return wait(t, s.polled).Sub(began)
}

// wait gives up on a function that says nothing.
func wait[T any](t testing.TB, said <-chan T) T {
	t.Helper()
	select {
	case v := <-said:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("the function says nothing")
		panic("unreachable")
	}
}

// run starts a function.
func (s *sandbox) run(t testing.TB, file string) (stop func()) {
	t.Helper()
	cmd := exec.Command(file)
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(s.url, "http://"), "AWS_LAMBDA_FUNCTION_NAME=authorize",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=test", "AWS_ENDPOINT_URL=" + s.url,
		"TOKEN_TABLE=tokens", "PEPPERS=test:" + strings.Repeat("QUJD", 11),
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait() // it was killed; how it ended says nothing
	}
}

// TestFunctionIsSmallAndStartsWithoutACall holds the size of the binary, and
// that starting touches no network but the runtime's own.
func TestFunctionIsSmallAndStartsWithoutACall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	file := build(t, ".")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBytes {
		t.Errorf("the function has %d bytes, %d are allowed", info.Size(), maxBytes)
	}
	s := newSandbox(t)
	s.start(t, file)
	if n := s.other.Load(); n > 0 {
		t.Errorf("starting made %d calls", n)
	}
}

// TestBinarySaysUnauthorizedToTheLetter runs the function as Lambda does: what
// stands between the handler and the runtime API must not touch the error that
// API Gateway turns into 401.
func TestBinarySaysUnauthorizedToTheLetter(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	s := newSandbox(t)
	s.events <- `{"type":"TOKEN","authorizationToken":"Bearer garbage","methodArn":"arn:aws:execute-api:us-east-1:1:a/prod/GET/x"}`
	stop := s.run(t, build(t, "."))
	defer stop()
	var got struct{ ErrorMessage string }
	if err := json.Unmarshal([]byte(wait(t, s.failed)), &got); err != nil || got.ErrorMessage != "Unauthorized" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// BenchmarkStart measures the start of the process up to the first poll of the
// runtime API, side by side with a function that does nothing, built alike. It
// fails above the ratio that is allowed.
func BenchmarkStart(b *testing.B) {
	ours, nothing := build(b, "."), build(b, "./testdata/nothing")
	s := newSandbox(b)
	s.start(b, ours) // both files are in the page cache from here on
	s.start(b, nothing)
	var us, them []time.Duration
	for len(us) < 40 || b.Loop() {
		us = append(us, s.start(b, ours))
		them = append(them, s.start(b, nothing))
	}
	ratio := float64(median(us)) / float64(median(them))
	b.ReportMetric(ratio, "x")
	b.ReportMetric(float64(median(us).Microseconds())/1000, "ms/authorize")
	b.ReportMetric(float64(median(them).Microseconds())/1000, "ms/nothing")
	if ratio > maxRatio {
		b.Errorf("starting takes %.2f times as long as doing nothing, %.2f are allowed", ratio, maxRatio)
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}
