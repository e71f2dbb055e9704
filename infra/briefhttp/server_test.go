package briefhttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/infra/briefhttp"
)

// echo answers with what it got.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Seen"] = []string{seen(r)}
	fmt.Fprint(w, "the answer")
}

func seen(r *http.Request) string {
	h := r.Header.Clone()
	delete(h, "Connection")
	return fmt.Sprintf("%q %q %q %d %q", r.Method, r.RequestURI, r.Host, r.ContentLength, h)
}

const maxHeader = 8 << 10

func newServer(h http.HandlerFunc, log io.Writer) *briefhttp.Server {
	return &briefhttp.Server{
		Handler: h, MaxHeaderBytes: maxHeader, Logger: slog.New(slog.NewJSONHandler(log, nil)),
		Refuse: func(c net.Conn, status int) {
			fmt.Fprintf(c, "HTTP/1.1 %d refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
		},
	}
}

// serve starts a server, and returns its address.
func serve(t *testing.T, s *briefhttp.Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// receive reads an answer with its body.
func receive(t *testing.T, in *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	a, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("reading the body of the answer: %v", err)
	}
	return a, string(body)
}

func expectEnd(t *testing.T, in *bufio.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(in); err != nil || len(rest) > 0 {
		t.Errorf("after the answer came %q, %v, want the end of the connection", rest, err)
	}
}

// TestRequestsOfAConnectionAreAnsweredInOrder, also if they come together.
func TestRequestsOfAConnectionAreAnsweredInOrder(t *testing.T) {
	c := dial(t, serve(t, newServer(echo, io.Discard)))
	in := bufio.NewReader(c)
	send(t, c, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT")
	for n, method := range []string{"GET", "HEAD"} {
		a, body := receive(t, in, method)
		if want := fmt.Sprintf(`%q "/%d"`, method, n+1); !strings.HasPrefix(a.Header.Get("X-Seen"), want) || a.ContentLength != int64(len("the answer")) || a.Close {
			t.Errorf("got %v with %d bytes, closed: %v, want %s", a.Header, a.ContentLength, a.Close, want)
		}
		if (body == "the answer") != (method == "GET") {
			t.Errorf("%s got the body %q", method, body)
		}
		if at, err := http.ParseTime(a.Header.Get("Date")); err != nil || time.Since(at) > time.Minute {
			t.Errorf("the answer has the date %q", a.Header.Get("Date"))
		}
	}
	send(t, c, "TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if a, _ := receive(t, in, "GET"); !a.Close || !strings.HasPrefix(a.Header.Get("X-Seen"), `"GET" "/3"`) {
		t.Errorf("got %v, closed: %v", a.Header, a.Close)
	}
	expectEnd(t, in)
}

// TestTheClientOfNetHTTPIsServed by many goroutines on few connections.
func TestTheClientOfNetHTTPIsServed(t *testing.T) {
	address := serve(t, newServer(echo, io.Discard))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 3}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			for m := range 20 {
				got, err := client.Get(fmt.Sprintf("http://%s/%d/%d", address, n, m))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(got.Body)
				got.Body.Close()
				if want := fmt.Sprintf(`"GET" "/%d/%d"`, n, m); err != nil || string(body) != "the answer" || !strings.HasPrefix(got.Header.Get("X-Seen"), want) {
					t.Errorf("got %v with %q, %v, want %s", got.Header, body, err, want)
				}
			}
		})
	}
	all.Wait()
}

