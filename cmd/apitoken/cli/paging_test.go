package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

// service answers the pages of a list or a history, by their cursor.
func service(t *testing.T, next map[string]string, entry any) (url string, asked func() int) {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		paging, entries := httpapi.Paging{}, []any{}
		if cursor := next[r.URL.Query().Get("after")]; cursor != "" {
			paging = httpapi.Paging{Next: r.URL.Path + "?after=" + cursor, After: cursor}
		} else {
			entries = append(entries, entry)
		}
		answer(http.StatusOK, "application/json", map[string]any{"entries": entries, "paging": paging})(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() int { return n }
}

// ask runs a command against the service.
func ask(t *testing.T, url, command string) (output, messages string, code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret.Mint("").Text().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	e := &console.Env{Out: &out, Err: &errs, Getenv: func(string) string { return "" }}
	code = run(t.Context(), e, strings.Fields(command+" --url "+url+" --token-file "+file))
	return out.String(), errs.String(), code
}

func TestListAndHistoryReadOnAfterEmptyPages(t *testing.T) {
	next := map[string]string{"": "a", "a": "b", "b": "c"}
	url, asked := service(t, next, httpapi.Entry{ID: "JhxND7ci", CreationTime: httpapi.Time{Time: time.Unix(1, 0)}})
	if out, messages, code := ask(t, url, "list --state revoked"); code != 0 || !strings.Contains(out, "JhxND7ci") || asked() != 4 {
		t.Errorf("list: got %q, %q, code %d after %d pages, want the token of the fourth page", out, messages, code, asked())
	}
	url, asked = service(t, next, map[string]string{"id": "JhxND7ci"})
	if out, messages, code := ask(t, url, "history JhxND7ci --output json"); code != 0 || !strings.Contains(out, "JhxND7ci") || asked() != 4 {
		t.Errorf("history: got %q, %q, code %d after %d pages, want the event of the fourth page", out, messages, code, asked())
	}
}

func TestListAndHistoryStopIfTheirPagesRepeat(t *testing.T) {
	for _, command := range []string{"list", "list --limit 5", "history JhxND7ci", "history --owner ann"} {
		for what, next := range map[string]map[string]string{"the same page": {"": "a", "a": "a"}, "a circle": {"": "a", "a": "b", "b": "a"}} {
			url, asked := service(t, next, nil)
			out, messages, code := ask(t, url, command)
			if code == 0 || out != "" || !strings.Contains(messages, "was read already") || asked() > len(next)+1 {
				t.Errorf("%s, %s: got %q, %q, code %d after %d pages, want an error", command, what, out, messages, code, asked())
			}
		}
	}
}
