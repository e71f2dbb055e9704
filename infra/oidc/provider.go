package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// cachedFor is how long the metadata and the keys of an issuer are used. A key that
	// the issuer has withdrawn verifies nothing after that time.
	cachedFor = 10 * time.Minute

	// failedFor is how long a failure is answered again. The requests of a busy service
	// would otherwise all wait for a provider that is down.
	failedFor = 5 * time.Second

	// maxAddress is the longest address in the metadata, in bytes. Browsers get one of them
	// in a header.
	maxAddress = 1024
)

// Config is what Providers need. The default of Transport is one without idle
// connections, the default of Now is time.Now.
type Config struct {
	Issuers   []Issuer
	Transport http.RoundTripper
	Now       func() time.Time
}

// Providers are the issuers of the settings. Many goroutines may use them.
type Providers struct {
	issuers []*issuer
	now     func() time.Time
}

// New returns the providers. It fetches nothing.
func New(c Config) *Providers {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	// Without the monotonic reading: the monotonic clock stops while a Lambda sandbox is
	// frozen.
	p := &Providers{now: func() time.Time { return c.Now().Round(0) }}
	for _, settings := range c.Issuers {
		address, err := url.Parse(settings.URL)
		local := err == nil && address.Scheme == "http"
		p.issuers = append(p.issuers, &issuer{
			Issuer: settings, client: newClient(c.Transport, local), local: local, now: p.now, turn: make(chan struct{}, 1),
		})
	}
	return p
}

// issuer is an issuer with what it published.
type issuer struct {
	Issuer
	client *http.Client
	local  bool
	now    func() time.Time

	turn  chan struct{} // who holds its value reads and writes what follows
	found *published
	at    time.Time // of the last discovery
	err   error     // its error
}

// published is what an issuer says about itself, with its keys.
type published struct {
	provider *oidc.Provider
	keys     *keySet
	metadata metadata
}

// metadata are the members that go-oidc does not read (OpenID Connect Discovery 1.0
// section 3, RFC 9207 section 3).
type metadata struct {
	JWKS          string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	Scopes        []string `json:"scopes_supported"`
	SendsIssuer   bool     `json:"authorization_response_iss_parameter_supported"`
}

// published returns what the issuer published, at most cachedFor old. The error is a
// fault.
func (i *issuer) published(ctx context.Context) (*published, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the metadata of issuer %s: %w", i.Alias, ctx.Err())
	}
	now := i.now()
	if i.err == nil && isRecent(i.at, now, cachedFor) {
		return i.found, nil
	}
	if i.err == nil || !isRecent(i.at, now, failedFor) {
		// A caller that leaves does not end it, because others wait for it too.
		i.found, i.err = i.discover(context.WithoutCancel(ctx))
		i.at = i.now()
	}
	if i.err != nil {
		return nil, fmt.Errorf("asking issuer %s for its metadata: %w", i.Alias, i.err)
	}
	return i.found, nil
}

// isRecent reports whether the time at is less than most ago. A time of the future is
// not recent: the clock was wrong.
func isRecent(at, now time.Time, most time.Duration) bool {
	age := now.Sub(at)
	return !at.IsZero() && age >= 0 && age < most
}

func (i *issuer) discover(ctx context.Context) (*published, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.URL)
	if err != nil {
		return nil, brief(err)
	}
	p := &published{provider: provider}
	if err := provider.Claims(&p.metadata); err != nil {
		return nil, errors.New("the metadata have a member with the wrong type")
	}
	for _, m := range []struct {
		name, address string
		optional      bool // only sign-ins with a browser need it
	}{{"jwks_uri", p.metadata.JWKS, false}, {"authorization_endpoint", p.metadata.Authorization, i.ClientID == ""}, {"token_endpoint", p.metadata.Token, i.ClientID == ""}} {
		if u, err := url.Parse(m.address); !m.optional && (err != nil || u.User != nil || len(m.address) > maxAddress || !mayFetch(u, i.local)) {
			return nil, fmt.Errorf("the member %s of the metadata is no https address without a user and of at most %d bytes", m.name, maxAddress)
		}
	}
	p.keys = newKeySet(p.metadata.JWKS, i.client, i.now)
	return p, nil
}

// scopes returns the scopes to ask for: openid, and what gives the claims that are
// used, if the provider has it.
func (i *issuer) scopes(m metadata) []string {
	want := []string{"profile", "email"}
	scopes := []string{oidc.ScopeOpenID}
	if i.GroupsClaim != "" && slices.Contains(m.Scopes, "groups") {
		scopes = append(scopes, "groups")
	}
	for _, scope := range want {
		if len(m.Scopes) == 0 || slices.Contains(m.Scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
