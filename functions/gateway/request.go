package gateway

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	lambdaevents "github.com/aws/aws-lambda-go/events"
)

// restRequest is the request behind a payload of format 1.0.
func restRequest(ctx context.Context, in lambdaevents.APIGatewayProxyRequest) (*http.Request, error) {
	public := in.RequestContext.Path
	if public == "" || public == in.Resource { // `sam local` names the resource there
		public = in.Path
	}
	return request{
		method: in.HTTPMethod,
		public: public,
		path:   below(public, in.Resource, in.PathParameters, in.Path),
		query:  restQuery(in.MultiValueQueryStringParameters, in.QueryStringParameters),
		header: headers(in.MultiValueHeaders, in.Headers),
		source: in.RequestContext.Identity.SourceIP,
		body:   in.Body, encoded: in.IsBase64Encoded,
	}.build(ctx)
}

// httpRequest is the request behind a payload of format 2.0.
func httpRequest(ctx context.Context, in lambdaevents.APIGatewayV2HTTPRequest) (*http.Request, error) {
	header := headers(nil, in.Headers)
	if len(in.Cookies) > 0 {
		header.Set("Cookie", strings.Join(in.Cookies, "; "))
	}
	return request{
		method: in.RequestContext.HTTP.Method,
		public: in.RawPath,
		path:   belowRoute(in.RawPath, in.RouteKey, in.PathParameters, in.RequestContext.Stage),
		query:  in.RawQueryString,
		header: header,
		source: in.RequestContext.HTTP.SourceIP,
		body:   in.Body, encoded: in.IsBase64Encoded,
	}.build(ctx)
}

// request is what both formats come down to. Paths and query are as they stand
// in a URL.
type request struct {
	method, public, path, query string
	header                      http.Header
	source                      string
	body                        string
	encoded                     bool
}

func (in request) build(ctx context.Context) (*http.Request, error) {
	body := []byte(in.body)
	if in.encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(in.body); err != nil {
			return nil, fmt.Errorf("decoding the body of a proxy payload: %w", err)
		}
	}
	r := &http.Request{
		Method: in.method, URL: location(in.path), RequestURI: requestURI(in.public, in.query),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: in.header, Host: in.header.Get("Host"), RemoteAddr: remote(in.source),
		Body: http.NoBody, ContentLength: int64(len(body)),
	}
	r.URL.RawQuery = in.query
	// As a server does: both are fields of the request and no headers.
	r.Header.Del("Host")
	r.Header.Del("Transfer-Encoding")
	if len(body) > 0 {
		r.Body = readCloser{bytes.NewReader(body)}
	}
	return r.WithContext(ctx), nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// location reads a path. API Gateway hands some on decoded, so that a percent
// sign may stand for itself.
func location(path string) *url.URL {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return &url.URL{Path: path}
	}
	return &url.URL{Path: decoded, RawPath: path}
}

func requestURI(public, query string) string {
	uri := location(public).EscapedPath()
	if query != "" {
		uri += "?" + query
	}
	return uri
}

// restQuery encodes again what a REST API decoded.
func restQuery(multi map[string][]string, single map[string]string) string {
	if len(multi) > 0 {
		return url.Values(multi).Encode()
	}
	values := url.Values{}
	for name, value := range single {
		values.Set(name, value)
	}
	return values.Encode()
}

// headers takes the multi-value form where there is one: the other has only the
// last of several values. Names that differ in case only are one header.
func headers(multi map[string][]string, single map[string]string) http.Header {
	h := http.Header{}
	for name, values := range multi {
		for _, value := range values {
			h.Add(name, value)
		}
	}
	if len(multi) > 0 {
		return h
	}
	for name, value := range single {
		h.Add(name, value)
	}
	return h
}

// address is the source as an address, invalid if it is none: then whoever
// depends on it refuses.
func address(source string) netip.Addr {
	a, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// remote is the source in the form of Request.RemoteAddr. API Gateway does not
// tell the port.
func remote(source string) string {
	if a := address(source); a.IsValid() {
		return net.JoinHostPort(a.String(), "0")
	}
	return ""
}
