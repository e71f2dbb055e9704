package oidc

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// fetchTimeout is the time for one fetch with its body. A sign-in needs three at
	// most, one after the other.
	fetchTimeout = 3 * time.Second

	// maxFetch is the largest body in bytes. Metadata have about 5 KB, a set of keys has
	// 10 KB at most.
	maxFetch = 256 << 10

	maxRedirects = 3
)

var (
	errNoTLS        = errors.New("the address has no https")
	errFetchLarge   = fmt.Errorf("the answer has more than %d bytes", maxFetch)
	errRedirects    = fmt.Errorf("more than %d redirects", maxRedirects)
	errPostRedirect = errors.New("a redirect of a request with a secret")
)

// maxHeader is the largest header of an answer in bytes.
const maxHeader = 64 << 10

// newTransport returns the transport for real providers. It keeps no connection: a Lambda
// sandbox may be frozen between two sign-ins, and net/http does not repeat a POST on a
// connection that the other side has closed meanwhile. The code would be lost.
func newTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t = t.Clone()
	t.DisableKeepAlives, t.MaxResponseHeaderBytes = true, maxHeader
	return t
}

// newClient returns the client for all fetches of one issuer. local says that the
// issuer is on this machine and has no TLS: then other addresses of this machine may
// lack it too.
func newClient(base http.RoundTripper, local bool) *http.Client {
	return &http.Client{
		Transport: transport{base, local}, Timeout: fetchTimeout,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			switch {
			case via[0].Method != http.MethodGet:
				return errPostRedirect // the code and the client secret would go to another address
			case len(via) > maxRedirects:
				return errRedirects
			}
			return nil
		},
	}
}

// transport refuses addresses without TLS, also those of redirects, and large bodies. An
// answer to a GET that is no 200 is an error: its body must not reach an error text.
type transport struct {
	base  http.RoundTripper
	local bool
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !mayFetch(r.URL, t.local) {
		return nil, errNoTLS
	}
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &boundedBody{answer.Body, maxFetch}
	if isRedirect := answer.StatusCode/100 == 3; r.Method == http.MethodGet && answer.StatusCode != http.StatusOK && !isRedirect {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("the answer has the status %d", answer.StatusCode)
	}
	return answer, nil
}

// boundedBody is a body that fails after left bytes. A body that is cut off without an
// error could be read as a whole one.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errFetchLarge
	}
	return n, err
}
