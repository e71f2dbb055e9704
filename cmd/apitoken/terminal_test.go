package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"

	"apitoken/cmd/apitoken/console/terminaltest"
	"apitoken/events"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

const hours = time.Hour

// shownTokens have every state, a short and a long time to their expiry, and names
// that are long, wide, and hostile.
func shownTokens() []httpapi.Entry {
	at := func(d time.Duration) httpapi.Time { return httpapi.Time{Time: time.Now().Add(d)} }
	token := func(id, label, owner, state string, created, expires, used time.Duration) httpapi.Entry {
		e := httpapi.Entry{ID: id, Kind: "token", Name: label, User: name.Identity{Name: owner}, Creator: name.Identity{Name: "admin"}, State: state, CreationTime: at(-created)}
		if expires != 0 {
			e.ExpirationTime = at(expires)
		}
		if used != 0 {
			e.LastUsed = at(-used)
		}
		return e
	}
	all := []httpapi.Entry{
		token("JhxND7ci", "nightly build of the whole product and its documents", "ann.of.the.other.office", "active", 100*24*hours, 90*24*hours, 3*hours),
		token("Pq3aZ0xx", "本番環境用の接続鍵と長い名前の追加部分", "名前", "active", 24*24*hours, 2*24*hours, 5*time.Minute),
		token("a1B2c3D4", "deploy 🚀👍🏽🇩🇪 to the café", "bob", "disabled", 48*hours, 0, 0),
		token("E5f6G7h8", "\x1b[31mred\x1b[0m\r\n", "eve", "expired", 24*400*hours, -24*3*hours, 24*30*hours),
		token("i9J0k1L2", "", "zoë", "revoked", 24*800*hours, -24*hours, 24*500*hours),
	}
	all[0].Description = "Builds the product every night, signs it, and puts it into the store of the team; ask ann before a change. 名前の長い説明もここにあります。"
	all[0].Scopes = []string{"GET /v1/projects/*", "POST /v1/projects/*/builds", "GET /v1/artifacts/**"}
	all[3].EndedTime, all[4].EndedTime = at(-24*3*hours), at(-24*hours)
	return all
}

