// Package signintest has an issuer of OpenID Connect for tests: mockoidc, with what it
// lacks. A client without a secret may use it, and it has a sign-in for devices.
//
// Only tests use this package.
package signintest

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

const devicePath = mockoidc.IssuerBase + "/device"

// Issuer is an issuer. Its fields may be set before the first request.
type Issuer struct {
	*mockoidc.MockOIDC
	Change func(metadata map[string]any) // changes what the issuer says about itself
	Polls  []string                      // the errors that a device gets, one after the other, before the ID token
	Device map[string]any                // more members of the answer to a device

	t         testing.TB
	mux       *http.ServeMux
	mu        sync.Mutex
	forms     []url.Values // that the token endpoint got
	challenge string       // of the device
}

// New returns an issuer that is not on the network: Transport leads to it.
func New(t testing.TB) *Issuer {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Server = &http.Server{Addr: "127.0.0.1:1"}
	i := &Issuer{MockOIDC: m, t: t, mux: http.NewServeMux()}
	i.mux.HandleFunc(mockoidc.DiscoveryEndpoint, i.discovery)
	i.mux.HandleFunc(mockoidc.JWKSEndpoint, m.JWKS)
	i.mux.HandleFunc(mockoidc.AuthorizationEndpoint, func(w http.ResponseWriter, r *http.Request) { i.locked(m.Authorize, w, r) })
	i.mux.HandleFunc(mockoidc.TokenEndpoint, i.token)
	i.mux.HandleFunc(devicePath, i.device)
	return i
}

// Start returns an issuer on a port of this machine.
func Start(t testing.TB) *Issuer {
	t.Helper()
	i := New(t)
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	i.Server.Addr = s.Listener.Addr().(*net.TCPAddr).String()
	return i
}

// ServeHTTP answers every request to the issuer.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) { i.mux.ServeHTTP(w, r) }

// RoundTrip answers without a network, so the clock of testing/synctest can be used.
func (i *Issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, nil
}

// Forms are the forms that the token endpoint got.
func (i *Issuer) Forms() []url.Values {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.forms)
}

func (i *Issuer) locked(next http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	next(w, r)
}

func (i *Issuer) discovery(w http.ResponseWriter, r *http.Request) {
	own := httptest.NewRecorder()
	i.Discovery(own, r)
	metadata := map[string]any{}
	if err := json.Unmarshal(own.Body.Bytes(), &metadata); err != nil {
		i.t.Error(err)
	}
	metadata["device_authorization_endpoint"] = i.Addr() + devicePath
	if i.Change != nil {
		i.Change(metadata)
	}
	answer(w, http.StatusOK, metadata)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// token is mockoidc's, for a client without a secret.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		i.t.Error(err)
	}
	i.forms = append(i.forms, r.Form)
	if _, _, basic := r.BasicAuth(); basic || r.Form.Has("client_secret") {
		i.t.Error("a public client has sent a secret")
	}
	if r.Form.Get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code" {
		i.poll(w, r)
		return
	}
	all := url.Values{"client_secret": {i.ClientSecret}}
	for name, values := range r.Form {
		all[name] = values
	}
	r.Form = all
	i.Token(w, r)
}

// device begins a sign-in of a device.
func (i *Issuer) device(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.Form.Get("client_id") != i.ClientID {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	i.challenge = r.Form.Get("code_challenge")
	body := map[string]any{
		"device_code": "device-code-of-the-test", "user_code": "WDJB-MJHT", "verification_uri": i.Addr() + "/enter",
		"verification_uri_complete": i.Addr() + "/enter?user_code=WDJB-MJHT", "expires_in": 120, "interval": 5,
	}
	for name, value := range i.Device {
		body[name] = value
	}
	answer(w, http.StatusOK, body)
}

// poll answers a device that asks whether the person has signed in.
func (i *Issuer) poll(w http.ResponseWriter, r *http.Request) {
	if len(i.Polls) > 0 {
		code := i.Polls[0]
		i.Polls = i.Polls[1:]
		answer(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": "the person said so"})
		return
	}
	challenge, err := mockoidc.GenerateCodeChallenge("S256", r.Form.Get("code_verifier"))
	if err != nil || challenge != i.challenge || r.Form.Get("device_code") != "device-code-of-the-test" {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	session, err := i.SessionStore.NewSession("openid profile", "", i.UserQueue.Pop(), "", "")
	if err != nil {
		i.t.Error(err)
		return
	}
	id, err := session.IDToken(i.Config(), i.Keypair, i.Now())
	if err != nil {
		i.t.Error(err)
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": id, "expires_in": 60})
}
