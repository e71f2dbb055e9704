package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// allEvents reads all pages with the Go client and returns their events by stream.
// between runs after each page that is not the last.
func (w *scene) allEvents(token string, limit int, between func()) (all map[events.Stream][]events.Message, damaged []string) {
	w.t.Helper()
	all = map[events.Stream][]events.Message{}
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := w.client(token).AllEvents(w.t.Context(), httpapi.HistoryQuery{After: after, Limit: limit})
		for _, entry := range page.Entries {
			m, err := events.ParseDetail(entry)
			if err != nil {
				w.t.Fatal(err)
			}
			all[m.Stream] = append(all[m.Stream], m)
		}
		damaged = append(damaged, page.Damaged...)
		if page.Paging.Next != "" {
			between()
		}
		return page.Paging, err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all, damaged
}

// TestAllEventsHaveEveryStream: a viewer reads the events of the users and of the
// settings, each stream as a whole chain.
func TestAllEventsHaveEveryStream(t *testing.T) {
	w := newScene(t)
	for n := range 20 {
		for range n%3 + 1 {
			w.make(httpapi.CreateRequest{User: named(fmt.Sprint("user", n))})
		}
	}
	viewer := w.viewer("vera")
	for _, limit := range []int{1, 7, 1000} {
		all, _ := w.allEvents(viewer, limit, func() {})
		if len(all) != 20+3 { // the others are admin, vera and the settings
			t.Errorf("limit %d: got %d streams, want 23", limit, len(all))
		}
		if all[events.SettingsStream] == nil {
			t.Errorf("limit %d: got no events of the settings", limit)
		}
		for s, ms := range all {
			if err := events.VerifyMessages(events.Hash{}, ms); err != nil {
				t.Errorf("limit %d: %v", limit, err)
			}
			if owner, ok := s.Owner(); ok {
				page, err := w.client(w.admin).UserEvents(t.Context(), owner, httpapi.HistoryQuery{})
				if err != nil || len(page.Entries) != len(ms) {
					t.Errorf("limit %d, stream %s: got %d events, %v, the user has %d", limit, s, len(ms), err, len(page.Entries))
				}
			}
		}
	}
}

// viewer returns a token of a user with view and no other permission.
func (w *scene) viewer(user string) string {
	w.t.Helper()
	w.change(settings.Grant{User: user, Actions: []string{settings.ActionView}})
	_, text := w.make(httpapi.CreateRequest{User: named(user)})
	return text
}

// TestAllEventsNeedViewAndTheScope: the answer does not depend on the cursor, so it
// tells a caller without view nothing.
func TestAllEventsNeedViewAndTheScope(t *testing.T) {
	w := newScene(t)
	viewer := w.viewer("vera")
	w.change(settings.Grant{User: "eddy", Actions: []string{settings.ActionCreate, settings.ActionEdit, settings.ActionDelete}})
	_, stranger := w.make(httpapi.CreateRequest{User: named("ann")})
	_, editor := w.make(httpapi.CreateRequest{User: named("eddy")})
	_, scoped := w.make(httpapi.CreateRequest{User: named("vera"), Scopes: []string{"GET /v1/events"}})
	_, outside := w.make(httpapi.CreateRequest{User: named("vera"), Scopes: []string{"GET /v1/users/*"}})
	after := decodeAs[httpapi.EventsPage](t, w.do("GET", "/v1/events?limit=1", viewer, "").expect(t, 200, "")).Paging.After
	for _, token := range []string{viewer, w.admin, scoped} {
		w.do("GET", "/v1/events?after="+after, token, "").expect(t, 200, "")
		w.do("HEAD", "/v1/events", token, "").expect(t, 200, "")
	}
	for _, token := range []string{stranger, editor} {
		first := w.do("GET", "/v1/events", token, "").expect(t, 403, "permission_denied").problem(t)
		later := w.do("GET", "/v1/events?after="+after, token, "").expect(t, 403, "permission_denied").problem(t)
		if first.Detail != later.Detail || strings.Contains(first.Detail, "vera") {
			t.Errorf("got %q and with a cursor %q, want the same", first.Detail, later.Detail)
		}
	}
	w.do("GET", "/v1/events", outside, "").expect(t, 403, "permission_denied_by_scope")
	w.do("GET", "/v1/events", "", "").expect(t, 401, "credential_missing")
}