// TestABodyIsNotAwaited: the answer comes at once, and is whole for a peer that sends
// its body.
func TestABodyIsNotAwaited(t *testing.T) {
	address := serve(t, newServer(echo, io.Discard))
	for name, head := range map[string]string{"a length": "Content-Length: 100000", "chunks": "Transfer-Encoding: chunked"} {
		for sent, body := range map[string]string{"nothing": "", "a part": strings.Repeat("x", 50_000)} {
			t.Run(name+", "+sent, func(t *testing.T) {
				c := dial(t, address)
				in := bufio.NewReader(c)
				send(t, c, "POST / HTTP/1.1\r\nHost: a\r\n"+head+"\r\n\r\n")
				if a, text := receive(t, in, "POST"); !a.Close || text != "the answer" {
					t.Errorf("got %q, closed: %v", text, a.Close)
				}
				send(t, c, body)
				expectEnd(t, in)
			})
		}
	}
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	var asked atomic.Int32
	address := serve(t, newServer(func(http.ResponseWriter, *http.Request) { asked.Add(1) }, io.Discard))
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"no HTTP":               {"hello\r\n\r\n", 400},
		"a header without a :":  {"GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", 400},
		"a header with a space": {"GET / HTTP/1.1\r\nHost: a\r\nX-Original-URI : /\r\n\r\n", 400},
		"a control character":   {"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\x00b\r\n\r\n", 400},
		"no Host":               {"GET / HTTP/1.1\r\n\r\n", 400},
		"a whole address":       {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"CONNECT":               {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400},
		"CONNECT of a path":     {"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"two Hosts":             {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"an empty Host":         {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		"a wrong escape":        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a NUL in the path":     {"GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"no version":            {"GET /\r\n\r\n", 400},
		"an empty line first":   {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a bare CR":             {"GET / HTTP/1.1\r\nHost: a\r\nX-A: a\rb\r\n\r\n", 400},
		"a folded name":         {"GET / HTTP/1.1\r\nHost: a\r\nX-A\r\n : b\r\n\r\n", 400},
		"an encoding, a space":  {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		"no path":               {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"a wrong length":        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400},
		"two lengths":           {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
		"another encoding":      {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
		"HTTP/2":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"a long path":           {"GET /" + strings.Repeat("x", maxHeader) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
		"a long header":         {"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("x", 10*maxHeader) + "\r\n\r\n", 431},
		"many headers":          {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-A: b\r\n", maxHeader/4) + "\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			send(t, c, test.text)
			in := bufio.NewReader(c)
			if a, _ := receive(t, in, "GET"); a.StatusCode != test.want {
				t.Errorf("got %d, want %d", a.StatusCode, test.want)
			}
			expectEnd(t, in)
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the handler was asked %d times", n)
	}
}

// TestEveryRequestMayHaveTheWholeHeader: the limit is for one request, and not for the
// connection.
func TestEveryRequestMayHaveTheWholeHeader(t *testing.T) {
	c := dial(t, serve(t, newServer(echo, io.Discard)))
	in := bufio.NewReader(c)
	for range 5 {
		send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("x", maxHeader-100)+"\r\n\r\n")
		if a, _ := receive(t, in, "GET"); a.StatusCode != 200 {
			t.Fatalf("got %d", a.StatusCode)
		}
	}
}

// TestAHeaderOfAnAnswerIsOneLine: a value of a client cannot add a header.
func TestAHeaderOfAnAnswerIsOneLine(t *testing.T) {
	c := dial(t, serve(t, newServer(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "b\r\nX-B: c") }, io.Discard)))
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if a, _ := receive(t, bufio.NewReader(c), "GET"); a.Header.Get("X-B") != "" || a.Header.Get("X-A") == "" {
		t.Errorf("got %v", a.Header)
	}
}

// TestTheServerSaysWhereAnAnswerEnds, whatever the handler says: the next answer on the
// connection is that of the next request.
func TestTheServerSaysWhereAnAnswerEnds(t *testing.T) {
	address := serve(t, newServer(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			h.Set("Content-Length", "6")
			w.WriteHeader(304)
		case "/103":
			w.WriteHeader(103)
		case "/101":
			w.WriteHeader(101)
		case "/short":
			h.Set("Content-Length", "2")
		case "/long":
			h.Set("Content-Length", "200")
		case "/two":
			h["Content-Length"] = []string{"2", "6"}
		case "/chunked":
			h.Set("Transfer-Encoding", "chunked")
		case "/keep":
			h.Set("Connection", "keep-alive, X-Next")
		case "/next":
			h.Set("X-Next", "yes")
		}
		if n, err := io.WriteString(w, "a body"); (err == nil) != (n > 0) || errors.Is(err, http.ErrBodyNotAllowed) != (r.URL.Path == "/204" || r.URL.Path == "/304") {
			t.Errorf("%s: writing gave %d, %v", r.URL.Path, n, err)
		}
	}, io.Discard))
	for _, method := range []string{"GET", "HEAD"} {
		for path, want := range map[string]int{"/204": 204, "/304": 304, "/103": 200, "/101": 200, "/short": 200, "/long": 200, "/two": 200, "/chunked": 200, "/keep": 200} {
			t.Run(method+path, func(t *testing.T) {
				c := dial(t, address)
				in := bufio.NewReader(c)
				send(t, c, method+" "+path+" HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				a, body := receive(t, in, method)
				if full := method == "GET" && want == 200; a.StatusCode != want || a.Close || (body == "a body") != full || len(a.TransferEncoding) > 0 || a.Header.Get("Connection") != "" {
					t.Errorf("got %d with %q and %v, closed: %v", a.StatusCode, body, a.Header, a.Close)
				}
				if a, body := receive(t, in, "GET"); a.StatusCode != 200 || a.Header.Get("X-Next") != "yes" || body != "a body" {
					t.Errorf("the next answer is %d with %q and %v", a.StatusCode, body, a.Header)
				}
				expectEnd(t, in)
			})
		}
	}
}

// TestAHandlerMayEndTheConnection, as with net/http.
func TestAHandlerMayEndTheConnection(t *testing.T) {
	c := dial(t, serve(t, newServer(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "Close") }, io.Discard)))
	in := bufio.NewReader(c)
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if a, _ := receive(t, in, "GET"); !a.Close {
		t.Errorf("the answer says %v, and not that the connection ends", a.Header)
	}
	expectEnd(t, in)
}

// TestAStatusHasThreeDigits: another one would be no status line.
func TestAStatusHasThreeDigits(t *testing.T) {
	for _, status := range []int{-1, 0, 99, 1000} {
		c := dial(t, serve(t, newServer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, io.Discard)))
		send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		expectEnd(t, bufio.NewReader(c))
	}
}

// nameless is a connection whose peer left before the system named its address.
type nameless struct{ memory }

func (*nameless) RemoteAddr() net.Addr { return nil }

func TestAPeerWithoutAddressIsServed(t *testing.T) {
	var got string
	c := &nameless{memory{in: bytes.NewReader([]byte("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")), closed: make(chan struct{})}}
	s, l := newServer(func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI + " of " + r.RemoteAddr }, io.Discard), pipes{make(chan any, 1)}
	l.accepted <- c
	go s.Serve(l)
	<-c.closed
	if err := s.Shutdown(t.Context()); err != nil || got != "/1 of " {
		t.Errorf("the handler got %q; shutdown: %v", got, err)
	}
}

// TestAServerThatHasEndedKeepsNoListener: the address would stay in use.
func TestAServerThatHasEndedKeepsNoListener(t *testing.T) {
	s := newServer(echo, io.Discard)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve ended with %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was open: closing gave %v", err)
	}
}

