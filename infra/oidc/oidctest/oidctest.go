// Package oidctest runs an OpenID Connect provider inside of a test: a mockoidc with the
// faults and the attacks that mockoidc does not have.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

// Provider is a provider on this machine, without TLS. Its clock is Now.
type Provider struct {
	t    testing.TB
	mock *mockoidc.MockOIDC
	now  func() time.Time

	turn sync.RWMutex // requests read, tests write
	keys []jose.JSONWebKey
	down bool
	edit map[string]func(http.ResponseWriter, *http.Request) // by path: in place of the mock's answer
	hook map[string]func()                                   // by path: before the answer

	counting sync.Mutex
	asked    map[string]int
	iss      string
}

// Start starts a provider until the test ends.
func Start(t testing.TB, now func() time.Time) *Provider {
	t.Helper()
	mock, err := mockoidc.NewServer(nil)
	must(t, err)
	p := &Provider{t: t, mock: mock, now: now, edit: map[string]func(http.ResponseWriter, *http.Request){}, hook: map[string]func(){}, asked: map[string]int{}}
	p.keys = []jose.JSONWebKey{p.rsaKey()}
	must(t, mock.AddMiddleware(p.around))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, mock.Start(l, nil))
	t.Cleanup(func() { _ = mock.Shutdown() })
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// URL is the issuer.
func (p *Provider) URL() string { return p.mock.Issuer() }

// Client returns the id and the secret of the client that the provider knows.
func (p *Provider) Client() (id, secret string) { return p.mock.ClientID, p.mock.ClientSecret }

// NewSecret gives the client a new secret, and returns it. The one before works no longer.
func (p *Provider) NewSecret() string {
	p.change(func() { p.mock.ClientSecret = rand.Text() })
	return p.mock.ClientSecret
}

// rsaKey is the key that signs ID tokens.
func (p *Provider) rsaKey() jose.JSONWebKey {
	kid, err := p.mock.Keypair.KeyID()
	must(p.t, err)
	return jose.JSONWebKey{Key: p.mock.Keypair.PrivateKey, KeyID: kid, Use: "sig"}
}

