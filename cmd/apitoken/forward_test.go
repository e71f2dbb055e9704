package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/functions/httpapi/forward"
)

var asksAt = regexp.MustCompile(`(?m)^reverse proxies ask at (\S+)$`)

// asked returns the address at which proxies ask the server. The server prints it after
// its own address.
func asked(t *testing.T, s *server) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m := asksAt.FindStringSubmatch(s.out.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("the server prints no address for proxies: %s", s.out)
	return ""
}

// verdict asks for a verdict as nginx does.
func verdict(t *testing.T, at, token string) *http.Response {
	t.Helper()
	client, address := http.DefaultClient, at
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		address = "http://socket"
		client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", address+forward.Prefix+"nginx", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "X-Original-Method": {"GET"}, "X-Original-Uri": {"/things?secret=1"}, "X-Real-Ip": {"192.0.2.1"}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got
}

// TestServeAnswersReverseProxies on a port and on a socket, beside the API. The API
// itself has no such path.
func TestServeAnswersReverseProxies(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	socket := filepath.Join(t.TempDir(), "s")
	for _, flags := range [][]string{nil, {"--forward-listen", "unix:" + socket}, {"--forward-listen", "localhost:0", "--forward-peers", "10.0.0.0/8, fd00::1"}} {
		s := run(t, dir, flags...)
		text, err := datadir.ReadPrivate(filepath.Join(dir, "admin.token"))
		if err != nil {
			t.Fatal(err)
		}
		at := asked(t, s)
		if got := verdict(t, at, text); got.StatusCode != 200 || got.Header.Get(forward.Owner) != "admin" {
			t.Errorf("%v: got %d %v", flags, got.StatusCode, got.Header)
		}
		if got := verdict(t, at, "x"); got.StatusCode != 401 {
			t.Errorf("%v: got %d", flags, got.StatusCode)
		}
		if got := verdict(t, s.url, text); got.StatusCode != 404 {
			t.Errorf("%v: the API answers a proxy with %d", flags, got.StatusCode)
		}
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		log := s.log.String()
		if strings.Count(log, `"operation":"forward"`) != 2 || strings.Contains(log, "secret=") || strings.Contains(log, text) {
			t.Errorf("%v: the log is %s", flags, log)
		}
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there after the end")
	}
}

// TestTheListenerForProxiesIsOff with none, and by default beside a Unix socket.
func TestTheListenerForProxiesIsOff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, flags := range [][]string{{"--forward-listen", "none"}, {"--listen", "unix:" + filepath.Join(t.TempDir(), "s")}} {
		s := run(t, dir, flags...)
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if asksAt.MatchString(s.out.String()) { // it prints the address before it ends
			t.Errorf("%v: it listens for proxies: %s", flags, s.out)
		}
	}
}

// TestATakenPortForProxiesIsNamed: the error says which flag helps, and nothing on
// disk has changed.
func TestATakenPortForProxiesIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, c := range []struct{ flags, want []string }{
		{[]string{"--forward-listen", l.Addr().String()}, []string{l.Addr().String() + " is in use by another process", "with --forward-listen; --forward-listen none switches"}},
		{[]string{"--forward-listen", "8081"}, []string{"--forward-listen is invalid"}},
		{[]string{"--forward-listen", "unix:"}, []string{"--forward-listen is invalid"}},
		{[]string{"--forward-listen", "unix:/no/such/folder/s"}, []string{"choose another path with --forward-listen"}},
		{[]string{"--forward-peers", "10.0.0.0/33"}, []string{`--forward-peers: "10.0.0.0/33" is no address range`}},
		{[]string{"--forward-peers", "10.0.0.1", "--forward-listen", "none"}, []string{"--forward-peers has no effect without --forward-listen"}},
		{[]string{"--forward-peers", ""}, []string{"--forward-peers is empty"}},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		out, err := exec.Command("apitoken", append([]string{"serve", "--listen", "127.0.0.1:0", "--data", dir}, c.flags...)...).CombinedOutput()
		if err == nil {
			t.Errorf("%v: the server started", c.flags)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v: got %s, want %s", c.flags, out, want)
			}
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: there is a data folder", c.flags)
		}
	}
}

// TestAQuestionThatCannotBeReadHasALine: nginx passes on a header of a client that
// net/http refuses. Without the line nothing would explain the 503 of that client.
func TestAQuestionThatCannotBeReadHasALine(t *testing.T) {
	s := run(t, filepath.Join(t.TempDir(), "data"))
	c, err := net.Dial("tcp", strings.TrimPrefix(asked(t, s), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET " + forward.Prefix + "nginx HTTP/1.1\r\nHost: x\r\nUser-Agent: a\x01b\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest || answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v, want a problem", answer.StatusCode, answer.Header)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if id := answer.Header.Get("X-Request-Id"); id == "" || !strings.Contains(s.log.String(), id) {
		t.Errorf("the log has no line of the request %q: %s", id, s.log)
	}
}