// TestAPanicEndsOneConnection, and its text is not logged: it may have a secret.
func TestAPanicEndsOneConnection(t *testing.T) {
	var log bytes.Buffer
	s := newServer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("with a secret")
		}
	}, &log)
	address := serve(t, s)
	bad, good := dial(t, address), dial(t, address)
	send(t, bad, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n")
	expectEnd(t, bufio.NewReader(bad))
	send(t, good, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if a, _ := receive(t, bufio.NewReader(good), "GET"); a.StatusCode != 200 {
		t.Errorf("got %d", a.StatusCode)
	}
	if err := s.Shutdown(t.Context()); err != nil { // the log is written then
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, `"level":"ERROR"`) || strings.Contains(text, "secret") {
		t.Errorf("the log is %s", text)
	}
}

// TestShutdownWaitsForAnswers, and for nothing else.
func TestShutdownWaitsForAnswers(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s := newServer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(asked)
			<-release
		}
	}, io.Discard)
	address := serve(t, s)
	slow, fresh, waiting := dial(t, address), dial(t, address), dial(t, address) // the answer of the last one shows that all are accepted
	send(t, waiting, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	waits := bufio.NewReader(waiting)
	receive(t, waits, "GET")
	send(t, slow, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	expectEnd(t, waits)
	expectEnd(t, bufio.NewReader(fresh))
	select {
	case err := <-ended:
		t.Fatalf("Shutdown ended with %v before the answer", err)
	default:
	}
	close(release)
	in := bufio.NewReader(slow)
	if a, _ := receive(t, in, "GET"); a.StatusCode != 200 || !a.Close {
		t.Errorf("got %d, closed: %v", a.StatusCode, a.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// pipes is a listener whose connections are in this process, so that time can be
// simulated.
type pipes struct{ accepted chan any }

func (p pipes) Accept() (net.Conn, error) {
	switch next := (<-p.accepted).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p.accepted)
	return nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// TestAConnectionOfAPeerCannotStayForEver: a peer that sends its request slowly, that
// does not read its answer, or that asks nothing more has an end.
func TestAConnectionOfAPeerCannotStayForEver(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	ofRequest := map[string]bool{"it ends no request": true, "it sends slowly": true, "its second request is slow": true}
	for name, act := range map[string]func(c net.Conn) (last time.Time){
		"it asks nothing":            func(net.Conn) time.Time { return time.Now() },
		"it asks nothing more":       func(c net.Conn) time.Time { return ask(c, request, 1) },
		"it asked for a minute":      func(c net.Conn) time.Time { return ask(c, request, 61) },
		"it ends no request":         func(c net.Conn) time.Time { io.WriteString(c, request[:20]); return time.Now() },
		"it sends slowly":            func(c net.Conn) time.Time { return trickle(c, request) },
		"its second request is slow": func(c net.Conn) time.Time { ask(c, request, 1); return trickle(c, request) },
		"its request has two parts": func(c net.Conn) time.Time {
			io.WriteString(c, request[:20])
			time.Sleep(briefhttp.HeaderTime / 2)
			return ask(c, request[20:], 1)
		},
		"and it asks later": func(c net.Conn) time.Time {
			io.WriteString(c, request[:20])
			ask(c, request[20:], 1)
			time.Sleep(briefhttp.IdleTime / 2) // the limit of the first request is over
			return ask(c, request, 1)
		},
		"it does not read":      func(c net.Conn) time.Time { io.WriteString(c, request); return time.Now() },
		"it reads a part of it": func(c net.Conn) time.Time { io.WriteString(c, request); c.Read(make([]byte, 10)); return time.Now() },
	} {
		t.Run(name, func(t *testing.T) {
			least, most := 2*time.Minute, 2*time.Minute+30*time.Second
			if ofRequest[name] {
				least, most = 10*time.Second, 10*time.Second
			}
			if took := life(t, nil, act); took < least || took > most {
				t.Errorf("the connection ended after %v, want at least %v and at most %v", took, least, most)
			}
		})
	}
}

// life returns the time from the last act of a peer to the end of its connection.
func life(t *testing.T, known func(net.Conn) bool, act func(net.Conn) (last time.Time)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, l := newServer(echo, io.Discard), pipes{make(chan any)}
		s.Known = known
		go s.Serve(l)
		ours, theirs := net.Pipe()
		ends := make(chan time.Time, 1)
		l.accepted <- watched{theirs, ends}
		last := act(ours)
		took = (<-ends).Sub(last)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return took
}

// TestAStrangerHasOneBriefRequest: it gets its answer, and cannot hold a connection or
// the memory of a long header.
func TestAStrangerHasOneBriefRequest(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	stranger := func(net.Conn) bool { return false }
	for name, act := range map[string]func(c net.Conn) (last time.Time){
		"it asks nothing":    func(net.Conn) time.Time { return time.Now() },
		"it ends no request": func(c net.Conn) time.Time { io.WriteString(c, request[:20]); return time.Now() },
		"it sends slowly":    func(c net.Conn) time.Time { return trickle(c, request) },
		"it does not read":   func(c net.Conn) time.Time { io.WriteString(c, request); return time.Now() },
	} {
		t.Run(name, func(t *testing.T) {
			if took := life(t, stranger, act); took != briefhttp.StrangerTime {
				t.Errorf("the connection ended after %v, want %v", took, briefhttp.StrangerTime)
			}
		})
	}
	s := newServer(echo, io.Discard)
	s.Known, s.MaxHeaderBytes = stranger, 1<<20
	address := serve(t, s)
	c := dial(t, address)
	in := bufio.NewReader(c)
	send(t, c, request+request)
	if a, body := receive(t, in, "GET"); a.StatusCode != 200 || !a.Close || body != "the answer" {
		t.Errorf("got %d %q, close %v, want the answer and the end", a.StatusCode, body, a.Close)
	}
	expectEnd(t, in)
	c = dial(t, address)
	send(t, c, "GET / HTTP/1.1\r\nHost: a\r\nX-Long: "+strings.Repeat("a", 12<<10)+"\r\n\r\n")
	if a, _ := receive(t, bufio.NewReader(c), "GET"); a.StatusCode != 431 {
		t.Errorf("a long header got %d, want 431", a.StatusCode)
	}
}

// trickle sends a byte each second until the connection ends.
func trickle(c net.Conn, text string) (began time.Time) {
	began = time.Now()
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			break
		}
		time.Sleep(time.Second)
	}
	return began
}

// ask asks each second.
func ask(c net.Conn, request string, times int) (last time.Time) {
	in := bufio.NewReader(c)
	for range times {
		time.Sleep(time.Second)
		io.WriteString(c, request)
		if _, err := http.ReadResponse(in, nil); err != nil {
			panic(err)
		}
		in.Discard(in.Buffered())
		last = time.Now()
	}
	return last
}

// watched tells when the server closes the connection.
type watched struct {
	net.Conn
	ends chan time.Time
}

func (w watched) Close() error {
	w.ends <- time.Now()
	return w.Conn.Close()
}

// TestAFullTableOfFilesIsWaitedFor: after an error the listener goes on, unless something
// else has closed it.
func TestAFullTableOfFilesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newServer(echo, io.Discard), pipes{make(chan any, 20)}
		for range 10 {
			l.accepted <- syscall.EMFILE
		}
		ours, theirs := net.Pipe()
		l.accepted <- theirs
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(l) }()
		began := time.Now()
		go io.WriteString(ours, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if a, _ := receive(t, bufio.NewReader(ours), "GET"); a.StatusCode != 200 || time.Since(began) > 10*time.Second {
			t.Errorf("got %d after %v", a.StatusCode, time.Since(began))
		}
		l.accepted <- net.ErrClosed
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
}
