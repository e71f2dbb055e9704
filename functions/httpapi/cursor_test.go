package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/localstack/longtest"
)

var (
	listOfAnn = httpapi.DigestOf("ann", issuer.ListQuery{})
	firstTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

func FuzzCursor(f *testing.F) {
	at := time.Date(2026, 11, 21, 20, 59, 57, 642000, time.UTC)
	for _, p := range []events.Position{{At: at, ID: "JhxND7ci"}, {At: at}, {}, {At: firstTime, ID: "00000000"}, {At: lastTime, ID: "zzzzzzzz"}} {
		f.Add(httpapi.CursorOf(listOfAnn, p))
	}
	f.Add("")
	f.Add("AA==")
	f.Add(strings.Repeat("_", 23))
	f.Add(strings.Repeat("\r", 23))
	f.Add("\n" + httpapi.CursorOf(listOfAnn, events.Position{At: at}))
	f.Fuzz(func(t *testing.T, text string) {
		list, p, err := httpapi.ParseCursor(text)
		if err != nil {
			return
		}
		if back := httpapi.CursorOf(list, p); back != text {
			t.Errorf("%q is read as %v, which is written %q", text, p, back)
		}
		if _, err := json.Marshal(p.At); err != nil || p.At.Location() != time.UTC {
			t.Errorf("%q is read as the time %v", text, p.At)
		}
	})
}

func TestCursorsKeepTheirPosition(t *testing.T) {
	for _, at := range []time.Time{firstTime, {}, time.Unix(0, 0).UTC(), time.UnixMicro(-1).UTC(), time.UnixMicro(time.Now().UnixMicro()).UTC(), lastTime} {
		for _, id := range []string{"JhxND7ci", ""} {
			want := events.Position{At: at, ID: id}
			list, got, err := httpapi.ParseCursor(httpapi.CursorOf(listOfAnn, want))
			if err != nil || got.Compare(want) != 0 || list != listOfAnn {
				t.Errorf("%v: got %v, %v", want, got, err)
			}
		}
	}
}

// TestACursorOfAPlantedIDIsAcceptedAndMoves: something other than the service may
// write an id of another form into an index.
func TestACursorOfAPlantedIDIsAcceptedAndMoves(t *testing.T) {
	for _, id := range []string{"x", "not an id", strings.Repeat("z", 300)} {
		planted := events.Position{At: time.UnixMicro(1).UTC(), ID: id}
		_, got, err := httpapi.ParseCursor(httpapi.CursorOf(listOfAnn, planted))
		if err != nil || got.Compare(planted) <= 0 {
			t.Errorf("%q: got %v, %v, want a later position", id, got, err)
		}
	}
}

func TestDigestsNameTheCallerAndTheFilters(t *testing.T) {
	live := []events.TokenState{events.StateActive, events.StateDisabled}
	both := []string{"ann", "bob"}
	seen := map[httpapi.ListDigest]string{}
	for what, d := range map[string]httpapi.ListDigest{
		"ann's list":             listOfAnn,
		"bob's list":             httpapi.DigestOf("bob", issuer.ListQuery{}),
		"of two owners":          httpapi.DigestOf("ann", issuer.ListQuery{Owners: both}),
		"of one owner":           httpapi.DigestOf("ann", issuer.ListQuery{Owners: both[:1]}),
		"of an owner \"annbob\"": httpapi.DigestOf("ann", issuer.ListQuery{Owners: []string{"annbob"}}),
		"of an owner \"active\"": httpapi.DigestOf("ann", issuer.ListQuery{Owners: []string{"active"}}),
		"of a state":             httpapi.DigestOf("ann", issuer.ListQuery{States: live[:1]}),
		"of two states":          httpapi.DigestOf("ann", issuer.ListQuery{States: live}),
		"of a creator":           httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{Creators: both[:1]}}),
		"of two creators":        httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{Creators: both}}),
		"of an early expiry":     httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{ExpiresBefore: &firstTime}}),
		"of a late expiry":       httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{ExpiresBefore: &lastTime}}),
		"of the zero time":       httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{ExpiresBefore: new(time.Time{})}}),
		"of an early use":        httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{UnusedSince: &firstTime}}),
		"of no expiry":           httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{NeverExpires: new(true)}}),
		"of an expiry":           httpapi.DigestOf("ann", issuer.ListQuery{Filter: issuer.Filter{NeverExpires: new(false)}}),
	} {
		if other, found := seen[d]; found {
			t.Errorf("%s and %s have the same digest", what, other)
		}
		seen[d] = what
	}
	again := issuer.ListQuery{Owners: []string{"bob", "ann", "bob"}, States: []events.TokenState{events.StateDisabled, events.StateActive}, Limit: 3}
	if httpapi.DigestOf("ann", again) != httpapi.DigestOf("ann", issuer.ListQuery{Owners: both, States: live}) {
		t.Error("the order of a filter's values or the page size changes the digest")
	}
}

