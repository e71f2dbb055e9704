package machine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Listener returns a listener for a server of net/http that runs the handler of
// New. net/http refuses some requests itself and answers them as plain text: a
// request line or a header that it cannot read, a header that is too large, an
// unknown version or expectation. On the connections of this listener such an
// answer is a problem in the form of a face, with a request id and a log line.
//
// The listener passes connections that speak HTTP/2 (*tls.Conn after a handshake)
// on without a change.
func Listener(l net.Listener, logger *slog.Logger, f Face) net.Listener {
	return listener{l, refuser{logger, f.Form}}
}

// refuser writes the last answer on a connection.
type refuser struct {
	logger *slog.Logger
	form   func(*Problem) Form
}

type listener struct {
	net.Listener
	refuser
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*tls.Conn); ok {
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			return t, nil
		}
		return &secureConn{&conn{Conn: t, refuser: l.refuser}}, nil
	}
	return &conn{Conn: c, refuser: l.refuser}, nil
}

// conn replaces the plain-text answers of net/http.
type conn struct {
	net.Conn
	refuser
	refused atomic.Bool
}

// secureConn also gives net/http the state of a TLS connection, for Request.TLS.
type secureConn struct{ *conn }

func (c *secureConn) ConnectionState() tls.ConnectionState {
	return c.Conn.(*tls.Conn).ConnectionState()
}

// Write sends the bytes, or a problem in place of a plain-text answer. net/http
// writes such an answer in one call.
func (c *conn) Write(b []byte) (int, error) {
	line, plain := plainAnswer(b)
	if !plain {
		return c.Conn.Write(b)
	}
	c.refused.Store(true)
	if err := c.refuse(c.Conn, refusalOf(line)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// maxDrain is the number of bytes that are read then.
const maxDrain = 256 << 10

// Close closes the connection. After a refusal it first reads what the client
// still sends.
func (c *conn) Close() error {
	if c.refused.Load() && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, maxDrain)
	}
	return c.Conn.Close()
}

// CloseWrite ends the answer. net/http calls it after a refusal.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// requestIDHeader is in each answer of this package and in none of net/http.
var requestIDHeader = []byte("\r\nX-Request-Id: ")

// plainAnswer reports whether the bytes are an error answer of net/http itself,
// and returns the status line. Bytes that are a later part of an answer never
// match: no body of this package has a carriage return.
func plainAnswer(b []byte) (line string, plain bool) {
	if len(b) < len("HTTP/1.1 400") || !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[9] != '4' && b[9] != '5' {
		return "", false
	}
	head, _, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole || bytes.Contains(head, requestIDHeader) {
		return "", false
	}
	first, _, _ := bytes.Cut(head, []byte("\r\n"))
	return string(first), true
}

// refusalOf returns the problem for a status line of net/http. The texts in status
// lines are constants of net/http.
func refusalOf(line string) *Problem {
	_, text, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(text, " ")
	_, reason, _ := strings.Cut(text, ": ")
	switch status, _ := strconv.Atoi(code); status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return headerTooLarge("32 KB")
	case http.StatusNotImplemented:
		return NewProblem("transfer_unsupported", "The request's Transfer-Encoding is not supported; allowed: chunked.")
	case http.StatusHTTPVersionNotSupported:
		return NewProblem("version_unsupported", "The request's version of HTTP is not supported; allowed: HTTP/1.0 and HTTP/1.1, and HTTP/2 with TLS.")
	case http.StatusExpectationFailed:
		return NewProblem("expectation_unsupported", "The request's header Expect is not supported; allowed: 100-continue.")
	}
	if reason != "" {
		return NewProblem("malformed_request", "The request is not valid HTTP: "+reason+".")
	}
	return NewProblem("malformed_request", "The request is not valid HTTP: its request line, its path or a header cannot be read.")
}

func headerTooLarge(most string) *Problem {
	return NewProblem("header_too_large", "The request's path and headers are too large; at most "+most+" are allowed.")
}

// Refuser returns a function that answers what another server than that of net/http
// cannot read, with the status 400, 431 or 505. most is the largest size of a header, in
// words. The function logs each refusal.
func Refuser(logger *slog.Logger, f Face, most string) func(c net.Conn, status int) {
	r := refuser{logger, f.Form}
	return func(c net.Conn, status int) {
		p := refusalOf(fmt.Sprintf("HTTP/1.1 %d", status))
		if status == http.StatusRequestHeaderFieldsTooLarge {
			p = headerTooLarge(most)
		}
		_ = r.refuse(c, p) // the client has gone
	}
}

// RefusePlainHTTP answers a client that sent a request without TLS to a port with
// TLS. It logs the refusal and closes the connection.
func RefusePlainHTTP(raw net.Conn, logger *slog.Logger, f Face) {
	c := &conn{Conn: raw, refuser: refuser{logger, f.Form}}
	c.refused.Store(true)
	_ = c.refuse(raw, NewProblem("malformed_request", "The request came without TLS, but this port speaks https: begin the address with https://."))
	_ = c.Close() // the client has gone
}

// refuse writes a problem as the last answer on a connection that has no request
// that net/http can read, and logs it.
func (r refuser) refuse(c net.Conn, p *Problem) error {
	p.RequestID = rand.Text()
	form := r.form(p)
	r.logger.LogAttrs(context.Background(), slog.LevelInfo, "request", // there is no request, so no context
		slog.String("operation", "none"), slog.String("code", p.Code), slog.String("address", addressOf(c)),
		slog.Int("status", form.Status), slog.String("request_id", p.RequestID))
	body := form.encoded()
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", form.Status, http.StatusText(form.Status))
	h := http.Header{
		"Content-Type": {form.Type}, "Content-Length": {strconv.Itoa(len(body))}, "Connection": {"close"},
		"Date": {time.Now().UTC().Format(http.TimeFormat)}, "X-Request-Id": {p.RequestID},
		"X-Content-Type-Options": noSniff, "Content-Security-Policy": contentPolicy, "Cache-Control": noStore,
	}
	_ = h.Write(&b) // a buffer returns no error
	b.WriteString("\r\n")
	b.Write(body)
	_, err := c.Write(b.Bytes())
	return err
}

func addressOf(c net.Conn) string {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return textOf(at.Addr().Unmap())
}
