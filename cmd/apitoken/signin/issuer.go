package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"apitoken/events/secret"
)

// Flow is one sign-in at an issuer.
type Flow struct {
	Issuer   string   // its URL
	ClientID string   // of a public client: it has no secret
	Scopes   []string // beside openid

	Transport http.RoundTripper                // nil: http.DefaultTransport
	Say       func(format string, args ...any) // writes a message for the person
	Browser   func(address string) error       // opens an address; nil: only Say names it
}

// metadata is what the issuer says about itself, beside what go-oidc reads.
type metadata struct {
	NamesItself bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	Challenges  []string `json:"code_challenge_methods_supported"`
}

// provider is an issuer that was asked what it offers.
type provider struct {
	metadata
	flow     Flow
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// discover asks the issuer for its endpoints (OpenID Connect Discovery). Each of them must
// have https, or be on this machine.
func (f Flow) discover(ctx context.Context) (*provider, error) {
	if err := checkAddress("the issuer", f.Issuer); err != nil {
		return nil, err
	}
	found, err := oidc.NewProvider(ctx, f.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking the issuer %s for its endpoints: %w", f.Issuer, brief(err))
	}
	p := &provider{flow: f}
	if err := found.Claims(&p.metadata); err != nil {
		return nil, fmt.Errorf("reading the endpoints of the issuer %s: %w", f.Issuer, err)
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams // RFC 6749 section 3.2.1: a public client sends its id
	for _, e := range []struct{ name, address string }{
		{"authorization_endpoint", endpoint.AuthURL}, {"token_endpoint", endpoint.TokenURL}, {"device_authorization_endpoint", endpoint.DeviceAuthURL},
	} {
		if e.address == "" && e.name == "device_authorization_endpoint" {
			continue
		}
		if err := checkAddress("the issuer's "+e.name, e.address); err != nil {
			return nil, err
		}
	}
	if len(p.Challenges) > 0 && !slices.Contains(p.Challenges, "S256") {
		return nil, fmt.Errorf("the issuer %s does not offer PKCE with S256, which this sign-in needs", f.Issuer)
	}
	p.config = oauth2.Config{ClientID: f.ClientID, Endpoint: endpoint, Scopes: append([]string{oidc.ScopeOpenID}, f.Scopes...)}
	p.verifier = found.VerifierContext(ctx, &oidc.Config{ClientID: f.ClientID, SkipExpiryCheck: true}) // the clock of this machine may be wrong
	return p, nil
}

// idToken takes the ID token from the answer of the token endpoint. nonce is "" if the
// question had none.
func (p *provider) idToken(ctx context.Context, answer *oauth2.Token, nonce string) (secret.Secret, error) {
	text, ok := answer.Extra("id_token").(string)
	if !ok || text == "" {
		return secret.Secret{}, fmt.Errorf("the issuer %s gave no ID token; its client %s must allow the scope openid", p.flow.Issuer, p.flow.ClientID)
	}
	verified, err := p.verifier.Verify(ctx, text)
	if err != nil {
		return secret.Secret{}, fmt.Errorf("the issuer %s gave an ID token that is not valid: %w", p.flow.Issuer, brief(err))
	}
	if verified.Nonce != nonce {
		return secret.Secret{}, fmt.Errorf("the issuer %s gave an ID token for another sign-in (nonce)", p.flow.Issuer)
	}
	return secret.New(text), nil
}

// client is the context with the HTTP client of a flow, as both libraries take it. The
// client follows redirects only for GET, and never to an address that is not safe.
func (f Flow) client(ctx context.Context) context.Context {
	next := f.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	return oidc.ClientContext(ctx, &http.Client{
		Transport: safe{next, ctx},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if via[0].Method != http.MethodGet || len(via) >= 5 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	})
}

// checkAddress refuses an address that others on the network could read or answer.
func checkAddress(whose, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("the address of %s is not a URL; allowed: https://HOST", whose)
	case u.Scheme == "https", u.Scheme == "http" && local(u.Hostname()):
		return nil
	}
	return fmt.Errorf("the address of %s is %s://%s; allowed: https, and http on this machine", whose, u.Scheme, u.Host)
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
