package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"apitoken/functions/httpapi"
)

// sentinels is how many marked tokens go through every sink.
const sentinels = 20

// mistyped is how many of them are typed where the command line takes none:
// each costs a dozen processes.
const mistyped = 3

// TestNoSecretReachesASink sends marked tokens through everything that keeps or
// shows something, shows first that they did pass through, and then that none
// of them stands anywhere: in the store's file, the logs, the events, the
// problem objects, a panic's log line, and what the command line says.
func TestNoSecretReachesASink(t *testing.T) {
	s := &sentinel{t: t, dir: filepath.Join(t.TempDir(), "data")}
	s.start()
	for i := range sentinels {
		s.issue(fmt.Sprintf("sentinel%02d", i))
	}
	for _, token := range s.tokens {
		s.useAndMisuse(token)
		s.crash(token)
	}
	for _, token := range s.tokens[:mistyped] {
		s.command(token)
	}
	for i := range s.tokens[:sentinels/2] {
		s.ask("DELETE", "/v1/auth/access-tokens/"+s.id(i), s.admin, nil)
		s.ask("GET", "/v1/session/who-am-i", s.tokens[i], nil)
	}
	if err := s.server.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	sinks := s.sinks()
	s.allPassedThrough(sinks)
	s.noneStands(sinks)
}

type sentinel struct {
	t      *testing.T
	dir    string
	server *server
	admin  string
	tokens []string

	problems, panics, stderr bytes.Buffer
	refused, crashed, said   int
}

func (s *sentinel) start() {
	s.t.Helper()
	var err error
	if s.server, err = startServer(exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", s.dir)); err != nil {
		s.t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "admin.token"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.admin = strings.TrimSpace(string(b))
}

// issue makes a marked token with the command line.
func (s *sentinel) issue(owner string) {
	s.t.Helper()
	var made struct {
		BearerToken string `json:"bearer_token"`
	}
	out := s.run("create", "--owner", owner, "--description", "marked", "--output", "json")
	if err := json.Unmarshal(out, &made); err != nil || len(made.BearerToken) != 41 {
		s.t.Fatalf("create answered no token: %v", err)
	}
	s.tokens = append(s.tokens, made.BearerToken)
}

func (s *sentinel) id(i int) string { return s.tokens[i][:8] }

// run is the command line with the administrator's token; what it says on
// standard error is kept.
func (s *sentinel) run(args ...string) []byte {
	cmd := exec.Command("apitoken", args...)
	cmd.Env = append(os.Environ(), "APITOKEN_URL="+s.server.url, "APITOKEN_TOKEN="+s.admin)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, _ := cmd.Output()
	if said.Len() > 0 {
		s.said++
	}
	s.stderr.Write(said.Bytes())
	return out
}

// ask sends one request. Every answer is kept, refusals are counted; no call
// of this test answers with a token.
func (s *sentinel) ask(method, target, token string, body any, headers ...string) {
	s.t.Helper()
	var sent io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(body)
	default:
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, s.server.url+target, sent)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.problems.Write(answer)
	fmt.Fprintf(&s.problems, "%v\n", res.Header)
	if res.StatusCode >= 400 {
		s.refused++
	}
}

// misuses is how many requests of useAndMisuse are refused.
const misuses = 28

// useAndMisuse uses the token once, and then puts it wherever it does not
// belong.
func (s *sentinel) useAndMisuse(token string) {
	const tokens = "/v1/auth/access-tokens/"
	type object map[string]any
	s.ask("GET", "/v1/session/who-am-i", token, nil, "User-Agent", token, "X-Request-Id", token, "Cookie", "t="+token, "Referer", "http://x/"+token)
	s.ask("POST", "/v1/auth/authorize", s.admin, object{"token": token})

	s.ask("GET", tokens+"?token="+token, s.admin, nil)
	s.ask("GET", tokens+"?access_token="+token, s.admin, nil)
	s.ask("GET", tokens+token, s.admin, nil)
	s.ask("DELETE", tokens+token, s.admin, nil)
	s.ask("GET", tokens+token+"/events", s.admin, nil)
	s.ask("GET", "/"+token, s.admin, nil)
	s.ask(token, tokens, s.admin, nil)
	s.ask("GET", tokens+"?state="+token, s.admin, nil)
	s.ask("GET", tokens+"?after="+token, s.admin, nil)
	s.ask("GET", tokens+"?limit="+token, s.admin, nil)
	s.ask("GET", "/v1/users/"+token+"%2e%2e%0a/events", s.admin, nil)
	s.ask("GET", tokens, s.admin, nil, "Authorization", "Bearer "+token)
	s.ask("GET", tokens, token+", Bearer "+token, nil)
	s.ask("GET", tokens, token+"x", nil)
	s.ask("GET", tokens, token[:8]+"."+s.admin[9:], nil)
	s.ask("POST", tokens, s.admin, `{"name": "`+token)
	s.ask("POST", tokens, s.admin, object{token: 1})
	s.ask("POST", tokens, s.admin, object{"name": []string{token}})
	s.ask("POST", tokens, s.admin, object{"name": token + "\n"})
	s.ask("POST", tokens, s.admin, object{"expires_in": token})
	s.ask("POST", tokens, s.admin, object{"expiration_time": token})
	s.ask("POST", tokens, s.admin, object{"user": object{"name": token, "domain": "POSIX_GROUP"}})
	s.ask("POST", tokens, s.admin, object{"scopes": []string{token}})
	s.ask("POST", tokens, s.admin, object{"source_ips": []string{token}})
	s.ask("POST", tokens, s.admin, object{"user": object{"auth_id": token}})
	s.ask("POST", tokens, s.admin, object{"description": "the token " + token + "."})
	s.ask("POST", tokens, s.admin, object{"scopes": []string{"GET /" + token}})
	s.ask("GET", tokens+"?authorization=Bearer%20"+token, s.admin, nil)
}