// TestACursorIsRefusedInAnotherList: with another filter, and of another caller.
func TestACursorIsRefusedInAnotherList(t *testing.T) {
	w := newScene(t)
	var ann string
	for range 3 {
		_, ann = w.make(httpapi.CreateRequest{User: named("ann")})
		w.make(httpapi.CreateRequest{User: named("bob")})
	}
	cursorIn := func(query, token string) string {
		page := decodeAs[httpapi.List](t, w.do("GET", collection+"?limit=1&"+query, token, "").expect(t, http.StatusOK, ""))
		return page.Paging.After
	}
	queries := []string{"", "user=ann", "user=bob", "user=local:ann", "state=active", "state=active,disabled", "user=ann&state=active,revoked",
		"creator=admin", "never_expires=true", "never_expires=true&creator=admin", "unused_since=2030-01-01T00:00:00Z", "unused_since=2030-01-01T00:00:00.000001Z"}
	for _, made := range queries {
		cursor := cursorIn(made, w.admin)
		for _, used := range queries {
			s := w.do("GET", collection+"?limit=2&"+used+"&after="+cursor, w.admin, "")
			if made == used {
				s.expect(t, http.StatusOK, "")
				continue
			}
			if p := s.expect(t, http.StatusBadRequest, "invalid_parameter").problem(t); !strings.Contains(p.Detail, "other filters") {
				t.Errorf("the cursor of %q in %q: got %q", made, used, p.Detail)
			}
		}
		w.do("GET", collection+"?"+made+"&after="+cursor, ann, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	}
	w.do("GET", collection+"?after="+cursorIn("", ann), ann, "").expect(t, http.StatusOK, "")
	same := "unused_since=2029-12-31t23:00:00.0000009-01:00" // the same instant
	w.do("GET", collection+"?"+same+"&after="+cursorIn("unused_since=2030-01-01T00:00:00Z", w.admin), w.admin, "").expect(t, http.StatusOK, "")
	w.do("GET", collection+"?after="+cursorIn("", ann), w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
}

// monthly is a store with a partition for each month: a call of Tokens reads one
// month and then ends the page where the next month starts.
type monthly struct{ events.Store }

func (m monthly) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	p, err := m.Store.Tokens(ctx, q)
	first := q.After.At
	if first.IsZero() {
		first = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	next := time.Date(first.Year(), first.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	later := slices.IndexFunc(p.Views, func(v events.View) bool { return !v.CreatedAt.Before(next) })
	if later >= 0 || p.More && !p.Next.At.Before(next) {
		p.More, p.Next = true, events.Position{At: next}
	}
	if later >= 0 {
		p.Views = p.Views[:later]
	}
	return p, err
}

// TestEveryTokenOfFortyMonthsIsListedOnce: on a store that lists everything, and on a
// store whose pages end with each month. Every next is accepted.
func TestEveryTokenOfFortyMonthsIsListedOnce(t *testing.T) {
	longtest.SkipSequential(t)
	w := newScene(t)
	ids := map[string][]string{"": {w.admin[:8]}}
	for n := range 40 {
		w.sleep(31 * 24 * time.Hour)
		owner, state := fmt.Sprint("u", n%10), []string{"active", "revoked"}[n/2%2]
		made, _ := w.make(httpapi.CreateRequest{User: named(owner)})
		if state == "active" {
			ids[""] = append(ids[""], made.ID)
		}
		for _, query := range []string{"state=" + state, "state=active,revoked", "user=" + owner + "&state=active,revoked", "user=" + owner + "&state=" + state} {
			ids[query] = append(ids[query], made.ID)
		}
	}
	ids["state=active"] = ids[""]
	ids["state=active,revoked"] = append([]string{w.admin[:8]}, ids["state=active,revoked"]...)
	ids["user=absent&state=revoked"] = nil
	for _, id := range ids["state=revoked"] {
		w.do("DELETE", collection+id, w.admin, "").expect(t, http.StatusOK, "")
	}
	for _, store := range []events.Store{w.store, monthly{w.store}} {
		i := issuer.New(issuer.Config{Store: store, Keys: w.keys, Now: w.clock})
		w.server.Config.Handler = w.handler(func(c *machine.Config) { c.Issuer, c.Guard = i, i.Guard() })
		for query, want := range ids {
			for _, limit := range []int{1, 2, 100} {
				if got := pages(t, w, fmt.Sprintf("%s?limit=%d&%s", collection, limit, query)); !slices.Equal(got, want) {
					t.Errorf("%T, pages of %d, %q: got %v, want %v", store, limit, query, got, want)
				}
			}
		}
	}
}

// TestACursorNamesNoTokenOfAnotherUser: the pages of a caller without view end at
// the caller's own tokens, whether or not the tokens in between match.
func TestACursorNamesNoTokenOfAnotherUser(t *testing.T) {
	w := newScene(t)
	var ann string
	own := map[string]time.Time{}
	for range 4 {
		w.sleep(time.Second)
		made, text := w.make(httpapi.CreateRequest{User: named("ann")})
		ann, own[made.ID] = text, made.CreationTime.Time
		w.sleep(time.Second)
		other, _ := w.make(httpapi.CreateRequest{User: named("bob")})
		w.do("DELETE", collection+other.ID, w.admin, "").expect(t, http.StatusOK, "")
	}
	for _, query := range []string{"", "state=active", "state=active,revoked", "state=active,expired,revoked", "user=ann", "user=ann&state=active,revoked", "creator=admin", "never_expires=true&state=active,revoked", "unused_since=2030-01-01T00:00:00Z"} {
		seen := 0
		for path := collection + "?limit=1&" + query; path != ""; seen++ {
			page := decodeAs[httpapi.List](t, w.do("GET", path, ann, "").expect(t, http.StatusOK, ""))
			if path = page.Paging.Next; path == "" {
				break
			}
			link, err := url.Parse(path)
			if err != nil {
				t.Fatal(err)
			}
			_, at, err := httpapi.ParseCursor(link.Query().Get("after"))
			if made, found := own[at.ID]; err != nil || !found || !made.Equal(at.At) {
				t.Errorf("%q: the cursor names token %q of %v, which is not the caller's", query, at.ID, at.At)
			}
		}
		if seen != len(own)-1 {
			t.Errorf("%q: got %d pages with a cursor, want %d", query, seen, len(own)-1)
		}
	}
}

// TestTheDocumentSaysHowToPage: a client that stops at an empty page misses tokens.
func TestTheDocumentSaysHowToPage(t *testing.T) {
	text := strings.Join(strings.Fields(string(httpapi.OpenAPI)), " ")
	for _, sentence := range []string{
		"A page may have fewer entries than `limit`, even none, and still have a next page",
		"One page of tokens. It may be empty and still have a next page.",
	} {
		if !strings.Contains(text, sentence) {
			t.Errorf("openapi.yaml does not say: %s", sentence)
		}
	}
}
