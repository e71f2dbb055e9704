package keycloak_test

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

// alias is the name of the realm in the configuration of the service.
const alias = "keycloak"

// scene is a service that signs people in with an address before Keycloak.
type scene struct {
	*testing.T
	front   *keycloak.Front
	service *drive.Service
	url     string // of the service
	admin   *httpapi.Client
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return newSceneWith(t, func(*keycloak.Front) {})
}

// newSceneWith does something to the address before Keycloak before the service starts.
func newSceneWith(t *testing.T, before func(*keycloak.Front)) *scene {
	t.Helper()
	s := &scene{T: t, front: keycloak.NewFront(t, keycloak.Connect(t))}
	before(s.front)
	s.serve(s.front.Realm, "127.0.0.1:0")
	return s
}

// serve starts the service at an address, with a realm as its only issuer.
func (s *scene) serve(r keycloak.Realm, address string) {
	s.Helper()
	address = free(s.T, address)
	s.url = "https://" + address
	keycloak.Connect(s).AllowRedirect(s, s.url+"/ui/callback")
	dir := s.TempDir()
	issuers := write(s.T, filepath.Join(dir, "issuers.json"), []map[string]any{{
		"alias": alias, "url": r.Issuer(), "client_id": keycloak.Page, "cli_client_id": keycloak.CLI, "audiences": []string{"apitoken"},
		"groups_claim": "groups", "name_claim": "name",
	}})
	secrets := write(s.T, filepath.Join(dir, "secrets.json"), map[string]string{alias: keycloak.PageSecret})
	s.service = drive.Serve(s.T, "--listen", address, "--public-url", s.url, "--oidc-issuers", issuers, "--oidc-secrets", secrets)
	s.admin = s.client(s.service.Admin)
	s.Cleanup(s.checkLog)
}

// checkLog checks that the log has no secret of the service and none of Keycloak.
func (s *scene) checkLog() {
	s.Helper()
	engines.Eventually(s, time.Minute, "the log has the requests", func() string {
		if strings.Contains(s.service.Log(), `"user_agent":"`) {
			return ""
		}
		return "it is: " + s.service.Log()
	})
	s.service.CheckLog(keycloak.PageSecret)
	for _, person := range []string{keycloak.Ann, keycloak.Bob} {
		if strings.Contains(s.service.Log(), keycloak.Password(person)) {
			s.Error("the log has a password")
		}
	}
	if strings.Contains(s.service.Log(), "eyJ") {
		s.Errorf("the log has a JWT: %s", s.service.Log())
	}
}

// free returns the address, or another one if something listens there. The service must
// know its address before its start, because it is its public URL.
func free(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// write writes a JSON file that only its owner can read.
func write(t *testing.T, path string, v any) string {
	t.Helper()
	if err := os.WriteFile(path, engines.Encode(t, v), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// trusting accepts the certificate of the service, which is self-signed.
var trusting = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func (s *scene) client(token string) *httpapi.Client {
	return httpapi.NewClient(s.url, secret.New(token), trusting)
}

// signedIn is a person with a session.
type signedIn struct {
	*httpapi.Client
	browser *keycloak.Browser
	session string
	httpapi.WhoAmI
}

// signIn goes the whole way in, in a browser of its own.
func (s *scene) signIn(person string) signedIn {
	s.Helper()
	b := keycloak.NewBrowser(s)
	return s.enter(b, b.Authorize(s, s.login(), person))
}

// login is the address that begins a sign-in.
func (s *scene) login() string { return s.url + "/ui/login?issuer=" + alias }

// enter opens the address to which Keycloak sent a person back. It has to open a
// session.
func (s *scene) enter(b *keycloak.Browser, back *url.URL) signedIn {
	s.Helper()
	got := b.Get(s, back.String())
	in := signedIn{browser: b, session: s.sessionOf(b)}
	if in.session == "" {
		s.Fatalf("%s: got %d without a session: %s", got.URL.Path, got.Status, keycloak.Message(got.Body))
	}
	in.Client = s.client(in.session)
	var err error
	if in.WhoAmI, err = in.Client.WhoAmI(s.Context()); err != nil {
		s.Fatal(err)
	}
	return in
}

// sessionOf returns the session that a browser has at the service, or "".
func (s *scene) sessionOf(b *keycloak.Browser) string {
	u, err := url.Parse(s.url)
	if err != nil {
		s.Fatal(err)
	}
	return b.Cookie(u, "__Host-apitoken")
}

// exchange sends a JWT and returns the status and the members of the answer.
func (s *scene) exchange(jwt, kind string) (int, map[string]any) {
	s.Helper()
	answer, err := trusting.PostForm(s.url+"/v1/session/exchange", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {jwt},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:" + kind},
	})
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		s.Fatalf("the exchange got %d, %v", answer.StatusCode, err)
	}
	return answer.StatusCode, out
}
