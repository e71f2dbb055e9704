package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	return s.requestFrom(t, "", method, path, bearer, body)
}

// requestFrom sends a request as a client with this address does.
func (s site) requestFrom(t *testing.T, address, method, path, bearer string, body any) engines.Answer {
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
	if address != "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	return engines.Do(t, s.http, r)
}

// client returns the service's own Go client with a token.
func (s site) client(bearer string) *httpapi.Client {
	return httpapi.NewClient(s.url, secret.New(bearer), s.http)
}

// reply is the answer to one request of many.
type reply struct {
	status int
	body   []byte
}

// busy reports whether a function had no free instance. The gateway's own answer is
// a 500 without a problem if this was the authorizer of the example API.
func (r reply) busy() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusInternalServerError:
		return codeOf(engines.Answer{Body: r.body}) == ""
	}
	return false
}

// code is the status, with the problem's code if there is one.
func (r reply) code(late bool) string {
	text := fmt.Sprint(r.status)
	if code := codeOf(engines.Answer{Body: r.body}); code != "" {
		text += " " + code
	}
	if late {
		text += " late"
	}
	return text
}

// send sends one request. A failure does not end the test, so clients that run at
// the same time may use it.
func (s site) send(ctx context.Context, method, path, bearer string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := s.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, body}, err
}
