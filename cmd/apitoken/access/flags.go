// Package access is how a command calls the service: its flags and variables, the
// contexts that the user has stored, the token, and what the errors of a call mean.
//
// It promises that the address, the token and the certificates of one call come
// from one source: from one context, or from what flags and variables give. So the
// token of a context never goes to the address of another source. The package
// leaves the calls themselves to the commands.
package access

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const (
	defaultURL  = "http://127.0.0.1:8080"
	callTimeout = 60 * time.Second // for one call, with its answer
)

// Variables are the names of the variables that Flags reads.
var Variables = []string{"APITOKEN_URL", "APITOKEN_TOKEN", "APITOKEN_TOKEN_FILE", "APITOKEN_TOKEN_FILE_SHARED", "APITOKEN_CA_FILE", "APITOKEN_CONTEXT"}

// Flags holds the flags that say how a command calls the service.
type Flags struct {
	url, tokenFile, caFile, context string
	tokenFileShared                 bool
	insecureHTTP                    bool

	set      *pflag.FlagSet // nil: Add was not called
	explicit *Source        // see Explicit
	source   *Source        // of the calls with a token; nil: not chosen yet
}

// Add adds the flags to a command.
func (a *Flags) Add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.url, "url", "", "the service's address, https://HOST or unix:PATH (default $APITOKEN_URL or "+defaultURL+")")
	f.StringVar(&a.tokenFile, "token-file", "", "a file (mode 0600) that contains your token; - reads it from standard input (default $APITOKEN_TOKEN_FILE)")
	f.BoolVar(&a.tokenFileShared, "token-file-shared", false, "accept a token file that other users can read, if this user cannot change it: an orchestrator mounts it (default $APITOKEN_TOKEN_FILE_SHARED)")
	f.StringVar(&a.caFile, "ca-file", "", "a file with PEM certificates to trust in addition to the system's, such as tls.crt in a data folder (default $APITOKEN_CA_FILE)")
	f.BoolVar(&a.insecureHTTP, "insecure-http", false, "allow plain http to another machine; others on the network can then read the token")
	f.StringVar(&a.context, "context", "", "the context with the address and the token (default $APITOKEN_CONTEXT, then the current context)")
	a.set = f
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
	s, err := a.choose(e, false)
	if err != nil {
		return nil, err
	}
	base, hc, err := s.endpoint(e)
	if err != nil {
		return nil, err
	}
	return httpapi.NewClient(base, secret.Secret{}, hc), nil
}

// Endpoint returns the base address of the service and an HTTP client for it.
// Token returns the token of the same source.
func (a *Flags) Endpoint(e *console.Env) (string, *http.Client, error) {
	s, err := a.Source(e)
	if err != nil {
		return "", nil, err
	}
	return s.endpoint(e)
}

// Source returns where the address, the token and the certificates of the calls come
// from. It chooses once: another process may change the current context meanwhile.
func (a *Flags) Source(e *console.Env) (Source, error) {
	if a.source == nil {
		s, err := a.choose(e, true)
		if err != nil {
			return Source{}, err
		}
		a.source = &s
	}
	return *a.source, nil
}
