package load

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestASlowAnswerCountsForTheRequestsAfterIt: on an open schedule a request is due
// whether or not the server has answered the one before.
func TestASlowAnswerCountsForTheRequestsAfterIt(t *testing.T) {
	const stall = 300 * time.Millisecond
	var once sync.Once
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { once.Do(func() { time.Sleep(stall) }) }))
	defer s.Close()
	j := Job{Addr: s.Listener.Addr().String(), Connections: 1, Rate: 100, For: 500 * time.Millisecond, Requests: []Request{{Text: Text("GET", "/", "t", ""), Status: 200}}}
	r, err := Run(j)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count() != 50 {
		t.Errorf("got %d requests, want 100 a second in half a second, 50", r.Count())
	}
	late := 0
	for _, took := range r.Kinds[0] {
		if took > 50*time.Millisecond {
			late++
		}
	}
	if late < 24 {
		t.Errorf("%d requests waited more than 50 ms, want the 25 that were due in the first 250 ms of the stall", late)
	}
}

// TestRequestsAreSentInTurnsWithTheirOwnNumbers, over all connections.
func TestRequestsAreSentInTurnsWithTheirOwnNumbers(t *testing.T) {
	var mu sync.Mutex
	paths, bodies, addresses := map[string]int{}, map[string]int{}, map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		paths[r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")]++
		addresses[r.RemoteAddr] = true
		if len(body) > 0 {
			bodies[string(body)]++
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer s.Close()
	// On a schedule a connection that gets no processor for a while sends its part later.
	j := Job{Addr: s.Listener.Addr().String(), Connections: 4, Rate: 400, For: 100 * time.Millisecond, Requests: []Request{
		{Text: Text("GET", "/a", "t1", ""), Kind: 1, Status: 200}, {Text: Text("POST", "/b", "t2", `{"n":"`+Counter+`"}`), Kind: 0, Status: 403},
	}}
	r, err := Run(j)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock() // a handler may still end
	defer mu.Unlock()
	gets, posts := paths["GET /a Bearer t1"], paths["POST /b Bearer t2"]
	if len(paths) != 2 || len(r.Kinds) != 2 || len(r.Kinds[1]) != gets || len(r.Kinds[0]) != posts || gets == 0 || max(gets-posts, posts-gets) > 4 {
		t.Errorf("the server saw %v, the result has %d and %d times", paths, len(r.Kinds[0]), len(r.Kinds[1]))
	}
	if len(bodies) != posts || bodies[`{"n":"`+Counter+`"}`] > 0 {
		t.Errorf("%d requests had only %d different bodies", posts, len(bodies))
	}
	if len(addresses) != 4 {
		t.Errorf("the requests came over %d connections, want 4", len(addresses))
	}
}

func TestAnUnexpectedAnswerEndsTheJob(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	j := Job{Addr: s.Listener.Addr().String(), Connections: 2, For: time.Minute, Requests: []Request{{Text: Text("GET", "/", "t", ""), Status: 200}}}
	if _, err := Run(j); err == nil || !strings.Contains(err.Error(), "404, want 200") {
		t.Errorf("got %v, want an error with both statuses", err)
	}
	if _, err := Run(Job{Addr: j.Addr}); err == nil {
		t.Error("a job without requests ended without an error")
	}
}

func TestAnswersAreReadOneByOne(t *testing.T) {
	const two = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX: y\r\n\r\nhelloHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
	r := bufio.NewReader(strings.NewReader(two))
	var got []int
	for range 3 {
		status, err := readAnswer(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, status)
	}
	if !slices.Equal(got, []int{200, 204, 403}) || r.Buffered() > 0 {
		t.Errorf("got %v with %d bytes left, want 200, 204 and 403", got, r.Buffered())
	}
	for _, bad := range []string{
		"", "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
	} {
		if status, err := readAnswer(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("%q: got the status %d, want an error", bad, status)
		}
	}
}

// TestConnectionsTakeTurnsOnTheSchedule: the requests of all connections together
// have the same distance.
func TestConnectionsTakeTurnsOnTheSchedule(t *testing.T) {
	start := time.Now()
	j := Job{Connections: 3, Rate: 1000}
	var due []time.Duration
	for n := range 4 {
		for i := range j.Connections {
			due = append(due, newSender(j, i).due(start, n).Sub(start))
		}
	}
	for n, got := range due {
		if want := time.Duration(n) * time.Millisecond; got != want {
			t.Errorf("request %d is due after %v, want %v", n, got, want)
		}
	}
}

// TestBlocksAreSentByTurns to two servers: each round begins with another one, and each
// connection goes on where its last block ended.
func TestBlocksAreSentByTurns(t *testing.T) {
	var mu sync.Mutex
	var asked []string // in order
	var jobs []Job
	for _, name := range []string{"a", "b"} {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, name+r.URL.Path)
		}))
		defer s.Close()
		jobs = append(jobs, Job{Addr: s.Listener.Addr().String(), Connections: 1, Requests: []Request{
			{Text: Text("GET", "/1", "t", ""), Status: 200}, {Text: Text("GET", "/2", "t", ""), Status: 200}, {Text: Text("GET", "/3", "t", ""), Status: 200},
		}})
	}
	want := []string{"a/1", "a/2", "b/1", "b/2", "b/3", "b/1", "a/3", "a/1"}
	var results []Result
	var order []string
	for span := 100 * time.Millisecond; len(order) < len(want) && span < time.Minute; span *= 4 { // a busy machine sends few requests
		mu.Lock()
		asked = nil
		mu.Unlock()
		var err error
		if results, err = RunBlocks(Blocks{Jobs: jobs, Size: 2, For: span}); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		order = slices.Clone(asked)
		mu.Unlock()
	}
	if len(order) < len(want) || !slices.Equal(order[:len(want)], want) {
		t.Errorf("got the order %q..., want %q", order[:min(len(order), len(want))], want)
	}
	if results[0].Count() != results[1].Count() || results[0].Count()+results[1].Count() != len(order) {
		t.Errorf("got %d and %d times of %d requests", results[0].Count(), results[1].Count(), len(order))
	}
	jobs[1].Requests[2].Status = 403
	if _, err := RunBlocks(Blocks{Jobs: jobs, Size: 2, For: time.Minute}); err == nil || !strings.Contains(err.Error(), "200, want 403") {
		t.Errorf("got %v, want an error about the status", err)
	}
	if _, err := RunBlocks(Blocks{Jobs: jobs}); err == nil {
		t.Error("blocks without a request were sent")
	}
}
