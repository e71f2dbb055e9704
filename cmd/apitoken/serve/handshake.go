package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// secureListener accepts connections with TLS. Accept returns a connection after
// its handshake: only then it is known whether the client speaks HTTP/2, and
// machine.Listener must know. Handshakes run beside each other and have a deadline,
// so a slow client delays no other client.
type secureListener struct {
	net.Listener
	config *tls.Config
	logger *slog.Logger
	ready  chan net.Conn
	failed chan error // the error that ended the inner listener
	closed chan struct{}
	once   sync.Once
}

func newSecureListener(l net.Listener, config *tls.Config, logger *slog.Logger) net.Listener {
	s := &secureListener{
		Listener: l, config: config, logger: logger,
		ready: make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{}),
	}
	go s.acceptAll()
	return s
}

func (s *secureListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	case err := <-s.failed:
		s.failed <- err // for a later call
		return nil, err
	}
}

// Close ends the listener. Handshakes that still run end with it.
func (s *secureListener) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Listener.Close()
}

// acceptAll accepts connections until the inner listener fails. It waits after a
// failure that ends by itself, such as too many open files, as net/http does.
func (s *secureListener) acceptAll() {
	for {
		c, err := s.Listener.Accept()
		if err == nil {
			go s.handshake(c)
			continue
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			s.failed <- err
			return
		}
		s.logger.Warn("a connection was not accepted", "error", err)
		time.Sleep(acceptPause)
	}
}

const (
	handshakeTimeout = readHeaderTimeout
	acceptPause      = 50 * time.Millisecond
)

func (s *secureListener) handshake(raw net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout) // no request, so no context yet
	defer cancel()
	c := tls.Server(raw, s.config)
	if err := c.HandshakeContext(ctx); err != nil {
		s.refuse(raw, err)
		return
	}
	select {
	case s.ready <- c:
	case <-s.closed:
		_ = c.Close()
	}
}

// refuse closes a connection without a handshake. A client that spoke HTTP gets an
// answer that it can read.
func (s *secureListener) refuse(raw net.Conn, err error) {
	if bad, ok := errors.AsType[tls.RecordHeaderError](err); ok && bad.Conn != nil && looksLikeHTTP(bad.RecordHeader) {
		_ = raw.SetWriteDeadline(time.Now().Add(handshakeTimeout))
		machine.RefusePlainHTTP(raw, s.logger, httpapi.Face())
		return
	}
	s.logger.Warn("a TLS handshake failed", "address", raw.RemoteAddr().String(), "error", err)
	_ = raw.Close()
}

// looksLikeHTTP reports whether the first bytes of a connection begin a request.
func looksLikeHTTP(first [5]byte) bool {
	switch string(first[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO":
		return true
	}
	return false
}
