package main

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// TestSourceRangesHoldThroughATrustedProxy calls the real server with a token that
// has source ranges, as a reverse proxy and as a client.
func TestSourceRangesHoldThroughATrustedProxy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, row := range []struct {
		name  string
		flags []string
		lines []string
		want  int
	}{
		{"without proxies the header is ignored", nil, []string{"198.51.100.7"}, http.StatusForbidden},
		{"another proxy is trusted", []string{"--trusted-proxies", "192.0.2.0/24"}, []string{"198.51.100.7"}, http.StatusForbidden},
		{"through the proxy, in the range", []string{"--trusted-proxies", "192.0.2.0/24,127.0.0.0/8"}, []string{"203.0.113.5", "198.51.100.7, 192.0.2.1"}, http.StatusOK},
		{"through the proxy, outside the range", []string{"--trusted-proxies", "127.0.0.1"}, []string{"198.51.100.7, 203.0.113.5"}, http.StatusForbidden},
		{"through the proxy, unknown", []string{"--trusted-proxies", "127.0.0.1"}, []string{"198.51.100.7, unknown"}, http.StatusForbidden},
		{"through the proxy, without the header", []string{"--trusted-proxies", "127.0.0.1"}, nil, http.StatusForbidden},
	} {
		s := run(t, dir, row.flags...)
		text, err := datadir.ReadPrivate(filepath.Join(dir, "admin.token"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := httpapi.NewClient(s.url, secret.New(text), nil).Create(t.Context(), httpapi.CreateRequest{ExpiresIn: "1H", SourceIPs: []string{"198.51.100.0/24"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := statusFrom(t, s.url, made.BearerToken, row.lines); got != row.want {
			t.Errorf("%s: got status %d, want %d", row.name, got, row.want)
		}
		if err := httpapi.NewClient(s.url, secret.New(text), nil).Revoke(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
}

// statusFrom is the status of a call with the token and the lines of
// X-Forwarded-For. The other headers name an address in the token's range.
func statusFrom(t *testing.T, url string, token secret.Secret, lines []string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/session/who-am-i", nil)
	if err != nil {
		t.Fatal(err)
	}
	const inRange = "198.51.100.7"
	r.Header = http.Header{"Authorization": {"Bearer " + token.Reveal()}, "X-Forwarded-For": lines, "X-Real-Ip": {inRange}, "Forwarded": {"for=" + inRange}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}
