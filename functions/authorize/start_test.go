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
	// maxBytes is the size limit of the function's binary.
	maxBytes = 9_000_000

	// maxRatio limits the time from the start of the process to its first poll,
	// compared with a function that does nothing.
	maxRatio = 1.8
)

// build builds a function as the deployment does.
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

// sandbox replaces Lambda and AWS in a test. It reports each poll of the runtime
// API, and counts all other calls.
type sandbox struct {
	polled chan time.Time
	other  atomic.Int32
	url    string

	events chan string // the events that the function gets
	failed chan string // the errors that the function reports
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

// start runs a function up to its first poll and returns the time until then.
func (s *sandbox) start(t testing.TB, file string) time.Duration {
	t.Helper()
	began := time.Now()
	stop := s.run(t, file)
	defer stop()
	return wait(t, s.polled).Sub(began)
}

// wait returns the next value of the channel. It fails the test after a minute
// without one.
func wait[T any](t testing.TB, values <-chan T) T {
	t.Helper()
	select {
	case v := <-values:
		return v
	case <-time.After(time.Minute):
		t.Fatal("the function sent nothing for a minute")
		panic("unreachable")
	}
}

// run starts a function; stop ends it.
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
		cmd.Wait() // the error says only that the process was killed
	}
}

// TestFunctionIsSmallAndStartsWithoutANetworkCall limits the size of the binary.
// The start calls only the runtime API.
func TestFunctionIsSmallAndStartsWithoutANetworkCall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	file := build(t, ".")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxBytes {
		t.Errorf("the function has %d bytes; at most %d are allowed", info.Size(), maxBytes)
	}
	s := newSandbox(t)
	s.start(t, file)
	if n := s.other.Load(); n > 0 {
		t.Errorf("the start made %d calls, want none", n)
	}
}

// TestBinaryReturnsExactlyUnauthorized runs the function as Lambda does. Code
// between the handler and the runtime API must not change the error for which
// API Gateway answers 401.
func TestBinaryReturnsExactlyUnauthorized(t *testing.T) {
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

// BenchmarkStart measures the time from the start of the process to the first
// poll of the runtime API. It measures a function that does nothing too, built
// in the same way, and fails if the ratio is above maxRatio.
func BenchmarkStart(b *testing.B) {
	ours, nothing := build(b, "."), build(b, "./testdata/nothing")
	s := newSandbox(b)
	s.start(b, ours) // so that both files are in the page cache
	s.start(b, nothing)
	var ourTimes, nothingTimes []time.Duration
	for len(ourTimes) < 40 || b.Loop() {
		ourTimes = append(ourTimes, s.start(b, ours))
		nothingTimes = append(nothingTimes, s.start(b, nothing))
	}
	ratio := float64(median(ourTimes)) / float64(median(nothingTimes))
	b.ReportMetric(ratio, "x")
	b.ReportMetric(float64(median(ourTimes).Microseconds())/1000, "ms/authorize")
	b.ReportMetric(float64(median(nothingTimes).Microseconds())/1000, "ms/nothing")
	if ratio > maxRatio {
		b.Errorf("the start takes %.2f times as long as that of a function that does nothing; at most %.2f are allowed", ratio, maxRatio)
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}
