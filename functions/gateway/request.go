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

// restRequest returns the client's request from a payload of format 1.0. Its path
// is encoded, as REST APIs send it.
func restRequest(ctx context.Context, in lambdaevents.APIGatewayProxyRequest) (*http.Request, error) {
	public := in.RequestContext.Path
	if public == "" || public == in.Resource { // `sam local` puts the resource into this field
		public = in.Path
	}
	return request{
		method: in.HTTPMethod,
		public: public,
		path:   apiPath(public, in.Resource, in.PathParameters, in.Path),
		query:  restQuery(in.MultiValueQueryStringParameters, in.QueryStringParameters),
		header: headers(in.MultiValueHeaders, in.Headers),
		source: in.RequestContext.Identity.SourceIP,
		body:   in.Body, encoded: in.IsBase64Encoded,
	}.build(ctx)
}

// httpRequest returns the client's request from a payload of format 2.0. Its path
// is decoded and is not decoded again: %61 in the payload was %2561 in the request.
func httpRequest(ctx context.Context, in lambdaevents.APIGatewayV2HTTPRequest) (*http.Request, error) {
	header := headers(nil, in.Headers)
	if len(in.Cookies) > 0 {
		header.Set("Cookie", strings.Join(in.Cookies, "; "))
	}
	public := encodePath(in.RawPath)
	return request{
		method: in.RequestContext.HTTP.Method,
		public: public,
		path:   apiPathOfRoute(public, in.RouteKey, in.PathParameters, in.RequestContext.Stage),
		query:  in.RawQueryString,
		header: header,
		source: in.RequestContext.HTTP.SourceIP,
		body:   in.Body, encoded: in.IsBase64Encoded,
	}.build(ctx)
}

// request has the values of a payload of either format. Paths and query are
// encoded as in a URL.
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
		Method: in.method, URL: parsePath(in.path), RequestURI: requestURI(in.public, in.query),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: in.header, Host: in.header.Get("Host"), RemoteAddr: remoteAddr(in.source),
		Body: http.NoBody, ContentLength: int64(len(body)),
	}
	r.URL.RawQuery = in.query
	// net/http's server deletes them too: they are fields of the request.
	r.Header.Del("Host")
	r.Header.Del("Transfer-Encoding")
	if len(body) > 0 {
		r.Body = readCloser{bytes.NewReader(body)}
	}
	return r.WithContext(ctx), nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// parsePath reads an encoded path. A percent sign that begins no escape is kept
// as it is; the scopes of a token then allow no such path.
func parsePath(path string) *url.URL {
	return &url.URL{Path: decoded(path), RawPath: path}
}

// encodePath encodes a decoded path. HTTP APIs send paths decoded, and all code
// after this reads encoded ones, as clients send them.
func encodePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

func requestURI(public, query string) string {
	uri := parsePath(public).EscapedPath()
	if query != "" {
		uri += "?" + query
	}
	return uri
}

// restQuery encodes the query parameters, because a REST API sends them decoded.
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

// headers uses the multi-value form if there is one, because the other form has
// only the last of several values. Names that differ only in case are one
// header.
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

// parseAddress returns the source as an address. The address is invalid if the
// source is not an address; then the guard refuses a token with source ranges.
func parseAddress(source string) netip.Addr {
	a, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// remoteAddr returns the source in the form of Request.RemoteAddr, with port 0:
// API Gateway does not send the port.
func remoteAddr(source string) string {
	if a := parseAddress(source); a.IsValid() {
		return net.JoinHostPort(a.String(), "0")
	}
	return ""
}
