package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
)

// endpoint returns the base address of the service and an HTTP client for it. The client
// counts the changes of the command.
func (s Source) endpoint(e *console.Env) (string, *http.Client, error) {
	if err := checkURL(s.URL, s.insecureHTTP); err != nil {
		return "", nil, err
	}
	if path, isUnix := socketOf(s.URL.Value); isUnix {
		return unixBase, &http.Client{Transport: e.Count(unixTransport(path)), Timeout: callTimeout}, nil
	}
	roots, err := rootsIn(s.CA.Value)
	if err != nil {
		return "", nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return s.URL.Value, &http.Client{Transport: e.Count(transport), Timeout: callTimeout}, nil
}

// checkURL refuses an address to which no token may be sent. The errors do not quote
// the address, because users put passwords into URLs.
func checkURL(p Part, insecureHTTP bool) error {
	from := p.From
	if from == "" || from == "--url" || from == "APITOKEN_URL" {
		from = "--url or APITOKEN_URL"
	}
	if path, isUnix := socketOf(p.Value); isUnix {
		if !filepath.IsAbs(path) {
			return console.Usagef("the address of the service (%s) must have an absolute path, like unix:/run/apitoken/apitoken.sock", from)
		}
		return nil
	}
	u, err := url.Parse(p.Value)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return console.Usagef("the address of the service (%s) must have the form https://HOST, %s or unix:PATH", from, defaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return console.Usagef("the address of the service (%s) must not have a user, a query or a fragment; set APITOKEN_TOKEN_FILE to send a token", from)
	case u.Scheme == "http" && !Local(u.Hostname()) && !insecureHTTP:
		return console.Usagef("http://%s would send the token unencrypted: use https, or give --insecure-http if others cannot read this network", u.Host)
	}
	return nil
}

// unixBase is the base address of calls over a Unix socket. Its host is only for the
// texts of errors.
const unixBase = "http://socket"

// socketOf is the path of the Unix socket that an address names.
func socketOf(address string) (path string, isUnix bool) { return strings.CutPrefix(address, "unix:") }

// unixTransport makes each connection to the socket, without a proxy.
func unixTransport(path string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
}

// Local reports whether requests to host stay on this machine.
func Local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

// rootsIn are the certificates to trust with those of a file, nil for only those of
// the system.
func rootsIn(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := datadir.ReadPublicOrPipe(path)
	if err != nil {
		return nil, console.Usagef("reading the certificates to trust: %s", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, console.Usagef("%s contains no PEM certificate", path)
	}
	return pool, nil
}