// crash provokes a panic, with the token as its value, behind the service's
// own handler.
func (s *sentinel) crash(token string) {
	handler := httpapi.New(httpapi.Config{
		Logger: slog.New(slog.NewJSONHandler(&s.panics, nil)),
		Ready:  func(context.Context) error { panic("a marked value: " + token) },
	})
	r := httptest.NewRequest("GET", "/healthz", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code == http.StatusInternalServerError {
		s.crashed++
	}
	s.problems.Write(w.Body.Bytes())
}

// command types the token where the command line does not take one.
func (s *sentinel) command(token string) {
	s.run("show", token)
	s.run("revoke", "--id", token)
	s.run("history", token)
	s.run("create", token)
	s.run(token)
	s.run("list", "--state", token)
	s.run("create", "--expiry-date", token)
	s.run("list", "--url", "http://127.0.0.1:1", "--owner", token)
	s.run("list", "--url", "http://"+token+"@127.0.0.1:1")
	s.run("list", "--"+token)
	s.run("list", "--token-file", token)
}

// sinks are the texts in which no secret may stand.
func (s *sentinel) sinks() map[string]string {
	s.t.Helper()
	sinks := map[string]string{
		"the problem objects": s.problems.String(), "the panics' log": s.panics.String(), "the command line's words": s.stderr.String(),
		"the log": s.server.log.String(), "the server's words": s.server.out.String(),
	}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "admin.token" {
			return err
		}
		b, err := os.ReadFile(path)
		sinks[d.Name()] = string(b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return sinks
}

// allPassedThrough shows that the test would have found something: every
// token was in every sink's reach.
func (s *sentinel) allPassedThrough(sinks map[string]string) {
	s.t.Helper()
	for i := range s.tokens {
		id := s.id(i)
		for sink, mark := range map[string]string{
			"the log":      `"token_id":"` + id + `"`,
			"events.jsonl": `"type":"TokenCreated"`,
			"apitoken.db":  id,
		} {
			if !strings.Contains(sinks[sink], mark) || !strings.Contains(sinks[sink], id) {
				s.t.Errorf("token %s did not pass through %s", id, sink)
			}
		}
	}
	for _, count := range []struct {
		what     string
		got, min int
	}{
		{"log lines", strings.Count(sinks["the log"], `"msg":"request"`), sentinels * (misuses + 2)},
		{"creates in the log", strings.Count(sinks["the log"], `"operation":"create","code":"ok"`), sentinels},
		{"events", strings.Count(sinks["events.jsonl"], `"detail-type":"TokenCreated"`), sentinels + 1},
		{"error answers", s.refused, sentinels*misuses + sentinels/2},
		{"answers to a revoked token", strings.Count(sinks["the problem objects"], `"code":"token_revoked"`), sentinels / 2},
		{"panics answered", s.crashed, sentinels},
		{"panics in the log", strings.Count(sinks["the panics' log"], "panic: "), sentinels},
		{"commands that said something", s.said, sentinels + mistyped*11},
	} {
		if count.got < count.min {
			s.t.Errorf("%s: %d, want at least %d", count.what, count.got, count.min)
		}
	}
}

func (s *sentinel) noneStands(sinks map[string]string) {
	s.t.Helper()
	for _, token := range append(s.tokens, s.admin) {
		for _, form := range []string{token[9:], base64.StdEncoding.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte(token[9:]))} {
			for sink, text := range sinks {
				if i := strings.Index(text, form); i >= 0 {
					s.t.Errorf("a token stands in %s: …%s…", sink, strings.ReplaceAll(text[max(0, i-200):i], "\n", " "))
				}
			}
		}
	}
}