// shownService answers the tokens as one page, or as many pages after a pause each. An
// id as the last part of the path selects one token.
func shownService(t *testing.T, pauses ...time.Duration) (url string) {
	t.Helper()
	tokens := shownTokens()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", `"1"`)
		if strings.HasSuffix(r.URL.Path, tokens[0].ID) {
			json.NewEncoder(w).Encode(tokens[0])
			return
		}
		page, paging := 0, httpapi.Paging{}
		fmt.Sscan(r.URL.Query().Get("after"), &page)
		if page < len(pauses) {
			time.Sleep(pauses[page])
		}
		if page+1 < len(pauses) {
			paging = httpapi.Paging{Next: fmt.Sprintf("%s?after=%d", r.URL.Path, page+1), After: strconv.Itoa(page + 1)}
		}
		var entries any = tokens
		if len(pauses) > 1 {
			entries = tokens[page : page+1]
		}
		if strings.HasSuffix(r.URL.Path, "/events") {
			entries = shownEvents(t, page)
		}
		json.NewEncoder(w).Encode(map[string]any{"entries": entries, "paging": paging})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// shownEvents is a page of the history of a user.
func shownEvents(t *testing.T, page int) (entries []json.RawMessage) {
	for i, kind := range []string{"TokenCreated", "TokenRevoked"} {
		m := events.Message{
			Deployment: "D", ID: fmt.Sprintf("user/ann/%d", 2*page+i+1), Seq: uint64(2*page + i + 1), Type: kind, V: 1,
			Subject: "JhxND7ci", Stream: "user/ann", Actor: "ann.of.the.other.office", TokenID: "admin", Time: time.Now().Add(-3 * hours).UTC().Truncate(time.Second), Data: []byte(`{"token_id":"JhxND7ci"}`), MAC: events.Verifier{Kid: "p1", MAC: []byte{1}},
		}
		detail, err := m.Detail()
		if err != nil {
			t.Error(err)
		}
		entries = append(entries, json.RawMessage(detail))
	}
	return entries
}

// onTerminal is a command with few variables, and a colour terminal unless env says
// otherwise.
func onTerminal(t *testing.T, url string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("apitoken", args...)
	cmd.Env = append([]string{"PATH=", "HOME=" + t.TempDir(), "TERM=xterm-256color", "APITOKEN_URL=" + url, "APITOKEN_TOKEN=" + secret.Mint("").Text().Reveal()}, env...)
	return cmd
}

func TestScenesOnATerminal(t *testing.T) {
	list := "list --state active,disabled,expired,revoked"
	slow := []time.Duration{700 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond}
	for _, c := range []struct {
		scene   string
		columns uint16 // of the terminal; 0: it does not know them
		width   int    // of the longest line; 0: columns
		env     []string
		command string
		pauses  []time.Duration
		typed   string
		code    int
	}{
		{scene: "list_80", columns: 80, command: list},
		{scene: "list_80", columns: 80, command: list, pauses: slow[:1]}, // one page, however late, is no progress
		{scene: "list_40", columns: 40, command: list},
		{scene: "list_120", columns: 120, command: list},
		{scene: "list_200", columns: 200, command: list},
		{scene: "list_no_color", columns: 80, env: []string{"NO_COLOR=1"}, command: list},
		{scene: "list_80", columns: 80, env: []string{"NO_COLOR="}, command: list}, // empty counts as unset
		{scene: "list_no_color", columns: 80, env: []string{"TERM=dumb"}, command: list, pauses: slow[:1]},
		{scene: "list_120", width: 120, env: []string{"COLUMNS=120"}, command: list},
		{scene: "list_80", width: 80, command: list},
		{scene: "show_80", columns: 80, command: "show JhxND7ci"},
		{scene: "show_40", columns: 40, command: "show JhxND7ci"},
		{scene: "history_80", columns: 80, command: "history --owner ann"},
		{scene: "history_80", columns: 80, command: "history --owner ann", pauses: slow[:1]},
		{scene: "list_progress", columns: 80, command: list, pauses: slow},
		{scene: "history_progress", columns: 80, command: "history --owner ann", pauses: slow},
		{scene: "history_all_progress", columns: 80, command: "history --all", pauses: slow},
		{scene: "history_all_text", columns: 80, width: 90, command: "history --all --output text", pauses: slow},
	} {
		t.Run(fmt.Sprint(c.scene, c.columns, c.env), func(t *testing.T) {
			t.Parallel()
			x := terminaltest.Open(t, c.columns)
			x.Type(t, c.typed)
			cmd := onTerminal(t, shownService(t, c.pauses...), c.env, strings.Fields(c.command)...)
			if code := x.Run(t, cmd); code != c.code {
				t.Errorf("got exit code %d, want %d", code, c.code)
			}
			text := x.Text()
			terminaltest.Compare(t, filepath.Join("testdata", "terminal", c.scene+".golden"), text, *update)
			if c.code == 0 {
				checkFits(t, text, max(int(c.columns), c.width))
			}
		})
	}
}

// checkFits refuses a line that the terminal would break.
func checkFits(t *testing.T, text string, columns int) {
	t.Helper()
	measure := displaywidth.Options{ControlSequences: true}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line[strings.LastIndex(line, "\r")+1:], "\n")
		if w := measure.String(line); w > columns {
			t.Errorf("a line has %d columns, more than %d: %q", w, columns, line)
		}
	}
}

// TestProgressNeverReachesAPipe: data goes to a file while progress is on the terminal,
// and neither goes to a pipe with the other.
func TestProgressNeverReachesAPipe(t *testing.T) {
	url := shownService(t, 700*time.Millisecond, 200*time.Millisecond)
	x := terminaltest.Open(t, 80)
	cmd := onTerminal(t, url, nil, "list")
	var out strings.Builder
	cmd.Stdout = &out
	x.Run(t, cmd)
	if text := x.Text(); !strings.Contains(text, "\x1b[Ktokens read: 1") || !strings.HasSuffix(text, "\r\x1b[K") {
		t.Errorf("got %q on the terminal, want progress that is erased", text)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\r…") || strings.Contains(s, " ago") || !strings.Contains(s, "nightly build of the whole product and its documents") {
		t.Errorf("got %q in the pipe, want the plain whole table", s)
	}

	x = terminaltest.Open(t, 80)
	cmd = onTerminal(t, url, nil, "list", "--output", "csv")
	var errs strings.Builder
	cmd.Stderr = &errs
	x.Run(t, cmd)
	if text := x.Text(); errs.Len() > 0 || strings.ContainsAny(text, "\x1b\r…") || !strings.Contains(text, "nightly build of the whole product and its documents") {
		t.Errorf("got %q and messages %q, want plain CSV and no messages", text, &errs)
	}
}
