package page

import (
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"apitoken/functions/httpapi/machine"
)

// AddressHeader is the header in which the page names the address of its caller to
// the API.
const AddressHeader = machine.UIAddressHeader

// inProcess is the address of an API in the same process. No name ends with .invalid
// (RFC 2606), so a call that leaves the process fails.
const inProcess = "http://in-process.invalid"

// addressed adds the caller's address to each call.
type addressed struct {
	http.RoundTripper
	address netip.Addr
}

func (t addressed) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.address.IsValid() {
		r = r.Clone(r.Context())
		r.Header.Set(AddressHeader, t.address.String())
	}
	return t.RoundTripper.RoundTrip(r)
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// InProcess returns transports for an API in the same process. A call seems to come
// from the peer of the browser's request, through the same proxies: the source ranges
// of tokens hold.
func InProcess(api http.Handler) func(*http.Request) http.RoundTripper {
	return func(browser *http.Request) http.RoundTripper { return local{api, browser} }
}

type local struct {
	api     http.Handler
	browser *http.Request
}

// forwardedFor is the header in which proxies list the addresses that a request came
// through.
const forwardedFor = "X-Forwarded-For"

func (t local) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr, in.Host = r.URL.RequestURI(), t.browser.RemoteAddr, t.browser.Host
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if lines := t.browser.Header.Values(forwardedFor); len(lines) > 0 {
		in.Header[forwardedFor] = lines
	}
	in.Header.Set("User-Agent", t.browser.UserAgent())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	out := &recorder{header: http.Header{}}
	t.api.ServeHTTP(out, in)
	out.WriteHeader(http.StatusOK)
	return &http.Response{
		StatusCode: out.status, Status: strconv.Itoa(out.status) + " " + http.StatusText(out.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
