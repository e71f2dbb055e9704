package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"

	"github.com/rogpeppe/go-internal/testscript"
)

// authority signs the certificates of one script.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var authorities, callers sync.Map // *testscript.TestScript to *authority or *caller

// scriptIssue is `issue BASE NAME [LIFE]`: it writes BASE.crt and BASE.key, a
// certificate for NAME and 127.0.0.1 that is signed by ca.crt.
func scriptIssue(ts *testscript.TestScript, neg bool, args []string) {
	life := time.Hour
	if len(args) > 2 {
		var err error
		life, err = time.ParseDuration(args[2])
		ts.Check(err)
	}
	a := authorityOf(ts)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: args[1]},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life),
		DNSNames: []string{args[1]}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.cert, key.Public(), a.key)
	ts.Check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		path := ts.MkAbs(args[0] + name)
		ts.Check(os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
		ts.Check(os.Chmod(path, 0o600))
	}
}

func authorityOf(ts *testscript.TestScript) *authority {
	if a, made := authorities.Load(ts); made {
		return a.(*authority)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a := &authority{cert, key}
	authorities.Store(ts, a)
	ts.Defer(func() { authorities.Delete(ts) })
	return a
}

// scriptHangup is `hangup TEXT`: it sends SIGHUP to the server and waits for the text in
// what the server then logs.
func scriptHangup(ts *testscript.TestScript, neg bool, args []string) {
	v, ok := running.Load(ts)
	if !ok {
		ts.Fatalf("no server is running")
	}
	s := v.(*server)
	before := len(s.log.String())
	ts.Check(s.cmd.Process.Signal(syscall.SIGHUP))
	for end := time.Now().Add(time.Minute); !strings.Contains(s.log.String()[before:], args[0]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("after SIGHUP the log has %s", s.log.String()[before:])
		}
	}
}

// caller calls a service until it is stopped: on one connection that stays open, and on
// a new one for each call.
type caller struct {
	stop  chan struct{}
	ended sync.WaitGroup

	mu    sync.Mutex
	calls int      // on new connections
	names []string // in the certificates of new connections, in order
	fault error
}

// scriptCalling is `calling CA`: from now on clients that trust the certificates in the
// file call the server.
func scriptCalling(ts *testscript.TestScript, neg bool, args []string) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ts.ReadFile(args[0]))) {
		ts.Fatalf("%s has no certificate", args[0])
	}
	c := &caller{stop: make(chan struct{})}
	for _, kept := range []bool{true, false} {
		url := ts.Getenv("APITOKEN_URL") + "/v1/version"
		c.ended.Go(func() {
			c.loop(url, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: !kept})
		})
	}
	callers.Store(ts, c)
	ts.Defer(func() { c.end() })
	c.await(20)
}

func (c *caller) loop(url string, transport *http.Transport) {
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		res, err := client.Get(url)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				err = fmt.Errorf("got status %d", res.StatusCode)
			}
		}
		c.note(res, err, transport.DisableKeepAlives)
		time.Sleep(time.Millisecond) // the server needs the processor too
	}
}

// note counts the calls on new connections, which are the slower ones.
func (c *caller) note(res *http.Response, err error, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fresh {
		c.calls++
	}
	if err != nil {
		c.fault = err
	} else if name := res.TLS.PeerCertificates[0].DNSNames[0]; fresh && (len(c.names) == 0 || c.names[len(c.names)-1] != name) {
		c.names = append(c.names, name)
	}
}

func (c *caller) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// await waits for more calls on new connections.
func (c *caller) await(more int) {
	for from, end := c.count(), time.Now().Add(time.Minute); c.count() < from+more && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

func (c *caller) end() {
	select {
	case <-c.stop:
	default:
		close(c.stop)
	}
	c.ended.Wait()
}

// scriptCalled is `called N NAME...`: the clients make N more calls on new connections and stop. No call
// has failed, and new connections got the certificates of these names, in this order.
func scriptCalled(ts *testscript.TestScript, neg bool, args []string) {
	v, _ := callers.LoadAndDelete(ts)
	c := v.(*caller)
	more, err := strconv.Atoi(args[0])
	ts.Check(err)
	c.await(more)
	c.end()
	if c.fault != nil || !slices.Equal(c.names, args[1:]) {
		ts.Fatalf("%d calls on new connections: got the certificates of %q, the last fault is %v", c.calls, c.names, c.fault)
	}
}

// TestSIGHUPNeverEndsTheService: neither at its beginning, nor while the service waits
// for a request in flight after SIGTERM. The request gets its answer.
func TestSIGHUPNeverEndsTheService(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := run(t, dir)
	token, err := datadir.ReadPrivate(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s.cmd.Process.Signal(syscall.SIGHUP)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/auth/access-tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", token)
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); !strings.Contains(line, "100 Continue") {
		t.Fatalf("the handler does not ask for the body: %q, %v", line, err)
	}
	in.ReadString('\n')
	fmt.Fprint(conn, "{")
	awaitLog(s, "SIGHUP has no effect")
	s.cmd.Process.Signal(syscall.SIGTERM)
	for range 20 {
		time.Sleep(10 * time.Millisecond)
		s.cmd.Process.Signal(syscall.SIGHUP)
	}
	fmt.Fprint(conn, "}")
	answer, err := io.ReadAll(in)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("the request in flight got %q, %v", answer, err)
	}
	<-s.copied
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
}
