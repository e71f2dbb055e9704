// Package briefhttp serves brief requests over HTTP/1.0 and HTTP/1.1: they come without
// a body from a peer that keeps its connection, and their answers are small. The
// questions of a reverse proxy are such requests.
//
// net/http reads each request and writes the headers of each answer. Only the loop
// around it is here. The server of net/http also starts a goroutine, a context and
// timers for each request. Beside a verdict, which is ready in some microseconds, that
// is most of the time that a proxy waits: the row "verdict through nginx" of cmd/bench
// measures it.
//
// It promises:
//   - One request after the other is answered on a connection, whole and in order.
//   - A request with a body gets its answer at once. The body is not read, and the
//     connection ends.
//   - The server says where an answer ends, and not the handler. So no error of a handler
//     moves the answer to one request to another request.
//   - What net/http cannot read, or is too large, is refused, and the connection ends.
//   - A peer that sends its request slowly, does not read its answer or asks nothing
//     more loses its connection, see IdleTime and HeaderTime. One that is not
//     Known loses it much sooner.
//
// These differences from the server of net/http are intended:
//   - A target must begin with a slash, HTTP/1.1 needs a Host that is not empty, and
//     CONNECT is refused. The peers are proxies, and none of them asks in another way.
//   - The answer to HTTP/1.0 ends the connection. An empty line before a request is refused.
//   - Expect is ignored: the answer never waits for a body, so there is no 100 Continue.
//     An unknown encoding of a body is refused with 400, and not with 501.
//   - There are no informational answers, trailers, upgrades, flushes and hijacks.
//   - The context of a request does not end when the peer leaves: a brief request is soon
//     answered.
//   - As in net/http, the number of connections has no limit but that of the open files.
package briefhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server serves one listener. Handler, Refuse and Logger are required.
type Server struct {
	Handler http.Handler

	// Refuse writes the last answer on a connection whose request cannot be read. The
	// status is 400, 431 (the header is longer than MaxHeaderBytes) or 505.
	Refuse func(c net.Conn, status int)

	// MaxHeaderBytes is the largest size of a request, which has no body.
	// http.DefaultMaxHeaderBytes is usual.
	MaxHeaderBytes int64

	// Known reports whether a peer may keep its connection; nil: every peer may. Each
	// other peer is a stranger: it has StrangerTime for one request with a header of at
	// most strangerBytes, so that it takes no memory and no files from the others.
	Known func(net.Conn) bool

	Logger *slog.Logger // for panics of the handler, and for a listener that fails

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]bool
	closing  bool
	serving  sync.WaitGroup // of the connections
}

// Serve accepts connections until Shutdown or Close. Its error is then
// http.ErrServerClosed. If a connection cannot be accepted, for example because too many
// files are open, it waits for a second at most and tries again.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener, s.conns = l, map[*conn]bool{}
	closing := s.closing
	s.mu.Unlock()
	if closing {
		_ = l.Close() // as net/http does: nothing else would close it
		return http.ErrServerClosed
	}
	for wait := time.Duration(0); ; {
		raw, err := l.Accept()
		if err == nil {
			wait = 0
			s.start(raw)
			continue
		}
		if s.isClosing() {
			return http.ErrServerClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.Logger.Warn("a connection could not be accepted; it is tried again", "error", err, "after", wait.String())
		time.Sleep(wait)
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// start serves a connection in a goroutine of its own.
func (s *Server) start(raw net.Conn) {
	c := newConn(s, raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		_ = raw.Close()
		return
	}
	s.conns[c] = true
	s.serving.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

// Shutdown closes the listener and the connections that wait for a request. It returns
// when the others have their answers, or with the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.end((*conn).endIfIdle)
	ended := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the listener and all connections.
func (s *Server) Close() error { return s.end((*conn).end) }

func (s *Server) end(each func(*conn)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	closed := s.closing
	s.closing = true
	for c := range s.conns {
		each(c)
	}
	if s.listener == nil || closed {
		return nil
	}
	return s.listener.Close()
}
