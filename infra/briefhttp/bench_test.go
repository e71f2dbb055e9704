package briefhttp_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// BenchmarkRequest is the work of one request that nginx sends, without the network.
func BenchmarkRequest(b *testing.B) {
	s := newServer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }, io.Discard)
	l := pipes{make(chan any, 1)}
	c := &repeated{left: b.N, ended: make(chan struct{})}
	b.ReportAllocs()
	b.ResetTimer()
	l.accepted <- c
	go s.Serve(l)
	<-c.ended
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// repeated is a connection whose peer sends the same request so many times.
type repeated struct {
	net.Conn
	left  int
	ended chan struct{}
}

const question = "GET /v1/auth/forward/nginx HTTP/1.1\r\nHost: apitoken\r\nX-Original-Method: GET\r\nX-Original-URI: /things/7?a=b\r\nX-Real-IP: 192.0.2.7\r\n" +
	"Authorization: Bearer abcdefgh.abcdefghijklmnopqrstuvwxyzabcdef\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(b, question), nil
}

func (r *repeated) Write(b []byte) (int, error) { return len(b), nil }

func (r *repeated) Close() error {
	close(r.ended)
	return nil
}

func (*repeated) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8081} }
func (*repeated) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }
func (*repeated) SetDeadline(time.Time) error { return nil }
