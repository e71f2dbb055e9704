package briefhttp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	// IdleTime is the shortest time after which a connection ends whose peer asks
	// nothing, does not end its request, or does not read its answer. The longest is
	// IdleTime and renewTime. nginx keeps an idle connection for 60 s.
	IdleTime = 2 * time.Minute

	// renewTime is how old the limit of a connection may be: a new limit for each request
	// would cost as much as reading the token.
	renewTime = 30 * time.Second

	// HeaderTime is the longest time for the rest of a request after its first bytes. A
	// proxy sends its request in one piece. A connection without a request may wait for
	// IdleTime: proxies open connections in advance.
	HeaderTime = 10 * time.Second

	// StrangerTime is how long a peer that is not Known may take for its one request and
	// the answer.
	StrangerTime  = 5 * time.Second
	strangerBytes = 8 << 10

	// A body that nobody reads must not reset the connection before the peer has read
	// the answer. So this much of it is read and dropped, for so long.
	maxDrain  = 256 << 10
	drainTime = time.Second
)

// The states of a connection.
const (
	idle int32 = iota // it waits for a request
	busy
	ended
)

// conn is one connection. Apart from state, only its goroutine uses it.
type conn struct {
	net.Conn
	server  *Server
	known   bool
	ctx     context.Context // of all its requests
	remote  string          // the address of the peer
	limited io.LimitedReader
	in      *bufio.Reader
	answer  answer
	limit   time.Time // when the connection ends
	state   atomic.Int32
}

func newConn(s *Server, raw net.Conn) *conn {
	c := &conn{Conn: raw, server: s, known: s.Known == nil || s.Known(raw), ctx: context.WithValue(context.Background(), http.LocalAddrContextKey, raw.LocalAddr())}
	if peer := raw.RemoteAddr(); peer != nil { // nil if the peer left before the system named it
		c.remote = peer.String()
	}
	c.limited.R = raw
	c.in = bufio.NewReader(&c.limited)
	c.answer.header = http.Header{}
	return c
}

// endIfIdle closes the connection if it waits for a request. Otherwise it ends after
// the answer.
func (c *conn) endIfIdle() {
	if c.state.CompareAndSwap(idle, ended) {
		_ = c.Close()
	}
}

func (c *conn) end() { _ = c.Close() }

func (c *conn) serve() {
	defer c.Close()
	defer func() {
		if p := recover(); p != nil {
			// The value may have a secret in it, so only its type is logged.
			c.server.Logger.Error("the handler of a request panicked; its connection ends", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		}
	}()
	for c.next() {
	}
}

// next answers the next request. It reports whether the connection goes on.
func (c *conn) next() bool {
	c.limited.N = c.maxHeader()
	if c.renew() != nil {
		return false
	}
	if _, err := c.in.Peek(1); err != nil || !c.state.CompareAndSwap(idle, busy) {
		return false // the peer has left, or the server ends
	}
	if c.limitHeader() != nil {
		return false
	}
	r, status := c.read()
	if status == 0 {
		return false
	}
	if status != http.StatusOK {
		c.server.Refuse(c.Conn, status)
		c.drain()
		return false
	}
	if c.renew() != nil || c.respond(r) != nil {
		return false
	}
	if hasBody(r) || !c.known { // it may have sent more
		c.drain()
		return false
	}
	c.state.Store(idle)
	return !r.Close && !c.server.isClosing()
}

func (c *conn) maxHeader() int64 {
	if c.known {
		return c.server.MaxHeaderBytes
	}
	return min(strangerBytes, c.server.MaxHeaderBytes)
}

// renew moves the limit of the connection, if it is older than renewTime. That of a
// stranger stays.
func (c *conn) renew() error {
	now := time.Now()
	switch {
	case c.known && c.limit.Sub(now) >= IdleTime, !c.known && !c.limit.IsZero():
		return nil
	case c.known:
		c.limit = now.Add(IdleTime + renewTime)
	default:
		c.limit = now.Add(StrangerTime)
	}
	return c.SetDeadline(c.limit)
}

var endOfHeader = []byte("\r\n\r\n")

// limitHeader sets the limit for the rest of a header that did not come in one piece. A
// peer could otherwise keep a header of MaxHeaderBytes in memory for IdleTime, on each of
// its connections. The next renew sets the usual limit.
func (c *conn) limitHeader() error {
	if come, _ := c.in.Peek(c.in.Buffered()); !c.known || bytes.Contains(come, endOfHeader) {
		return nil
	}
	c.limit = time.Time{}
	return c.SetDeadline(time.Now().Add(HeaderTime)) // also for a refusal, which a slow peer may not read
}

// read reads a request. The status says why it is refused: 0 if the peer has left, 200
// if it is not refused.
func (c *conn) read() (*http.Request, int) {
	r, err := http.ReadRequest(c.in)
	switch {
	case err != nil && c.limited.N <= 0:
		return nil, http.StatusRequestHeaderFieldsTooLarge
	case err != nil && hasLeft(err):
		return nil, 0
	case err != nil:
		return nil, http.StatusBadRequest
	case r.ProtoMajor != 1:
		return nil, http.StatusHTTPVersionNotSupported
	case !strings.HasPrefix(r.RequestURI, "/"): // a whole address would hide a missing Host
		return nil, http.StatusBadRequest
	case r.Method == http.MethodConnect: // after its 200 no answer has a length, and the peer reads all bytes as those of a tunnel
		return nil, http.StatusBadRequest
	case r.Host == "" && r.ProtoMinor > 0: // RFC 9112, section 3.2
		return nil, http.StatusBadRequest
	case !httpguts.ValidHostHeader(r.Host) || !validHeader(r.Header):
		return nil, http.StatusBadRequest
	}
	r = r.WithContext(c.ctx)
	r.RemoteAddr = c.remote
	return r, http.StatusOK
}

// validHeader checks what http.ReadRequest leaves to its caller: a name with a space
// at its end, for example, is another name for one program and the same for the next.
func validHeader(h http.Header) bool {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return false
		}
	}
	return true
}

