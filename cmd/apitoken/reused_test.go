package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/events/token/tokentest"
)

// TestServePublishesAReplacedSecretOnceAndAfterARestart: the file of events has the
// notice once, although the new process does not remember the notices of the old
// one, and no secret.
func TestServePublishesAReplacedSecretOnceAndAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := run(t, dir).end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	old, id := rotatedToken(t, dir)
	for range 2 {
		s := run(t, dir)
		for range 3 {
			if got := statusOf(t, s.url, old); got != http.StatusUnauthorized {
				t.Errorf("the replaced secret: got %d, want 401", got)
			}
		}
		if err := s.end(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	notices := map[string]int{} // by id
	for text := range strings.Lines(string(file)) {
		var line struct {
			Detail struct{ Type, ID, Subject string }
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line.Detail.Type == "TokenReused" && line.Detail.Subject == id {
			notices[line.Detail.ID]++
		}
	}
	if days := len(notices); days != 1 && days != 2 { // the test may run at midnight
		t.Errorf("the file has the notices %v, want one", notices)
	}
	for notice, times := range notices {
		if times != 1 {
			t.Errorf("the file has the notice %s %d times, want 1", notice, times)
		}
	}
	if _, hidden, _ := strings.Cut(old.Reveal(), "."); strings.Contains(string(file), hidden) {
		t.Error("the file of events has the secret")
	}
}

// rotatedToken makes a token in the folder and rotates it without a grace. It returns
// the token with the replaced secret, and the id.
func rotatedToken(t *testing.T, dir string) (old secret.Secret, id string) {
	t.Helper()
	f, err := datadir.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	made, old, err := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys}).Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	tokentest.Rotate(t, f.Store, f.Keys, time.Now(), made.ID, 0)
	return old, made.ID
}

func statusOf(t *testing.T, url string, bearer secret.Secret) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v1/session/who-am-i", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	return a.StatusCode
}
