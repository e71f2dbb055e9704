package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/signin"
	"apitoken/infra/oidc/oidctest"
)

// issuerFiles writes the files of serve for a provider into a folder.
func issuerFiles(t *testing.T, dir string, p *oidctest.Provider) []string {
	t.Helper()
	id, secret := p.Client()
	var flags []string
	for flag, content := range map[string]any{
		"oidc-issuers": []map[string]string{{"alias": "work", "url": p.URL(), "client_id": id, "cli_client_id": "cli"}}, "oidc-secrets": map[string]string{"work": secret},
	} {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, flag)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--"+flag, path)
	}
	return flags
}

// TestPeopleSignInAtServe with a browser that knows only the public address.
func TestPeopleSignInAtServe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := oidctest.Start(t, time.Now)
	s := run(t, dir, append(issuerFiles(t, t.TempDir(), p), "--tls-self-signed", "--tls-name", "tokens.example.com", "--public-url", "https://tokens.example.com")...)
	client := browserFor(t, s, filepath.Join(dir, "tls.crt"))
	p.SignIn(map[string]any{"sub": "ann", "name": "Ann"})
	if at, status := signInAt(t, client); at != "https://tokens.example.com/ui/" || status != http.StatusSeeOther {
		t.Errorf("the sign-in ends at %s after %d", at, status)
	}
	u, _ := url.Parse("https://tokens.example.com/ui/")
	var session string
	for _, c := range client.Jar.Cookies(u) {
		if c.Name == signin.SessionCookie {
			session = c.Value
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://tokens.example.com/v1/auth/access-tokens/self", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+session)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var entry httpapi.Entry
	if err := json.Unmarshal(body, &entry); err != nil || entry.Via != "oidc" || !strings.HasPrefix(entry.User.AuthID, "oidc:work:") {
		t.Errorf("got %s %s (%v), want a session of oidc:work:...", answer.Status, body, err)
	}
	if _, secret := p.Client(); strings.Contains(s.out.String()+s.log.String(), session) || strings.Contains(s.out.String()+s.log.String(), secret) {
		t.Error("the output of the server has a secret")
	}
}

// signInAt goes to the issuer, back, and to the page. It returns the last address that it
// was sent to, and the status of the answer there before.
func signInAt(t *testing.T, client *http.Client) (address string, status int) {
	t.Helper()
	address = "https://tokens.example.com/ui/login?issuer=work"
	for range 3 {
		answer, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		status = answer.StatusCode
		next, err := answer.Location()
		if err != nil {
			break
		}
		address = next.String()
	}
	return address, status
}

// TestANewSecretOfAnIssuerIsUsedAfterSIGHUP: with the secret before, the issuer refuses
// the code of each sign-in.
func TestANewSecretOfAnIssuerIsUsedAfterSIGHUP(t *testing.T) {
	dir, files := filepath.Join(t.TempDir(), "data"), t.TempDir()
	p := oidctest.Start(t, time.Now)
	s := run(t, dir, append(issuerFiles(t, files, p), "--tls-self-signed", "--tls-name", "tokens.example.com", "--public-url", "https://tokens.example.com")...)
	client := browserFor(t, s, filepath.Join(dir, "tls.crt"))
	p.NewSecret()
	if at, status := signInAt(t, client); !strings.HasPrefix(at, "https://tokens.example.com/ui/callback") || status < 400 {
		t.Fatalf("with the secret before, the sign-in ends at %s after %d", at, status)
	}
	issuerFiles(t, files, p)
	s.cmd.Process.Signal(syscall.SIGHUP)
	awaitLog(s, "the new issuers and secrets are in use")
	if at, status := signInAt(t, client); at != "https://tokens.example.com/ui/" || status != http.StatusSeeOther {
		t.Errorf("with the new secret, the sign-in ends at %s after %d", at, status)
	}
}

// browserFor returns a client with cookies for a server whose public name leads nowhere.
func browserFor(t *testing.T, s *server, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	at, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "tokens.example.com:443" {
					address = at.Host
				}
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		},
	}
}
