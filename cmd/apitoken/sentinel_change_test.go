package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
)

// changeMisuses is the number of requests in misuseInChanges that are refused.
const changeMisuses = 18

// misuseInChanges sends the token in the wrong places of calls that change something,
// and of the filters of lists.
func (s *sentinel) misuseInChanges(token string) {
	const tokens = "/v1/auth/access-tokens/"
	type object map[string]any
	own := tokens + token[:8]
	s.ask("PATCH", tokens+token, s.admin, object{"name": "x"})
	s.ask("POST", tokens+token+"/rotate", s.admin, nil)
	s.ask("PATCH", own, s.admin, object{"name": token + "\n"})
	s.ask("PATCH", own, s.admin, object{"description": "the token " + token + "."})
	s.ask("PATCH", own, s.admin, object{"expiration_time": token})
	s.ask("PATCH", own, s.admin, object{"previous_secret_until": token})
	s.ask("PATCH", own, s.admin, object{"scopes": []string{"GET /" + token}})
	s.ask("PATCH", own, s.admin, object{"enabled": token})
	s.ask("PATCH", own, s.admin, object{"name": "x"}, "If-Match", token)
	s.ask("POST", own+"/rotate", s.admin, object{"grace": token})
	s.ask("POST", own+"/rotate", s.admin, nil, "Idempotency-Key", `"`+token)
	s.ask("PUT", "/v1/users/"+token+"%0a/suspension", s.admin, nil)
	s.ask("PUT", "/v1/users/sentinel00/suspension", s.admin, object{"reason": "has the token " + token})
	s.ask("PUT", "/v1/users/sentinel00/limit", s.admin, object{"token_limit": token})
	s.ask("PATCH", "/v1/settings", s.admin, object{token: 1})
	s.ask("GET", own+"?at="+token, s.admin, nil)
	s.ask("GET", tokens+"?unused_since="+token, s.admin, nil)
	s.ask("GET", tokens+"?expires_before="+token, s.admin, nil)
}

// rotationMisuses is the number of requests in rotations that are refused.
const rotationMisuses = 4

// rotations rotates a token in each way over HTTP. It repeats rotations, also with
// the outgoing secret, which then does what it may not, and shows a replaced one.
func (s *sentinel) rotations(i int) {
	s.t.Helper()
	const tokens = "/v1/auth/access-tokens/"
	byID, key := tokens+s.id(i)+"/rotate", fmt.Sprintf("the-key-of-sentinel-%02d", i)
	first := s.tokens[i]
	second := s.renew(i, byID, s.admin, "Idempotency-Key", key)
	if again := s.renew(i, byID, s.admin, "Idempotency-Key", key); again != second {
		s.t.Errorf("a repeated rotation of token %s made another secret", s.id(i))
	}
	s.ask("POST", byID, s.admin, `{"grace":"0"}`, "Idempotency-Key", key) // another request
	third := s.renew(i, tokens+"self/rotate", second, "Idempotency-Key", key)
	if again := s.renew(i, tokens+"self/rotate", second, "Idempotency-Key", key); again != third {
		s.t.Errorf("the outgoing secret of token %s did not get the answer again", s.id(i))
	}
	s.ask("POST", tokens+"self/rotate", second, nil, "Idempotency-Key", "another-key-of-it")
	s.ask("PATCH", tokens+s.id(i), second, `{"name":"x"}`)
	s.ask("PATCH", tokens+s.id(i), s.admin, `{"previous_secret_until":""}`)
	for range 3 { // each sends the notice TokenReused, if the one before was dropped after 100 ms
		s.ask("GET", "/v1/session/who-am-i", second, nil)
	}
	fourth := s.renew(i, byID, s.admin)
	s.ask("GET", "/v1/session/who-am-i", fourth, nil)
	s.older = append(s.older, first)
}

// renew sends a rotation and returns the new secret. Only this answer may have it.
func (s *sentinel) renew(i int, target, token string, headers ...string) string {
	s.t.Helper()
	status, answer, _ := s.send("POST", target, token, nil, headers...)
	var made struct {
		BearerToken string `json:"bearer_token"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || status != 200 || len(made.BearerToken) != 41 {
		s.t.Fatalf("a rotation answered %d without a token: %v", status, err)
	}
	s.older, s.tokens[i] = append(s.older, s.tokens[i]), made.BearerToken
	return made.BearerToken
}

// suspend suspends the user of a token, shows the token, and reinstates the user.
func (s *sentinel) suspend(i int) {
	user := fmt.Sprintf("/v1/users/sentinel%02d/suspension", i)
	s.ask("PUT", user, s.admin, `{"reason":"a test"}`)
	s.ask("GET", "/v1/session/who-am-i", s.tokens[i], nil)
	s.ask("DELETE", user, s.admin, nil)
}

// rotateInto rotates a token with the command line into a file, which then has the
// secret, and afterwards one token once more with a server that never answers. This leaves a
// file with the key of the rotation beside the first file.
func (s *sentinel) rotateInto(i int) {
	s.t.Helper()
	file := filepath.Join(s.files, fmt.Sprint(i, ".token"))
	if out := s.run("rotate", s.id(i), "--write-to", file); strings.Contains(string(out), s.id(i)+".") {
		s.t.Errorf("rotate --write-to printed a token")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	s.older, s.tokens[i] = append(s.older, s.tokens[i]), strings.TrimSpace(string(b))
	s.run("rotate", s.id(i), "--write-to", file, "--idempotency-key", s.tokens[i])
	if i > 0 {
		return // the next command tries for some seconds
	}
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { abort() }))
	defer silent.Close()
	s.run("rotate", s.id(i), "--write-to", file, "--url", silent.URL)
}

// addKeyFiles adds the files beside those that rotate --write-to has written.
func (s *sentinel) addKeyFiles(sinks map[string]string) {
	s.t.Helper()
	entries, err := os.ReadDir(s.files)
	if err != nil {
		s.t.Fatal(err)
	}
	others := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".token") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.files, e.Name()))
		if err != nil {
			s.t.Fatal(err)
		}
		others++
		sinks[e.Name()] = string(b)
	}
	if others == 0 {
		s.t.Error("no file has the key of a rotation")
	}
}
