package keycloak

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/localstack/engines"
)

// Front is an address before Keycloak. It keeps the header Host, so that Keycloak names
// this address as the issuer.
type Front struct {
	Realm // at this address

	t        testing.TB
	keycloak string // its URL
	address  string
	proxy    *httputil.ReverseProxy

	mu      sync.Mutex
	server  *http.Server
	replace func(string) string // the next ID token by another; nil: none
	twice   int                 // polls of devices that Keycloak gets twice
	asked   map[string]int      // requests by the last part of the path
}

// NewFront starts an address before a realm. The end of the test stops it.
func NewFront(t testing.TB, r Realm) *Front {
	t.Helper()
	target, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, "127.0.0.1:0")
	f := &Front{t: t, keycloak: r.URL, address: l.Addr().String(), asked: map[string]int{}}
	f.Realm = Realm{URL: "http://" + f.address}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		ModifyResponse: f.modify,
	}
	f.serve(l)
	t.Cleanup(f.Stop)
	return f
}

// listen waits for a port that another program has for a moment.
func listen(t testing.TB, address string) (l net.Listener) {
	t.Helper()
	engines.Eventually(t, time.Minute, "the address is free", func() string {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			return err.Error()
		}
		return ""
	})
	return l
}

func (f *Front) serve(l net.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]++
		f.mu.Unlock()
		f.hurry(r)
		f.proxy.ServeHTTP(w, r)
	})}
	go f.server.Serve(l)
}

// Stop ends all connections. From now on nothing listens at the address.
func (f *Front) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server.Close()
}

// Start listens again at the same address.
func (f *Front) Start() { f.serve(listen(f.t, f.address)) }

// Asked returns the number of requests until now for the last part of a path, for
// example for certs, the keys.
func (f *Front) Asked(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[part]
}

// ReplaceNext lets the next answer of the token endpoint have another ID token. The
// function gets the real one.
func (f *Front) ReplaceNext(by func(real string) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replace = by
}

// Hurry lets Keycloak get each of the next polls of devices twice, so that the device
// itself is too fast.
func (f *Front) Hurry(polls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.twice = polls
}

// hurry sends a poll of a device to Keycloak before the device's own request goes there.
func (f *Front) hurry(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.twice == 0 || !strings.HasSuffix(r.URL.Path, "/openid-connect/token") {
		return
	}
	f.twice--
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	first, err := http.NewRequestWithContext(r.Context(), r.Method, f.keycloak+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return
	}
	first.Host, first.Header = r.Host, r.Header.Clone()
	answer, err := http.DefaultClient.Do(first)
	if err != nil {
		f.t.Error(err)
		return
	}
	answer.Body.Close()
}

// modify replaces an ID token, if the test wants so.
func (f *Front) modify(r *http.Response) error {
	if !strings.HasSuffix(r.Request.URL.Path, "/openid-connect/token") {
		return nil
	}
	f.mu.Lock()
	replace := f.replace
	f.replace = nil
	f.mu.Unlock()
	if replace == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = idToken.ReplaceAllFunc(body, func(member []byte) []byte {
		return []byte(`"id_token":"` + replace(string(idToken.FindSubmatch(member)[1])) + `"`)
	})
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
