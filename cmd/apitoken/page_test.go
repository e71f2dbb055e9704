package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeAnswersThePage: a person signs in with the administrator's token and sees
// it, and the API in the same process answers as before.
func TestServeAnswersThePage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := run(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if got := get(t, client, s.url+"/ui"); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "ui/" {
		t.Errorf("/ui: got %d %q", got.StatusCode, got.Header.Get("Location"))
	}
	form := url.Values{"way": {"token"}, "token": {strings.TrimSpace(string(text))}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/ui/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
	signed, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	signed.Body.Close()
	if signed.StatusCode != http.StatusSeeOther {
		t.Fatalf("the sign-in: got %d", signed.StatusCode)
	}
	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/ui/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range signed.Cookies() {
		r.AddCookie(c)
	}
	shown, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Body.Close()
	content, err := io.ReadAll(shown.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(content); shown.StatusCode != http.StatusOK || !strings.Contains(body, "admin_api_token") {
		t.Errorf("the page: got %d %s", shown.StatusCode, body)
	}
	if got := get(t, client, s.url+"/ui/nowhere"); got.StatusCode != http.StatusNotFound || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
		t.Errorf("an unknown page: got %d %s", got.StatusCode, got.Header.Get("Content-Type"))
	}
	login, err := client.Get(s.url + "/ui/login?issuer=x")
	if err != nil {
		t.Fatal(err)
	}
	defer login.Body.Close()
	content, err = io.ReadAll(login.Body)
	if err != nil || login.StatusCode < 400 || strings.Contains(string(content), "There is no such page") {
		t.Errorf("the page answers the sign-in at an issuer, which is a call of the API: %d %s, %v", login.StatusCode, content, err)
	}
	if got := get(t, client, s.url+"/v1/version"); got.StatusCode != http.StatusOK {
		t.Errorf("the API: got %d", got.StatusCode)
	}
}

// get returns the answer without its body.
func get(t *testing.T, client *http.Client, address string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}
