package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/infra/bolt/bolttest"
)

// eventsOf returns the events of some users, which the service wrote at an instant.
func eventsOf(t *testing.T, at time.Time, users ...string) (entries []json.RawMessage) {
	t.Helper()
	i := issuer.New(issuer.Config{Store: bolttest.Open(t), Keys: storetest.Keys, Now: func() time.Time { return at }})
	for _, user := range users {
		by := guard.Principal{Owner: user}
		for range 4 {
			if _, _, err := i.Create(t.Context(), by, "", token.Wish{Name: "ci"}); err != nil {
				t.Fatal(err)
			}
		}
		page, err := i.UserEvents(t.Context(), by, user, 0, 0)
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
	}
	return entries
}

// allService answers the entries, three on a page and an empty page before the last,
// and names damaged events on the first page.
func allService(t *testing.T, entries []json.RawMessage, damaged ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			t.Errorf("got a request to %s", r.URL.Path)
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("after"))
		page := map[string]any{"entries": []json.RawMessage{}, "damaged": []string{}, "paging": httpapi.Paging{}}
		if from == 0 {
			page["damaged"] = append([]string{}, damaged...)
		}
		if from < len(entries) {
			page["entries"] = entries[from:min(from+3, len(entries))]
			page["paging"] = httpapi.Paging{Next: r.URL.Path + "?after=" + strconv.Itoa(from+3), After: strconv.Itoa(from + 3)}
		}
		answer(http.StatusOK, "application/json", page)(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestHistoryAllPrintsEachEventOnce in each format, however the pages are cut.
func TestHistoryAllPrintsEachEventOnce(t *testing.T) {
	all := eventsOf(t, time.Now(), "ann", "bob", "eve")
	url := allService(t, all)
	for format, want := range map[string]int{"text": 12, "csv": 12 + 1, "table": 12 + 4} {
		out, messages, code := ask(t, url, "history --all --output "+format)
		if lines := strings.Count(out, "\n"); lines != want || messages != "" || code != 0 {
			t.Errorf("%s: got %d lines, %q, code %d, want %d\n%s", format, lines, messages, code, want, out)
		}
	}
	out, _, code := ask(t, url, "history --all --output json")
	var got []json.RawMessage
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 12 || code != 0 {
		t.Errorf("json: got %d events, %v, code %d, want 12\n%s", len(got), err, code, out)
	}
	out, messages, code := ask(t, allService(t, nil), "history --all --output json")
	if out != "[]\n" || messages != "" || code != 0 {
		t.Errorf("without events: got %q, %q, code %d", out, messages, code)
	}
}

// TestHistoryAllFailsForDamagedEvents after it printed the others.
func TestHistoryAllFailsForDamagedEvents(t *testing.T) {
	all := eventsOf(t, time.Now(), "ann")
	many := slices.Repeat([]string{"user/eve/7"}, 13)
	for _, c := range []struct {
		damaged []string
		says    string
	}{
		{[]string{"user/eve/7", "user/eve/8"}, "2 events are missing from this history, because something other than the service changed them: user/eve/7, user/eve/8; "},
		{many, "user/eve/7 and 3 more; "},
		{[]string{"user/\x1b[31m/7"}, "user/�[31m/7; "},
	} {
		url := allService(t, all, c.damaged...)
		out, messages, code := ask(t, url, "history --all --output text")
		if strings.Count(out, "\n") != 4 || code != 1 || !strings.Contains(messages, c.says) {
			t.Errorf("got %q, %q, code %d, want four events and %q", out, messages, code, c.says)
		}
		out, messages, code = ask(t, url, "history --all --verify")
		if out != "" || code != 1 || !strings.Contains(messages, c.says) {
			t.Errorf("--verify: got %q, %q, code %d, want %q", out, messages, code, c.says)
		}
	}
}

func TestHistoryAllVerifyFindsEveryChange(t *testing.T) {
	all := eventsOf(t, time.Now(), "ann", "bob", "eve")
	old := eventsOf(t, time.Now().Add(-500*24*time.Hour), "ann", "bob", "eve") // past their retention of 400 days
	moved := slices.Concat(all[:2], all[4:8], all[2:4], all[8:])
	for name, test := range map[string]struct {
		entries []json.RawMessage
		want    string // in the messages; "": verified
	}{
		"unchanged":               {all, ""},
		"another order":           {slices.Concat(all[8:], all[:8]), ""},
		"a stream is missing":     {slices.Concat(all[:4], all[8:]), ""},
		"a beginning is gone":     {slices.Concat(all[:4], all[6:]), ""},
		"nothing":                 {nil, ""},
		"a changed fact":          {replaced(all, 5, `ci`, `cd`), "broken after 5 right events: record user/bob/2 was changed"},
		"a missing one":           {slices.Delete(slices.Clone(all), 5, 6), "broken after 5 right events: record user/bob/3 does not follow"},
		"one twice":               {slices.Insert(slices.Clone(all), 5, all[4]), "user/bob/1 is out of order"},
		"a stream in two parts":   {moved, "broken after 6 right events: record user/ann/3 is among the records of another stream"},
		"no event":                {with(all, 5, func(e map[string]any) { clear(e) }), "broken after 5 right events"},
		"removed while reading":   {slices.Delete(slices.Clone(old), 5, 6), ""},
		"old, and a changed fact": {replaced(old, 5, `ci`, `cd`), "record user/bob/2 was changed"},
		"old, and another order":  {[]json.RawMessage{old[0], old[2], old[1]}, "out of order"},
	} {
		out, messages, code := ask(t, allService(t, test.entries), "history --all --verify")
		switch broken := code != 0; {
		case broken != (test.want != ""), broken && (out != "" || !strings.Contains(messages, test.want)):
			t.Errorf("%s: got %q, %q, code %d, want %q", name, out, messages, code, test.want)
		case !broken && len(test.entries) > 0 && !strings.HasPrefix(out, strconv.Itoa(len(test.entries))+" events of "):
			t.Errorf("%s: got %q", name, out)
		}
	}
}

// TestHistoryAllVerifySaysWhatItDoesNotShow: it has neither the peppers nor a head.
func TestHistoryAllVerifySaysWhatItDoesNotShow(t *testing.T) {
	all := eventsOf(t, time.Now(), "ann", "bob")
	url := allService(t, all[2:])
	out, messages, code := ask(t, url, "history --all --verify")
	if out != "6 events of 2 streams verified: each hash matches its event, and each event follows the one before in its stream\n" || code != 0 {
		t.Errorf("got %q, code %d", out, code)
	}
	for _, says := range []string{"1 streams begin later than with their event 1", "their MACs with the peppers", "none is missing at the end of a stream"} {
		if !strings.Contains(messages, says) {
			t.Errorf("got the messages %q, want %q", messages, says)
		}
	}
	out, _, _ = ask(t, url, "history --all --verify --output json")
	var got allVerified
	if err := json.Unmarshal([]byte(out), &got); err != nil || got != (allVerified{Verified: 6, Streams: 2, Trimmed: 1, Chain: true}) {
		t.Errorf("as JSON: got %s, %v", out, err)
	}
}