// around counts the request, and answers it in place of the mock if a test wants so.
func (p *Provider) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.turn.RLock()
		defer p.turn.RUnlock()
		p.counting.Lock()
		p.asked[r.URL.Path]++
		p.counting.Unlock()
		if hook := p.hook[r.URL.Path]; hook != nil {
			hook()
			time.Sleep(20 * time.Millisecond) // a client that left has closed its connection then
		}
		edited := p.edit[r.URL.Path]
		switch {
		case p.down:
			http.Error(w, "down", http.StatusBadGateway)
		case edited != nil:
			edited(w, r)
		case r.URL.Path == mockoidc.JWKSEndpoint:
			p.writeKeys(w)
		case r.URL.Path == mockoidc.AuthorizationEndpoint:
			p.ensurePerson()
			next.ServeHTTP(&answer{w, p.iss}, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ensurePerson signs a person in if SignIn has named none: mockoidc's own one would have
// the time of the machine.
func (p *Provider) ensurePerson() {
	p.mock.UserQueue.Lock()
	defer p.mock.UserQueue.Unlock()
	if len(p.mock.UserQueue.Queue) == 0 {
		p.mock.UserQueue.Queue = append(p.mock.UserQueue.Queue, &person{p, nil})
	}
}

func (p *Provider) writeKeys(w http.ResponseWriter) {
	var set jose.JSONWebKeySet
	for _, k := range p.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(set)
}

// answer adds iss to the redirect back to the client (RFC 9207).
type answer struct {
	http.ResponseWriter
	iss string
}

func (a *answer) WriteHeader(status int) {
	if to, err := url.Parse(a.Header().Get("Location")); err == nil && a.iss != "" {
		q := to.Query()
		q.Set("iss", a.iss)
		to.RawQuery = q.Encode()
		a.Header().Set("Location", to.String())
	}
	a.ResponseWriter.WriteHeader(status)
}

// SendIssuer adds iss with this value to each answer to a browser; "" adds none.
func (p *Provider) SendIssuer(iss string) { p.change(func() { p.iss = iss }) }

// Down makes every request fail, or work again.
func (p *Provider) Down(down bool) { p.change(func() { p.down = down }) }

// Answer replaces the answers at a path below the issuer. nil puts the mock's back.
func (p *Provider) Answer(path string, h func(http.ResponseWriter, *http.Request)) {
	p.change(func() { p.edit[mockoidc.IssuerBase+path] = h })
}

// Before calls a function before each answer at a path below the issuer. nil: none.
func (p *Provider) Before(path string, hook func()) {
	p.change(func() { p.hook[mockoidc.IssuerBase+path] = hook })
}

func (p *Provider) change(f func()) {
	p.turn.Lock()
	defer p.turn.Unlock()
	f()
}

// Asked returns how often a path below the issuer was requested.
func (p *Provider) Asked(path string) int {
	p.counting.Lock()
	defer p.counting.Unlock()
	return p.asked[mockoidc.IssuerBase+path]
}

// The paths below the issuer.
const (
	Discovery = "/.well-known/openid-configuration"
	Keys      = "/.well-known/jwks.json"
	Token     = "/token"
)

// Metadata answers discovery with these members changed; nil removes a member.
func (p *Provider) Metadata(changes map[string]any) {
	all := map[string]any{
		"issuer": p.URL(), "authorization_endpoint": p.URL() + "/authorize", "token_endpoint": p.URL() + Token, "jwks_uri": p.URL() + Keys,
		"token_endpoint_auth_methods_supported": []string{"client_secret_post"}, "scopes_supported": []string{"openid", "profile", "email", "groups"},
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	p.Answer(Discovery, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(all)
	})
}

// Rotate replaces the key that signs ID tokens. The old one is published no more.
func (p *Provider) Rotate() {
	p.t.Helper()
	pair, err := mockoidc.RandomKeypair(2048)
	must(p.t, err)
	p.change(func() {
		p.mock.Keypair = pair
		p.keys = []jose.JSONWebKey{p.rsaKey()}
	})
}

// AddKey publishes one more key, for a signature algorithm, and returns it.
func (p *Provider) AddKey(alg jose.SignatureAlgorithm) jose.JSONWebKey {
	p.t.Helper()
	var private crypto.PrivateKey
	var err error
	switch alg {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	must(p.t, err)
	key := jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(alg), Use: "sig"}
	p.change(func() { p.keys = append(p.keys, key) })
	return key
}

// Key returns the key that signs ID tokens.
func (p *Provider) Key() jose.JSONWebKey {
	p.turn.RLock()
	defer p.turn.RUnlock()
	return p.rsaKey()
}

// Claims returns the claims of a good ID token for a person, with changes; nil removes a
// claim.
func (p *Provider) Claims(changes map[string]any) map[string]any {
	now := p.now()
	all := map[string]any{
		"iss": p.URL(), "sub": "1234567890", "aud": p.mock.ClientID, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// JWT returns a good ID token with changes, signed by the key for ID tokens.
func (p *Provider) JWT(changes map[string]any) string {
	p.t.Helper()
	return Sign(p.t, jose.RS256, p.Key(), p.Claims(changes))
}

// Sign returns a JWT.
func Sign(t testing.TB, alg jose.SignatureAlgorithm, key jose.JSONWebKey, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	must(t, err)
	if alg == "none" {
		return encode(`{"alg":"none","typ":"JWT"}`) + "." + encode(string(payload)) + "."
	}
	key.Algorithm = "" // the signer chooses by alg
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	must(t, err)
	signed, err := signer.Sign(payload)
	must(t, err)
	text, err := signed.CompactSerialize()
	must(t, err)
	return text
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// SignIn lets the next person who comes to the provider with a browser sign in, with
// these changes to the claims of the ID token.
func (p *Provider) SignIn(changes map[string]any) { p.mock.QueueUser(&person{p, changes}) }

type person struct {
	p       *Provider
	changes map[string]any
}

func (u *person) ID() string { return "1234567890" }

func (u *person) Userinfo([]string) ([]byte, error) { return []byte("{}"), nil }

// Claims implements mockoidc.User.
func (u *person) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	changes := map[string]any{"nonce": base.Nonce}
	maps.Copy(changes, u.changes)
	return jwt.MapClaims(u.p.Claims(changes)), nil
}

// Code adds a code to use in the next answer to a browser.
func (p *Provider) Code(code string) { p.mock.QueueCode(code) }