// TestAPassBesideWritersLosesNothing: all events from before the pass are in it,
// while users write and new users come.
func TestAPassBesideWritersLosesNothing(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50), ChangeRate: new(0)})
	for n := range 10 {
		w.make(httpapi.CreateRequest{User: named(fmt.Sprint("user", n))})
	}
	before, _ := w.allEvents(w.admin, 1000, func() {})
	var all sync.WaitGroup
	stop := make(chan struct{})
	for n := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				for _, user := range []string{fmt.Sprint("user", n), fmt.Sprint("new", n, "-", i)} {
					if _, err := w.client(w.admin).Create(t.Context(), httpapi.CreateRequest{User: named(user)}); err != nil && !strings.Contains(err.Error(), "limit") {
						t.Errorf("writing beside a pass: %v", err)
						return
					}
				}
			}
		})
	}
	for range 3 {
		got, _ := w.allEvents(w.admin, 3, func() {})
		for s, old := range before {
			if len(got[s]) < len(old) {
				t.Errorf("stream %s: got %d events, want the %d from before the pass", s, len(got[s]), len(old))
			}
		}
		for _, ms := range got {
			if err := events.VerifyMessages(events.Hash{}, ms); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	all.Wait()
}

// TestAPassGoesOnAfterAnOutage: the first try of each page has no answer, the second one
// a 503. A refusal is not tried again.
func TestAPassGoesOnAfterAnOutage(t *testing.T) {
	w := newScene(t)
	w.make(httpapi.CreateRequest{User: named("ann")})
	_, stranger := w.make(httpapi.CreateRequest{User: named("bob")})
	healthy := w.handler()
	var tries atomic.Int64 // an aborted handler may still run when the next one begins
	var over atomic.Bool   // the outage
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		try := tries.Add(1)
		switch {
		case over.Load() || try%3 == 0:
			healthy.ServeHTTP(rw, r)
		case try%3 == 1:
			panic(http.ErrAbortHandler)
		default:
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := w.client(w.admin)
	httpapi.SetRetryWait(c, time.Millisecond)
	read, pages := 0, 0
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := c.AllEvents(t.Context(), httpapi.HistoryQuery{After: after, Limit: 1})
		read, pages = read+len(page.Entries), pages+1
		return page.Paging, err
	})
	if n := tries.Load(); err != nil || read != 4 || n != int64(3*pages) {
		t.Errorf("got %d events in %d pages and %d tries, %v, want 4 events and three tries for each page", read, pages, n, err)
	}
	over.Store(true)
	tries.Store(0)
	if _, err := w.client(stranger).AllEvents(t.Context(), httpapi.HistoryQuery{}); err == nil || tries.Load() != 1 {
		t.Errorf("a refusal: got %v after %d tries, want an error after 1", err, tries.Load())
	}
}

// TestACursorOfAllEventsStaysValid: after its record was removed, for another viewer,
// and at the end of the streams, where it returns only what is new.
func TestACursorOfAllEventsStaysValid(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{Retention: new(24 * time.Hour)})
	for _, user := range []string{"ann", "zz-last"} {
		w.make(httpapi.CreateRequest{User: named(user)})
		w.make(httpapi.CreateRequest{User: named(user)})
	}
	var cursors []string
	w.allEventsCursors(func(after string) { cursors = append(cursors, after) })
	if len(cursors) < 5 {
		t.Fatalf("got %d cursors, want one for each event but the last", len(cursors))
	}
	w.sleep(25 * time.Hour)
	_, admin := w.make(httpapi.CreateRequest{})
	w.change(settings.Grant{User: "vera", Actions: []string{settings.ActionView}})
	_, viewer := w.make(httpapi.CreateRequest{User: named("vera")})
	if _, err := w.store.Collect(t.Context(), w.clock()); err != nil {
		t.Fatal(err)
	}
	w.make(httpapi.CreateRequest{User: named("zz-last")})
	for _, after := range cursors {
		for _, token := range []string{viewer, admin} {
			page := decodeAs[httpapi.EventsPage](t, w.do("GET", "/v1/events?after="+after, token, "").expect(t, 200, ""))
			if n := len(page.Entries); n == 0 || !strings.Contains(string(page.Entries[n-1]), `"user/zz-last/3"`) {
				t.Errorf("after the cursor %s: got %s, want the new event last", after, page.Entries)
			}
		}
	}
}

