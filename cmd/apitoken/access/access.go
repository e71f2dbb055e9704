package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/apitoken/datadir"
	"apitoken/cmd/apitoken/setting"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const (
	defaultURL  = "http://127.0.0.1:8080"
	callTimeout = 60 * time.Second // for one call, with its answer
)

// Flags holds the flags that say how a command calls the service.
type Flags struct {
	url, tokenFile, caFile string
	tokenFileShared        bool
	insecureHTTP           bool
}

func (a *Flags) Add(c *cobra.Command) {
	c.Flags().StringVar(&a.url, "url", "", "the service's address (default $APITOKEN_URL or "+defaultURL+")")
	c.Flags().StringVar(&a.tokenFile, "token-file", "", "a file (mode 0600) that contains your token; - reads it from standard input (default $APITOKEN_TOKEN_FILE)")
	c.Flags().BoolVar(&a.tokenFileShared, "token-file-shared", false, "accept a token file that other users can read, if this user cannot change it: an orchestrator mounts it (default $APITOKEN_TOKEN_FILE_SHARED)")
	c.Flags().StringVar(&a.caFile, "ca-file", "", "a file with PEM certificates to trust in addition to the system's, such as tls.crt in a data folder (default $APITOKEN_CA_FILE)")
	c.Flags().BoolVar(&a.insecureHTTP, "insecure-http", false, "allow plain http to another machine; others on the network can then read the token")
}

// Client returns a client that sends the caller's token.
func (a *Flags) Client(ctx context.Context, e *console.Env) (*httpapi.Client, error) {
	base, hc, err := a.Endpoint(e)
	if err != nil {
		return nil, err
	}
	token, err := a.Token(ctx, e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, token, hc), nil
}

// Anonymous returns a client for calls that need no token.
func (a *Flags) Anonymous(e *console.Env) (*httpapi.Client, error) {
	base, hc, err := a.Endpoint(e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, secret.Secret{}, hc), nil
}

// Endpoint returns the base address of the service and an HTTP client for it.
func (a *Flags) Endpoint(e *console.Env) (string, *http.Client, error) {
	base, err := a.base(e)
	if err != nil {
		return "", nil, err
	}
	roots, err := a.roots(e)
	if err != nil {
		return "", nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return base, &http.Client{Transport: e.Count(transport), Timeout: callTimeout}, nil
}

// base returns the address of the service, if a token may be sent there. The
// errors do not quote the address, because users put passwords into URLs.
func (a *Flags) base(e *console.Env) (string, error) {
	given, err := e.EnvValue("APITOKEN_URL")
	if a.url != "" {
		given, err = console.ReadSetting("--url", a.url, setting.Value)
	}
	if err != nil {
		return "", err
	}
	text := firstOf(given, defaultURL)
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", console.Usagef("the address of the service (--url or APITOKEN_URL) must have the form https://HOST or %s", defaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", console.Usagef("the address of the service (--url or APITOKEN_URL) must not have a user, a query or a fragment; set APITOKEN_TOKEN_FILE to send a token")
	case u.Scheme == "http" && !Local(u.Hostname()) && !a.insecureHTTP:
		return "", console.Usagef("http://%s would send the token unencrypted: use https, or give --insecure-http if others cannot read this network", u.Host)
	}
	return text, nil
}

// Local reports whether requests to host stay on this machine.
func Local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

// roots are the certificates to trust, nil for only those of the system.
func (a *Flags) roots(e *console.Env) (*x509.CertPool, error) {
	path := a.caFile
	if path == "" {
		var err error
		if path, err = e.EnvPath("APITOKEN_CA_FILE"); path == "" {
			return nil, err
		}
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

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
