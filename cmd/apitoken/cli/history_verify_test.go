package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/infra/bolt/bolttest"
)

// historyOf returns the history of ann: ten events about five tokens, as the
// service publishes them.
func historyOf(t *testing.T) (entries []json.RawMessage, first string) {
	t.Helper()
	i := issuer.New(issuer.Config{Store: bolttest.Open(t), Keys: storetest.Keys})
	ann := guard.Principal{Owner: "ann"}
	for range 5 {
		made, _, err := i.Create(t.Context(), ann, "", token.Wish{Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Revoke(t.Context(), ann, made.ID); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = made.ID
		}
	}
	page, err := i.UserEvents(t.Context(), ann, "ann", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Events {
		m.Deployment = "D"
		b, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, b)
	}
	return entries, first
}

// historyService answers the entries, three on a page.
func historyService(t *testing.T, entries []json.RawMessage) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("after"))
		page := map[string]any{"entries": entries[from:min(from+3, len(entries))], "paging": httpapi.Paging{}}
		if from+3 < len(entries) {
			page["paging"] = httpapi.Paging{Next: r.URL.Path + "?after=" + strconv.Itoa(from+3), After: strconv.Itoa(from + 3)}
		}
		answer(http.StatusOK, "application/json", page)(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// with returns the entries with one of them changed.
func with(entries []json.RawMessage, n int, change func(map[string]any)) []json.RawMessage {
	var e map[string]any
	d := json.NewDecoder(bytes.NewReader(entries[n]))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		panic(err)
	}
	change(e)
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	entries = slices.Clone(entries)
	entries[n] = b
	return entries
}

// replaced returns the entries with another text in one of them, also in dataraw.
func replaced(entries []json.RawMessage, n int, old, new string) []json.RawMessage {
	entries = slices.Clone(entries)
	entries[n] = bytes.ReplaceAll(entries[n], []byte(old), []byte(new))
	return entries
}

func TestHistoryVerifyFindsEveryChange(t *testing.T) {
	all, first := historyOf(t)
	own := []json.RawMessage{all[0], all[1]}
	for name, test := range map[string]struct {
		entries []json.RawMessage
		command string
		want    string // in the messages; "": verified
	}{
		"unchanged":               {all, "--owner ann", ""},
		"another spelling":        {all, "--owner local:ann", ""},
		"the beginning is gone":   {all[4:], "--owner ann", ""},
		"nothing":                 {nil, "--owner ann", ""},
		"of a token":              {own, first, ""},
		"of self":                 {own, "self", ""},
		"of a token, with a gap":  {[]json.RawMessage{all[0]}, first, ""},
		"a changed fact":          {replaced(all, 4, `ci`, `cd`), "--owner ann", "record user/ann/5 was changed"},
		"a changed fact of self":  {replaced(own, 0, `ci`, `cd`), "self", "record user/ann/1 was changed"},
		"another data":            {with(all, 4, func(e map[string]any) { e["data"] = map[string]any{"v": 1} }), "--owner ann", "its data differs from its dataraw"},
		"another actor":           {with(all, 4, func(e map[string]any) { e["actor"] = "bob" }), "--owner ann", "user/ann/5 was changed"},
		"another time":            {with(all, 4, func(e map[string]any) { e["time"] = "2026-01-01T00:00:00.000000Z" }), "--owner ann", "user/ann/5 was changed"},
		"another hash":            {with(all, 4, func(e map[string]any) { e["hash"] = strings.Repeat("0", 64) }), "--owner ann", "user/ann/5 was changed"},
		"another previous hash":   {with(all, 4, func(e map[string]any) { e["prevhash"] = strings.Repeat("0", 64) }), "--owner ann", "does not follow"},
		"a wrong first one":       {with(all, 0, func(e map[string]any) { e["prevhash"] = strings.Repeat("1", 64) }), "--owner ann", "does not follow"},
		"a missing one":           {slices.Delete(slices.Clone(all), 4, 5), "--owner ann", "user/ann/6 does not follow"},
		"a missing one of a page": {slices.Delete(slices.Clone(all), 3, 4), "--owner ann", "user/ann/5 does not follow"},
		"two in another order":    {[]json.RawMessage{all[0], all[2], all[1]}, "--owner ann", "user/ann/3 does not follow"},
		"one twice":               {[]json.RawMessage{all[0], all[1], all[1]}, "--owner ann", "user/ann/2 is out of order"},
		"of another user":         {all, "--owner bob", "record user/ann/1 is not of stream user/bob"},
		"of another token":        {[]json.RawMessage{all[0], all[2]}, first, "record user/ann/3 is not about token"},
		"of another token, first": {all[2:], first, "record user/ann/3 is not about token"},
		"no event":                {with(all, 4, func(e map[string]any) { clear(e) }), "--owner ann", "broken after 4 right events"},
	} {
		url := historyService(t, test.entries)
		out, messages, code := ask(t, url, "history --verify "+test.command)
		switch broken := code != 0; {
		case broken != (test.want != ""), broken && (out != "" || !strings.Contains(messages, test.want) || !strings.Contains(messages, "the history is broken")):
			t.Errorf("%s: got %q, %q, code %d, want %q", name, out, messages, code, test.want)
		case !broken && len(test.entries) > 0 && !strings.HasPrefix(out, strconv.Itoa(len(test.entries))+" events of "):
			t.Errorf("%s: got %q", name, out)
		}
	}
}

// TestHistoryVerifySaysWhatItDoesNotShow: it has neither the peppers nor the head.
func TestHistoryVerifySaysWhatItDoesNotShow(t *testing.T) {
	all, first := historyOf(t)
	for _, test := range []struct {
		entries []json.RawMessage
		command string
		out     string
		says    []string
	}{
		{all, "--owner ann", "10 events of stream user/ann verified, 1 to 10: each hash matches its event, and each event follows the one before\n", []string{"their MACs with the peppers", "none is missing after event 10"}},
		{all[4:], "--owner ann", "6 events of stream user/ann verified, 5 to 10: each hash matches its event, and each event follows the one before\n", []string{"events 1 to 4 are not in the history"}},
		{all[:2], first, "2 events of token " + first + " verified, 1 to 2: each hash matches its event\n", []string{"only --owner verifies that no event between two is missing"}},
		{nil, "--owner ann", "", []string{"there are no events to verify"}},
	} {
		out, messages, code := ask(t, historyService(t, test.entries), "history --verify "+test.command)
		if code != 0 || out != test.out {
			t.Errorf("%s: got %q, code %d, want %q", test.command, out, code, test.out)
		}
		for _, says := range test.says {
			if !strings.Contains(messages, says) {
				t.Errorf("%s: got the messages %q, want %q", test.command, messages, says)
			}
		}
	}
	out, _, _ := ask(t, historyService(t, all), "history --verify --output json --owner ann")
	var got verified
	if err := json.Unmarshal([]byte(out), &got); err != nil || got != (verified{Stream: "user/ann", Verified: 10, First: 1, Last: 10, Chain: true}) {
		t.Errorf("as JSON: got %s, %v", out, err)
	}
	out, _, code := ask(t, historyService(t, nil), "history --verify --output json --owner ann")
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got != (verified{Stream: "user/ann", Chain: true}) {
		t.Errorf("without events, as JSON: got %s, %v, code %d", out, err, code)
	}
}
