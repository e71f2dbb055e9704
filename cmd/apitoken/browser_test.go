package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoBrowserOfAnotherOriginIsAnswered: a page of another origin can read an
// answer only if the answer has a CORS header.
func TestNoBrowserOfAnotherOriginIsAnswered(t *testing.T) {
	s := run(t, filepath.Join(t.TempDir(), "data"))
	for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost} {
		for _, path := range []string{"/v1/auth/access-tokens/", "/v1/session/who-am-i", "/v1/version", "/nowhere"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"Origin": {"https://example.org"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"authorization"}}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			for name := range answer.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: the answer has %s", method, path, name)
				}
			}
			if method == http.MethodOptions && answer.StatusCode < 400 {
				t.Errorf("%s: a preflight got status %d", path, answer.StatusCode)
			}
		}
	}
}
