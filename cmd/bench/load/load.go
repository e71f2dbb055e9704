// Package load sends requests to a server, from a process of its own. It sends either
// as fast as the answers arrive, or on an open schedule at a constant rate.
//
// On an open schedule the time of a request begins when the request is due, and not
// when it is sent. So a slow answer also counts for the requests that had to wait for
// it, which a measurement from the sending would omit.
package load

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Job says what to send.
type Job struct {
	Addr        string // host:port
	Connections int
	Rate        int // requests in a second, of all connections together; 0: each connection sends after each answer
	For         time.Duration
	Requests    []Request // each connection sends them in turns, and begins at its own place
}

// Request is one request.
type Request struct {
	Text   string // as it is sent; Counter in it is replaced
	Kind   int    // from 0; the times of each kind are separate
	Status int    // the status of the answer; any other status ends the job
}

// Counter in a request becomes a number of as many digits, which no other request of
// the job has.
const Counter = "########"

// Result has the times of all answered requests by their kind.
type Result struct {
	Kinds [][]time.Duration
}

// late is how long after its end a job may still wait for answers.
const late = 10 * time.Second

// Run does the job. It is meant for a process that does nothing else: it uses one
// thread for each connection and changes the runtime's settings.
func Run(j Job) (Result, error) {
	if j.Connections < 1 || len(j.Requests) == 0 {
		return Result{}, fmt.Errorf("the job has %d connections and %d requests, want at least 1 of each", j.Connections, len(j.Requests))
	}
	prepare(j.Connections)
	senders := make([]*sender, j.Connections)
	for i := range senders {
		s, err := connect(j, i)
		if err != nil {
			return Result{}, err
		}
		defer s.file.Close()
		senders[i] = s
	}
	start := time.Now().Add(10 * time.Millisecond)
	var wg sync.WaitGroup
	errs := make([]error, len(senders))
	for i, s := range senders {
		wg.Go(func() { errs[i] = s.run(start) })
	}
	wg.Wait()
	return merge(j, senders), errors.Join(errs...)
}

// prepare changes the runtime's settings for so many threads.
func prepare(threads int) {
	runtime.GOMAXPROCS(threads + 4) // a thread that returns from a system call must never wait for another one
	debug.SetGCPercent(1000)
}

func connect(j Job, i int) (*sender, error) {
	c, err := net.Dial("tcp", j.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File() // a copy, in blocking mode
	if err != nil {
		return nil, err
	}
	s := newSender(j, i)
	s.file, s.fd = f, int(f.Fd())
	return s, setTimeout(s.fd, late)
}

func merge(j Job, senders []*sender) Result {
	kinds := 1 + slices.MaxFunc(j.Requests, func(a, b Request) int { return a.Kind - b.Kind }).Kind
	r := Result{Kinds: make([][]time.Duration, kinds)}
	for _, s := range senders {
		for kind, times := range s.times {
			r.Kinds[kind] = append(r.Kinds[kind], times...)
		}
	}
	return r
}

// Text is a request in HTTP/1.1.
func Text(method, path, token, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n", method, path, token)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body
}

// Count is the number of all requests.
func (r Result) Count() (n int) {
	for _, times := range r.Kinds {
		n += len(times)
	}
	return n
}

// Millis are the times in ms.
func Millis(times []time.Duration) []float64 {
	all := make([]float64, len(times))
	for i, d := range times {
		all[i] = float64(d) / float64(time.Millisecond)
	}
	return all
}
