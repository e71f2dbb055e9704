package serve

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// secureServer serves a handler with TLS on a free port, as Run does. It returns
// the address and a pool with the certificate.
func secureServer(t *testing.T) (address string, pool *x509.CertPool) {
	t.Helper()
	f := openFolder(t)
	cert, err := newCertificate(slog.New(slog.DiscardHandler), func(now time.Time, _ *tls.Certificate) (tls.Certificate, error) {
		return selfSigned(f, hosts("127.0.0.1:0", nil), now, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(text(t, f.CertificatePath())))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "own")
			fmt.Fprintf(w, "%s %t", r.Proto, r.TLS != nil && r.TLS.HandshakeComplete)
		}),
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn), ReadTimeout: readTimeout,
	}
	go server.Serve(machine.Listener(newSecureListener(inner, cert.config(), logger), logger, httpapi.Face()))
	t.Cleanup(func() { server.Close() })
	return inner.Addr().String(), pool
}

// TestBothVersionsOfHTTPAreServedWithTLS: the client chooses HTTP/2 or HTTP/1.1.
func TestBothVersionsOfHTTPAreServedWithTLS(t *testing.T) {
	address, pool := secureServer(t)
	for _, c := range []struct {
		http2 bool
		want  string
	}{{true, "HTTP/2.0 true"}, {false, "HTTP/1.1 true"}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: c.http2}
		defer transport.CloseIdleConnections()
		for range 2 {
			res, err := (&http.Client{Transport: transport}).Get("https://" + address + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if string(body) != c.want {
				t.Errorf("got %q, want %q", body, c.want)
			}
		}
	}
}

// problemOn sends a request and reads the answer as a problem.
func problemOn(t *testing.T, c net.Conn, request string) (p httpapi.Problem) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, request)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.Header.Get("Content-Type") != "application/problem+json" || p.Status != res.StatusCode {
		t.Errorf("%q: got %d %v, %v; want a problem", request, res.StatusCode, res.Header, err)
	}
	return p
}

func TestRequestsThatCannotBeReadAreProblemsWithTLS(t *testing.T) {
	address, pool := secureServer(t)
	for request, code := range map[string]string{
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n":                                     "malformed_request",
		"GET / HTTP/1.1\r\n\r\n":                                                   "malformed_request",
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n":          "header_too_large",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n":            "transfer_unsupported",
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 1\r\n\r\nx": "expectation_unsupported",
		"GET / HTTP/3.0\r\nHost: x\r\n\r\n":                                        "version_unsupported",
	} {
		for _, protocols := range [][]string{nil, {"http/1.1"}} {
			c, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, NextProtos: protocols})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if p := problemOn(t, c, request); p.Code != code {
				t.Errorf("%.40q: got %s, want %s", request, p.Code, code)
			}
		}
	}
}

// TestPlainHTTPOnATLSPortIsNamed: a user with http:// in the address must learn
// what is wrong.
func TestPlainHTTPOnATLSPortIsNamed(t *testing.T) {
	address, _ := secureServer(t)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /v1/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000),
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if p := problemOn(t, c, request); p.Code != "malformed_request" || !strings.Contains(p.Detail, "https") {
			t.Errorf("%.20q: got %+v, want advice to use https", request, p)
		}
	}
}

// TestSlowHandshakeDelaysNoOtherClient: a client that connects and says nothing
// holds only its own connection. Twenty handshakes one after another would take twenty
// times their time limit.
func TestSlowHandshakeDelaysNoOtherClient(t *testing.T) {
	address, pool := secureServer(t)
	for range 20 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * handshakeTimeout}, "tcp", address, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatalf("a handshake beside silent clients: %v", err)
	}
	c.Close()
}

func TestClosedListenerEndsAccept(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newSecureListener(inner, &tls.Config{}, slog.New(slog.DiscardHandler))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // again, as http.Server does
	for range 2 {
		if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, %v; want %v", c, err, net.ErrClosed)
		}
	}
}
