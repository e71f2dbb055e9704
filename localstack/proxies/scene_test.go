package proxies

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/cmd/apitoken/proxyconfig"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi/forward"
	"apitoken/infra/bolt/bolttest"
)

// scene is a service, a backend, and a proxy between its clients and the backend.
type scene struct {
	*testing.T
	*issuer.Issuer
	backend *backend
	ask     *httptest.Server // where the proxy asks
	down    atomic.Bool      // the store does not answer
	address string           // of the proxy
	events.Store
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, Store: bolttest.Open(t), backend: newBackend(t)}
	s.Issuer = issuer.New(issuer.Config{Store: s, Keys: storetest.Keys})
	s.ask = httptest.NewServer(forward.New(forward.Config{Guard: s.Guard(), Logger: slog.New(slog.DiscardHandler)}))
	t.Cleanup(s.ask.Close)
	s.address = freeAddress(t)
	return s
}

// Token fails while the store is down.
func (s *scene) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	if s.down.Load() {
		return events.View{}, events.Use{}, errors.New("the store is down")
	}
	return s.Store.Token(ctx, id)
}

func (s *scene) create(owner string, w token.Wish) (id, text string) {
	s.Helper()
	made, shown, err := s.Create(s.Context(), guard.Principal{Owner: owner}, "", w)
	if err != nil {
		s.Fatal(err)
	}
	return made.ID, shown.Reveal()
}

// config is the file of a proxy with the addresses of the scene.
func (s *scene) config(proxy string) string {
	s.Helper()
	text, err := proxyconfig.Config(proxy, proxyconfig.Addresses{
		Listen: s.address, Forward: s.ask.Listener.Addr().String(), Backend: s.backend.Listener.Addr().String(),
	})
	if err != nil {
		s.Fatal(err)
	}
	return text
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// seen is a request that reached the backend.
type seen struct {
	method, target string
	header         http.Header
	body           []byte
}

// backend is the guarded service. It echoes bodies, and the messages of a websocket.
type backend struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	b.mu.Lock()
	b.seen = append(b.seen, seen{r.Method, r.RequestURI, r.Header.Clone(), body})
	b.mu.Unlock()
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		echoSocket(w, r)
		return
	}
	if r.URL.Path == "/fails" {
		w.WriteHeader(http.StatusInternalServerError)
	}
	w.Write(body)
}

// echoSocket accepts a websocket (RFC 6455) and sends back the bytes that follow.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	both.Flush()
	io.Copy(conn, both)
}

// take returns the requests since the last call.
func (b *backend) take() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.seen
	b.seen = nil
	return all
}

// call is a request of a client, written as it is here.
type call struct {
	method  string // default GET
	target  string // default /public/x
	token   string
	headers []string // lines
	body    string
	chunked bool
}

// answer is what the client got, and what the backend saw.
type answer struct {
	*http.Response
	body []byte
	seen []seen
}

// send sends a call to the proxy.
func (s *scene) send(c call) answer {
	s.Helper()
	s.backend.take()
	conn := s.dial()
	defer conn.Close()
	method, text := c.text()
	go io.WriteString(conn, text) // a proxy may answer before it has read the body
	got, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.Fatalf("%s %s: %v", method, c.target, err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		s.Fatalf("%s %s: %v", method, c.target, err)
	}
	return answer{got, body, s.backend.take()}
}

func (s *scene) dial() net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

func (c call) text() (method, text string) {
	method, target := c.method, c.target
	if method == "" {
		method = "GET"
	}
	if target == "" {
		target = "/public/x"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: api.example.org\r\n", method, target)
	if c.token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.token)
	}
	for _, line := range c.headers {
		b.WriteString(line + "\r\n")
	}
	switch {
	case c.chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(c.body), c.body)
	case c.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(c.body), c.body)
	default:
		b.WriteString("\r\n")
	}
	return method, b.String()
}

// await returns when the proxy listens.
func (s *scene) await() {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the proxy does not listen: %v", err)
		}
	}
}

func basic(pair string) string { return base64.StdEncoding.EncodeToString([]byte(pair)) }

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }
