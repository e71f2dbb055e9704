package oauth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// TestLibrariesOfOAuthWorkAgainstTheService: each program checks every answer itself.
func TestLibrariesOfOAuthWorkAgainstTheService(t *testing.T) {
	home := engines.Require(t, engines.OAuth)
	address := freeAddress(t)
	public := "https://" + address
	s := drive.Serve(t, "--listen", address, "--public-url", public)
	admin := client(public, s.Admin)
	for library, command := range map[string][]string{
		"Authlib":       {filepath.Join(home, "venv/bin/python"), program(t, "authlib_client.py"), public, s.Certificate},
		"openid-client": {"node", beside(t, home, "openid_client.mjs"), public},
	} {
		t.Run(library, func(t *testing.T) {
			run(t, s, command, tokens(t, public, admin, library))
		})
	}
	s.CheckLog("hunter2")
}

// freeAddress is an address that nothing listens on. The service must know it before
// its start, because it is its public URL.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func client(url, token string) *httpapi.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	return httpapi.NewClient(url, secret.New(token), &http.Client{Transport: transport})
}

// tokens makes what a program needs: a resource server with the permission view and a
// token for this call only, a stranger, and tokens of a user. expected is the answer
// about the scoped one.
func tokens(t *testing.T, url string, admin *httpapi.Client, library string) map[string]any {
	t.Helper()
	if _, err := admin.SetPermissions(t.Context(), "gateway", []string{"view"}); err != nil {
		t.Fatal(err)
	}
	make := func(r httpapi.CreateRequest) httpapi.Created {
		t.Helper()
		made, err := admin.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	user := func(key string) *name.Identity { return &name.Identity{Name: key} }
	const call = "POST /v1/oauth/introspect"
	ann := "user of " + library
	scoped := make(httpapi.CreateRequest{User: user(ann), Scopes: []string{"GET /v1/things/*", "POST /v1/things"}, ExpiresIn: "1h"})
	rotated := make(httpapi.CreateRequest{User: user(ann)})
	current, err := client(url, rotated.BearerToken.Reveal()).RotateSelf(t.Context(), httpapi.RotateRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"gateway":  make(httpapi.CreateRequest{User: user("gateway"), Scopes: []string{call}}).BearerToken.Reveal(),
		"stranger": make(httpapi.CreateRequest{User: user("stranger"), Scopes: []string{call}}).BearerToken.Reveal(),
		"scoped":   scoped.BearerToken.Reveal(),
		"ranged":   make(httpapi.CreateRequest{User: user(ann), SourceIPs: []string{"192.0.2.0/24"}}).BearerToken.Reveal(),
		"outgoing": rotated.BearerToken.Reveal(),
		"current":  current.BearerToken.Reveal(),
		"expected": map[string]any{
			"active": true, "scope": "GET:/v1/things/* POST:/v1/things", "username": ann, "sub": ann, "iss": issuer(t, admin, scoped.ID), "jti": scoped.ID,
			"token_type": "Bearer", "exp": scoped.ExpirationTime.Unix(), "iat": scoped.CreationTime.Unix(),
		},
	}
}

// issuer is the source of the events of a token.
func issuer(t *testing.T, admin *httpapi.Client, id string) string {
	t.Helper()
	history, err := admin.TokenEvents(t.Context(), id, httpapi.HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Source string }
	engines.Decode(t, history.Entries[0], &event)
	return event.Source
}

func program(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// beside copies a program to a folder with the engine's modules, where Node.js looks
// for them.
func beside(t *testing.T, home, file string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(program(t, file))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file), text, 0o600)
	}
	if err == nil {
		err = os.Symlink(filepath.Join(home, "node_modules"), filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, file)
}

// run runs a program. The tokens go to its standard input, and not to its arguments.
func run(t *testing.T, s *drive.Service, command []string, tokens map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir, c.Stdin = t.TempDir(), bytes.NewReader(engines.Encode(t, tokens))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir, "PYTHONDONTWRITEBYTECODE=1", "NODE_EXTRA_CA_CERTS=" + s.Certificate}
	if out, err := c.CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("got %v\n%s", err, out)
	}
}