// allEventsCursors calls f with the cursor of each page of one event.
func (w *scene) allEventsCursors(f func(after string)) {
	w.t.Helper()
	for after := ""; ; f(after) {
		page, err := w.client(w.admin).AllEvents(w.t.Context(), httpapi.HistoryQuery{After: after, Limit: 1})
		if err != nil {
			w.t.Fatal(err)
		}
		if after = page.Paging.After; after == "" {
			return
		}
	}
}

// TestHostileCursorsOfAllEventsAreRefused: with 400, and never with a part of the
// events, which the caller would take for the whole.
func TestHostileCursorsOfAllEventsAreRefused(t *testing.T) {
	w := newScene(t)
	w.make(httpapi.CreateRequest{User: named("ann")})
	w.make(httpapi.CreateRequest{User: named("ann")})
	good := decodeAs[httpapi.EventsPage](t, w.do("GET", "/v1/events?limit=1", w.admin, "").expect(t, 200, "")).Paging.After
	list := decodeAs[httpapi.List](t, w.do("GET", collection+"?limit=1", w.admin, "").expect(t, 200, "")).Paging.After
	b, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	foreign := httptest.NewServer(w.handler(func(c *machine.Config) { c.Deployment = "another" }))
	t.Cleanup(foreign.Close)
	page, err := httpapi.NewClient(foreign.URL, secret.New(w.admin), nil).AllEvents(t.Context(), httpapi.HistoryQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for what, cursor := range map[string]string{
		"a list's cursor": list, "a sequence": "7", "another deployment's": page.Paging.After, "cut": good[:len(good)-4], "doubled": good + good,
		"padded": good + "%3D", "with a line end": good + "%0A", "only the head": text(b[:9]), "another version": text(slices.Concat([]byte{9}, b[1:])),
		"a record id": text(append(slices.Clone(b[:9]), "user/ann/1"...)), "long": text(append(slices.Clone(b[:9]), strings.Repeat("a", 3000)...)),
		"binary": "%00%FF", "a stream": "user/ann",
	} {
		p := w.do("GET", "/v1/events?after="+cursor, w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter").problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != "after" {
			t.Errorf("%s: got the errors %v, want one about after", what, p.Errors)
		}
	}
	w.do("GET", collection+"?after="+good, w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("GET", "/v1/users/ann/events?after="+good, w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
}

// TestAChangedRecordIsNamedInAllEvents: the operator's log has an error, and each
// later event is still answered.
func TestAChangedRecordIsNamedInAllEvents(t *testing.T) {
	w := newScene(t)
	a := bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "attacked.db"), bolt.Options{NoSync: true})
	w.issuer = issuer.New(issuer.Config{Store: a, Keys: w.keys, Now: w.clock, Logger: slog.New(slog.NewJSONHandler(w.log, nil))})
	_, text, err := w.issuer.Bootstrap(t.Context(), "admin", false)
	if err != nil {
		t.Fatal(err)
	}
	w.admin, w.server.Config.Handler = text.Reveal(), w.handler()
	for range 3 {
		w.make(httpapi.CreateRequest{User: named("ann")})
	}
	item := a.Item(t, a.RecordKey("user/ann", 2))
	item["4"] = "eve" // the actor
	a.PutItem(t, a.RecordKey("user/ann", 2), item)
	a.Spoil(t, a.RecordKey("user/ann", 3))
	all, damaged := w.allEvents(w.admin, 1, func() {})
	if got := all["user/ann"]; len(got) != 1 || got[0].Seq != 1 || len(all["user/admin"]) == 0 {
		t.Errorf("got the events %v, want the first of ann and those of the others", all)
	}
	if !slices.Equal(damaged, []string{"user/ann/2", "user/ann/3"}) {
		t.Errorf("got the damaged events %q, want ann's second and third", damaged)
	}
	if lines := w.log.String(); strings.Count(lines, "damaged records were left out") != 2 {
		t.Errorf("got the log\n%s\nwant an error for each of two pages", lines)
	}
}
