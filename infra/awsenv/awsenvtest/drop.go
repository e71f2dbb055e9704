// Package awsenvtest replaces AWS in tests of clients. Only tests use it.
package awsenvtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Drops is a server that keeps each connection open after an answer, and closes
// the connection without an answer when the next request arrives on it. AWS does
// that with a connection that was idle for too long.
type Drops struct {
	URL     string
	dropped atomic.Int32
}

// requests is the key of a connection's number of requests.
type requests struct{}

// NewDrops starts a server that answers a request with 200 and this body.
func NewDrops(t testing.TB, contentType, body string) *Drops {
	t.Helper()
	d := &Drops{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(requests{}).(*atomic.Int32).Add(1) > 1 {
			d.dropped.Add(1)
			panic(http.ErrAbortHandler) // closes the connection
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		io.WriteString(w, body)
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, requests{}, new(atomic.Int32))
	}
	server.Start()
	t.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

// ExpectLittle checks that a call which meets a dropped connection takes less than
// 50 ms in the median. A busy machine has five tries.
func (d *Drops) ExpectLittle(t testing.TB, call func() error) {
	t.Helper()
	var cost time.Duration
	for range 5 {
		if cost = d.cost(t, call); cost < 50*time.Millisecond {
			return
		}
	}
	t.Errorf("a call on a closed connection takes %v in the median, want less than 50 ms", cost)
}

// cost calls call until the server has dropped 15 connections. It returns the
// median time of those calls that met a dropped connection.
func (d *Drops) cost(t testing.TB, call func() error) time.Duration {
	t.Helper()
	var times []time.Duration
	for tries := 0; len(times) < 15; tries++ {
		before, began := d.dropped.Load(), time.Now()
		if err := call(); err != nil {
			t.Fatalf("call %d: %v", tries, err)
		}
		if d.dropped.Load() > before {
			times = append(times, time.Since(began))
		}
		if tries > 100 {
			t.Fatalf("the server dropped %d connections in %d calls, so the client does not keep connections", len(times), tries)
		}
	}
	slices.Sort(times)
	return times[len(times)/2]
}
