package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const (
	defaultURL  = "http://127.0.0.1:8080"
	callTimeout = 60 * time.Second // for one call, answer included
)

// access is how a command reaches the service.
type access struct {
	url, tokenFile, caFile string
	plain                  bool
}

func (a *access) add(c *cobra.Command) {
	c.Flags().StringVar(&a.url, "url", "", "the service's address (default $APITOKEN_URL or "+defaultURL+")")
	c.Flags().StringVar(&a.tokenFile, "token-file", "", "a file (mode 0600) with the token to call it with, - for standard input")
	c.Flags().StringVar(&a.caFile, "ca-file", "", "PEM certificates to trust besides the system's, such as a data folder's tls.crt")
	c.Flags().BoolVar(&a.plain, "insecure-http", false, "send the token over plain http to another machine, where others can read it")
}

// client is a client with the caller's token.
func (a *access) client(ctx context.Context, e *env) (*httpapi.Client, error) {
	base, hc, err := a.reach(e)
	if err != nil {
		return nil, err
	}
	token, err := a.token(ctx, e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, token, hc), nil
}

// anonymous is a client for the calls that ask for no token.
func (a *access) anonymous(e *env) (*httpapi.Client, error) {
	base, hc, err := a.reach(e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, secret.Secret{}, hc), nil
}

func (a *access) reach(e *env) (string, *http.Client, error) {
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
	return base, &http.Client{Transport: transport, Timeout: callTimeout}, nil
}

// base is the address, if a token may be sent there. Errors do not repeat it:
// people put passwords into URLs.
func (a *access) base(e *env) (string, error) {
	text := firstOf(a.url, e.getenv("APITOKEN_URL"), defaultURL)
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", usagef("the service's address must look like https://HOST or %s", defaultURL)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", usagef("the service's address has neither user, query nor fragment; the token comes from APITOKEN_TOKEN_FILE")
	case u.Scheme == "http" && !local(u.Hostname()) && !a.plain:
		return "", usagef("http://%s would carry the token in the clear: use https, or --insecure-http if nobody else can listen", u.Host)
	}
	return text, nil
}

// local says that what is sent to host does not leave this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

// roots are the certificates to trust, nil for the system's alone.
func (a *access) roots(e *env) (*x509.CertPool, error) {
	path := firstOf(a.caFile, e.getenv("APITOKEN_CA_FILE"))
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("reading the certificates to trust: %s", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, usagef("%s holds no PEM certificate", path)
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