// hasLeft reports whether an error is that of the connection, and not of the request.
// The error of a target that cannot be read is a net.Error too, so its type is not asked.
func hasLeft(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func hasBody(r *http.Request) bool { return r.ContentLength != 0 }

// respond lets the handler answer, and writes the answer.
func (c *conn) respond(r *http.Request) error {
	a := &c.answer
	a.reset()
	c.server.Handler.ServeHTTP(a, r)
	if hasBody(r) || r.ProtoMinor == 0 || !c.known || c.server.isClosing() || a.closes() {
		r.Close = true
	}
	_, err := c.Write(a.encode(r))
	return err
}

// drain ends the answer, and drops what the peer still sends.
func (c *conn) drain() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(drainTime)) == nil {
		c.limited.N = maxDrain
		_, _ = io.Copy(io.Discard, c.in)
	}
}

// answer is the http.ResponseWriter of one request after the other.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	out    bytes.Buffer
}

func (a *answer) reset() {
	clear(a.header)
	a.status = 0
	a.body.Reset()
	a.out.Reset()
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. Only the first status counts. A status
// below 200 is not sent: a brief answer comes at once.
func (a *answer) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999: // as net/http does
		panic(fmt.Sprintf("the status %d does not have three digits", status))
	case status >= 200 && a.status == 0:
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !hasLength(a.status) {
		return 0, http.ErrBodyNotAllowed
	}
	return a.body.Write(b)
}

// hasLength reports whether an answer with this status may have a body. After another
// one, the peer would read the body as the beginning of the next answer.
func hasLength(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// closes reports whether the handler ends the connection.
func (a *answer) closes() bool {
	return httpguts.HeaderValuesContainsToken(a.header["Connection"], "close")
}

// encode returns the bytes of the answer. They are valid until the next request.
func (a *answer) encode(r *http.Request) []byte {
	a.WriteHeader(http.StatusOK)
	fmt.Fprintf(&a.out, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	a.header["Date"] = []string{time.Now().UTC().Format(http.TimeFormat)}
	a.setLength(r.Method)
	delete(a.header, "Connection")
	if r.Close {
		a.header["Connection"] = []string{"close"}
	}
	_ = a.header.Write(&a.out) // a buffer returns no error
	a.out.WriteString("\r\n")
	if r.Method != http.MethodHead {
		a.out.Write(a.body.Bytes())
	}
	return a.out.Bytes()
}

// setLength sets the headers that say where the answer ends. Those of the handler do not
// count: if the length were wrong, each later answer on the connection would begin at a
// wrong place, and a client would get the verdict about another one. For HEAD the handler
// may know the length better.
func (a *answer) setLength(method string) {
	delete(a.header, "Transfer-Encoding")
	switch {
	case !hasLength(a.status):
		delete(a.header, "Content-Length")
	case method != http.MethodHead || len(a.header["Content-Length"]) != 1:
		a.header["Content-Length"] = []string{strconv.Itoa(a.body.Len())}
	}
}
