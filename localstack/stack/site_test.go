package stack_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
)

// site is one API. All APIs have the address of the emulator, which finds the
// API by the Host header.
type site struct {
	url, host string
	http      *http.Client
}

// newSite returns the API that has the given URL on AWS.
func newSite(endpoint, output string) site {
	u, err := url.Parse(output)
	if err != nil {
		panic(err)
	}
	id, _, _ := strings.Cut(u.Host, ".")
	host := id + ".execute-api.localhost:" + endpoint[strings.LastIndexByte(endpoint, ':')+1:]
	return site{endpoint + u.Path, host, &http.Client{Transport: hostTransport(host), Timeout: 2 * time.Minute}}
}

// hostTransport sets the Host header of each request.
type hostTransport string

func (h hostTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = string(h)
	return http.DefaultTransport.RoundTrip(r)
}

// request sends a request, without a token if bearer is empty.
func (s site) request(t *testing.T, method, path, bearer string, body any) engines.Answer {
	t.Helper()
	var b []byte
	if body != nil {
		b = engines.Encode(t, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return engines.Do(t, s.http, r)
}

// client returns the service's own Go client with a token.
func (s site) client(bearer string) *httpapi.Client {
	return httpapi.NewClient(s.url, secret.New(bearer), s.http)
}
