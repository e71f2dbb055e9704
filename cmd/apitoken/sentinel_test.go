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
	"slices"
	"strings"
	"syscall"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// sentinels is the number of tokens of the test. Each goes to every sink: a place
// that stores or shows texts.
const sentinels = 20

// mistyped is the number of tokens that are given to the command line in wrong
// places. Each costs a dozen processes.
const mistyped = 3

// TestNoSinkContainsASecret uses tokens in all ways that may store or show them. It
// first shows that each token was used there. Then no token may be in any sink: the
// file of the store, the logs, the events, the problems, the log line of a panic,
// and the messages of the command line.
func TestNoSinkContainsASecret(t *testing.T) {
	s := &sentinel{t: t, dir: filepath.Join(t.TempDir(), "data"), files: t.TempDir()}
	s.start()
	for i := range sentinels {
		s.issue(fmt.Sprintf("sentinel%02d", i))
	}
	for _, token := range s.tokens {
		s.useAndMisuse(token)
		s.provokePanic(token)
		s.misuseInChanges(token)
	}
	for i, token := range s.tokens[:mistyped] {
		s.command(token)
		s.rotateInto(i)
	}
	for i := range s.tokens {
		s.rotations(i)
		s.suspend(i)
	}
	for i := range s.tokens[:sentinels/2] {
		s.ask("DELETE", "/v1/auth/access-tokens/"+s.id(i), s.admin, nil)
		s.ask("GET", "/v1/session/who-am-i", s.tokens[i], nil)
	}
	if err := s.server.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	sinks := s.sinks()
	s.addKeyFiles(sinks)
	s.allPassedThrough(sinks)
	s.noneIn(sinks)
}

type sentinel struct {
	t      *testing.T
	dir    string
	server *server
	admin  string
	tokens []string // the latest secrets
	older  []string // all that were replaced
	files  string   // the folder of the files of rotate --write-to

	problems, panics, stderr  bytes.Buffer
	refused, panicked, warned int
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

// issue makes a token with the command line.
func (s *sentinel) issue(owner string) {
	s.t.Helper()
	var made struct {
		BearerToken string `json:"bearer_token"`
	}
	out := s.run("create", "--owner", owner, "--description", "marked", "--output", "json")
	if err := json.Unmarshal(out, &made); err != nil || len(made.BearerToken) != 41 {
		s.t.Fatalf("create printed no token: %v", err)
	}
	s.tokens = append(s.tokens, made.BearerToken)
}

func (s *sentinel) id(i int) string { return s.tokens[i][:8] }

// run runs the command line with the administrator's token. It collects standard
// error and counts the commands that wrote there.
func (s *sentinel) run(args ...string) []byte {
	cmd := exec.Command("apitoken", args...)
	cmd.Env = append(os.Environ(), "APITOKEN_URL="+s.server.url, "APITOKEN_TOKEN="+s.admin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	if stderr.Len() > 0 {
		s.warned++
	}
	s.stderr.Write(stderr.Bytes())
	return out
}

// ask sends one request. It collects the answer and counts the error answers. No
// answer to such a call contains a token.
func (s *sentinel) ask(method, target, token string, body any, headers ...string) {
	s.t.Helper()
	status, answer, header := s.send(method, target, token, body, headers...)
	s.problems.Write(answer)
	fmt.Fprintf(&s.problems, "%v\n", header)
	if status >= 400 {
		s.refused++
	}
}

func (s *sentinel) send(method, target, token string, body any, headers ...string) (status int, answer []byte, _ http.Header) {
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
	if answer, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, answer, res.Header
}

// misuses is the number of requests in useAndMisuse that are refused.
const misuses = 28

// useAndMisuse uses the token correctly, and then sends it in all wrong places.
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

// provokePanic causes a panic inside the service's own handler. The token is in
// the value of the panic.
func (s *sentinel) provokePanic(token string) {
	handler := machine.New(machine.Config{
		Deployment: "test", Logger: slog.New(slog.NewJSONHandler(&s.panics, nil)),
		Ready: func(context.Context) error { panic("a value with a token: " + token) },
	}, httpapi.Face())
	r := httptest.NewRequest("GET", "/healthz", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code == http.StatusInternalServerError {
		s.panicked++
	}
	s.problems.Write(w.Body.Bytes())
}

// command gives the token to the command line in wrong places.
func (s *sentinel) command(token string) {
	s.run("show", token)
	s.run("revoke", "--id", token)
	s.run("update", token, "--name", "x")
	s.run("update", "zzzzzzzz", "--name", token)
	s.run("disable", "zzzzzzzz", "--if-match", token)
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

// sinks are the texts that must not contain a secret.
func (s *sentinel) sinks() map[string]string {
	s.t.Helper()
	sinks := map[string]string{
		"the problem objects": s.problems.String(), "the panics' log": s.panics.String(), "the messages of the command line": s.stderr.String(),
		"the log": s.server.log.String(), "the server's standard output": s.server.out.String(),
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

// allPassedThrough shows that the test can fail: every token was used in calls that
// write to every sink.
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
		{"error answers", s.refused, sentinels*(misuses+changeMisuses+rotationMisuses+1) + sentinels/2},
		{"answers to a suspended token", strings.Count(sinks["the problem objects"], `"code":"token_suspended"`), sentinels},
		{"answers to a replaced secret", strings.Count(sinks["the problem objects"], `"code":"token_replaced"`), sentinels},
		{"rotations in the log", strings.Count(sinks["the log"], `"operation":"rotate","code":"ok"`), 2 * sentinels},
		{"rotations in the events", strings.Count(sinks["events.jsonl"], `"detail-type":"TokenRotated"`), 3*sentinels + mistyped},
		{"notices of a replaced secret", strings.Count(sinks["events.jsonl"], `"detail-type":"TokenReused"`), sentinels},
		{"suspensions in the events", strings.Count(sinks["events.jsonl"], `"detail-type":"UserSuspended"`), sentinels},
		{"answers to a revoked token", strings.Count(sinks["the problem objects"], `"code":"token_revoked"`), sentinels / 2},
		{"panics answered", s.panicked, sentinels},
		{"panics in the log", strings.Count(sinks["the panics' log"], "panic: "), sentinels},
		{"commands with a message", s.warned, sentinels + mistyped*11},
	} {
		if count.got < count.min {
			s.t.Errorf("%s: %d, want at least %d", count.what, count.got, count.min)
		}
	}
}

func (s *sentinel) noneIn(sinks map[string]string) {
	s.t.Helper()
	for _, token := range slices.Concat(s.tokens, s.older, []string{s.admin}) {
		for _, form := range []string{token[9:], base64.StdEncoding.EncodeToString([]byte(token)), base64.StdEncoding.EncodeToString([]byte(token[9:]))} {
			for sink, text := range sinks {
				if i := strings.Index(text, form); i >= 0 {
					s.t.Errorf("%s contains a token: …%s…", sink, strings.ReplaceAll(text[max(0, i-200):i], "\n", " "))
				}
			}
		}
	}
}
