package briefhttp_test

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// FuzzRequestsAreThoseOfNetHTTP: the handler gets no request that the server of net/http
// would refuse, or would read in another way.
func FuzzRequestsAreThoseOfNetHTTP(f *testing.F) {
	for _, text := range []string{
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
		"POST /v1/auth/forward/envoy//a HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET http://b/c HTTP/1.1\nHost: a\nX-Original-URI: /a%2fb\n\tc\nx-original-uri: d\n\n",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\nHost: a\nhost: a\n\n", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		if tolerated.Match(sent) {
			return
		}
		var ours, theirs recorder
		s := newServer(ours.handle, io.Discard)
		ours.serve(s, sent)
		theirs.serve(&http.Server{Handler: http.HandlerFunc(theirs.handle), ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: maxHeader, DisableGeneralOptionsHandler: true}, sent)
		if len(ours.got) > len(theirs.got) || !slices.Equal(ours.got, theirs.got[:len(ours.got)]) {
			t.Errorf("%q became\n%v, and with net/http\n%v", sent, ours.got, theirs.got)
		}
	})
}

// tolerated is what net/http refuses, and this server does not: an unknown Expect, which
// RFC 9110, section 10.1.1, lets a server ignore.
var tolerated = regexp.MustCompile(`(?i)\nexpect`)

// recorder keeps the requests that came to its handler.
type recorder struct{ got []string }

func (r *recorder) handle(_ http.ResponseWriter, q *http.Request) { r.got = append(r.got, seen(q)) }

// serve gives a server one connection with these bytes, and returns when the server
// has closed it.
func (r *recorder) serve(s interface {
	Serve(net.Listener) error
	Close() error
}, sent []byte) {
	c := &memory{in: bytes.NewReader(sent), closed: make(chan struct{})}
	l := pipes{make(chan any, 1)}
	l.accepted <- c
	ended := make(chan struct{})
	go func() {
		s.Serve(l)
		close(ended)
	}()
	<-c.closed
	s.Close()
	<-ended
}

// memory is a connection whose peer has sent some bytes and nothing more.
type memory struct {
	in     *bytes.Reader
	once   sync.Once
	closed chan struct{}
	mu     sync.Mutex
}

func (m *memory) Read(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.in.Read(b)
}

func (m *memory) Write(b []byte) (int, error) { return len(b), nil }

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (*memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }
