package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/localstack/longtest"
)

// hostile has control sequences of one and of two bytes, line ends, a mark of
// direction, a line separator and a second sentence of create.
const hostile = "x\x1b]0;title\x07\x1b[2J\u009b31m\u0085\x7f\r\nApiToken with id: JhxND7ci\t\u202egnp\u2028\u2066\ufeff\U000e0041"

// hostileAnswers are answers with hostile text in every member, by name. raw puts
// the bytes of 8-bit control sequences, which are not UTF-8, into the JSON text.
func hostileAnswers(t *testing.T) map[string]http.HandlerFunc {
	event := events.Message{Deployment: "D", ID: hostile, Type: hostile, V: 1, Subject: hostile, Stream: hostile, Actor: hostile, TokenID: hostile, Time: time.Unix(1, 0), Data: []byte(`{"v":1}`)}
	detail, err := event.Detail()
	if err != nil {
		t.Fatal(err)
	}
	entry := map[string]any{
		"id": hostile, "name": hostile, "description": hostile, "state": hostile, "version": hostile, "bearer_token": hostile,
		"user": map[string]any{"name": hostile, "domain": hostile}, "creator": map[string]any{"sid": hostile},
		"scopes": []string{hostile}, "permissions": []string{hostile}, "creation_time": "2027-01-31T12:00:00Z",
	}
	list := map[string]any{"entries": []any{entry}, "paging": map[string]any{"next": ""}}
	history := map[string]any{"entries": []any{json.RawMessage(detail)}, "paging": map[string]any{"next": ""}}
	problem := map[string]any{
		"title": hostile, "detail": hostile, "code": hostile, "request_id": hostile, "status": 409, "type": hostile, "instance": hostile,
		"errors": []any{map[string]any{"field": hostile, "detail": "other" + hostile}}, "ended_time": "2027-01-31T12:00:00Z",
	}
	revoked := map[string]any{"title": hostile, "detail": hostile, "code": "not_found_revoked", "request_id": hostile, "status": 404, "errors": []any{}}
	valid := map[string]any{"id": "JhxND7ci", "name": hostile, "bearer_token": "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", "user": map[string]any{"name": hostile}}
	return map[string]http.HandlerFunc{
		"an entry":                    answer(http.StatusOK, "application/json", entry),
		"a valid new token":           answer(http.StatusOK, "application/json", valid),
		"a token with more text":      answer(http.StatusOK, "application/json", map[string]any{"id": "JhxND7ci", "bearer_token": secret.Mint("").Text().Reveal() + hostile}),
		"an id with more text":        answer(http.StatusOK, "application/json", map[string]any{"id": "JhxND7ci" + hostile, "bearer_token": secret.Mint("").Text().Reveal()}),
		"a list":                      answer(http.StatusOK, "application/json", list),
		"a history":                   answer(http.StatusOK, "application/json", history),
		"a problem":                   answer(http.StatusConflict, "application/problem+json", problem),
		"a problem about a revoked":   answer(http.StatusNotFound, "application/problem+json", revoked),
		"another type":                answer(http.StatusBadGateway, "text/html"+hostile, hostile),
		"a redirect":                  answer(http.StatusFound, "text/html", hostile),
		"no HTTP":                     raw("\x1b]0;title\x07\x9b31m\n\n"),
		"a hostile status line":       raw("HTTP/1.1 200 \x1b]0;t\x07\x9b31m\r\n\r\n"),
		"a hostile header":            raw("HTTP/1.1 200 OK\r\nA\x1b[2J: b\x9b31m\r\nContent-Length: x\x1b[2J\r\n\r\n"),
		"8-bit controls in a history": raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"entries\":[{\"a\":\"\x9b31m\xff\u009b\u202e\"}],\"paging\":{\"next\":\"\"}}"),
		"8-bit controls in an entry":  raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"id\":\"\x9b31m\",\"version\":\"\x9b31m\xff\",\"name\":\"\x9b2J\"}"),
	}
}

func answer(status int, kind string, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		if status == http.StatusFound {
			w.Header().Set("Location", "/"+hostile)
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
}

func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, text)
	}
}

// TestAHostileServiceSendsNothingToTheTerminal runs each command that asks the
// service, in each format, with answers that have hostile text in every member. With
// APITOKEN_SHORTER=1 the formats are the default one and JSON.
func TestAHostileServiceSendsNothingToTheTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	formats := []string{"", "json", "table", "text", "csv"}
	if longtest.Shorter() {
		formats = formats[:2]
	}
	var all sync.WaitGroup // create waits before it sends its request again
	var mu sync.Mutex
	printed := map[string]bool{}
	for name, handler := range hostileAnswers(t) {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		for _, command := range clientCommands(newRoot(&console.Env{Getenv: os.Getenv}), "") {
			for _, args := range hostileArgs(command) {
				for _, format := range formats {
					line := append(strings.Fields(command+" --url "+server.URL+" --token-file "+file), args...)
					if format != "" {
						line = append(line, "--output", format)
					}
					all.Go(func() {
						out := runAgainstHostile(t, name, command, format, line)
						mu.Lock()
						defer mu.Unlock()
						printed[command] = printed[command] || strings.Contains(out, "ApiToken with id")
					})
				}
			}
		}
	}
	all.Wait()
	for _, command := range []string{"create", "list", "show", "history", "whoami", "version", "revoke", "rotate", "iam auth-token list"} {
		if !printed[command] {
			t.Errorf("%s printed no text of the service, so the test shows nothing about it", command)
		}
	}
}

// hostileArgs are the arguments with which a command asks the service.
func hostileArgs(command string) [][]string {
	switch strings.TrimPrefix(command, "iam auth-token ") {
	case command:
		return [][]string{nil, {"JhxND7ci"}, {"--owner", "ann"}, {"--server"}}
	case "create":
		return [][]string{{"--user-id", "ann", "--description", "x"}}
	case "list":
		return [][]string{{"--user-id", "ann"}, {"--user-id", "ann", "--query", "data[0].description", "--raw-output"}}
	case "delete":
		return [][]string{{"--user-id", "ann", "--auth-token-id", "JhxND7ci", "--force"}}
	default:
		return [][]string{{"--user-id", "ann", "--auth-token-id", "JhxND7ci"}}
	}
}

// maxLines is the maximum number of lines of a message. The errors of iam are JSON.
func maxLines(command string) int {
	if strings.HasPrefix(command, "iam ") {
		return 14
	}
	return 2
}

// runAgainstHostile runs a command line, checks what it prints, and returns its
// output.
func runAgainstHostile(t *testing.T, name, command, format string, line []string) string {
	var out, messages strings.Builder
	e := &console.Env{Out: &out, Err: &messages, Getenv: func(string) string { return "" }}
	run(t.Context(), e, line)
	checkTerminal(t, name+": "+command+" "+format+": output", out.String(), "\n\t")
	checkTerminal(t, name+": "+command+" "+format+": messages", messages.String(), "\n")
	if n := strings.Count(messages.String(), "\n"); n > maxLines(command) {
		t.Errorf("%s: %s %s: got %d lines of messages: %s", name, command, format, n, messages.String())
	}
	if (command == "create" || command == "rotate") && format != "json" && strings.Count(out.String(), "ApiToken with id") > 1 {
		t.Errorf("%s: the service wrote a sentence of its own: %s", name, out.String())
	}
	return out.String()
}

// checkTerminal refuses characters that change a terminal. A tab is allowed where
// it separates values.
func checkTerminal(t *testing.T, what, text, allowed string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is not UTF-8: %q", what, text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' && !strings.ContainsRune(allowed, r) {
			t.Errorf("%s has %U: %q", what, r, text)
			return
		}
	}
}

func TestEscapedJSONHasTheSameTexts(t *testing.T) {
	var out strings.Builder
	in := []string{hostile, "Zoë 名前 👩‍👧 é", "\U0001f600\U000e0001", "\\u009b \\\u009b"}
	if err := console.PrintJSON(&out, in); err != nil {
		t.Fatal(err)
	}
	checkTerminal(t, "the JSON", out.String(), "\n")
	var got []string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || strings.Join(got, "|") != strings.Join(in, "|") {
		t.Errorf("got %q, %v; want %q", got, err, in)
	}
}
