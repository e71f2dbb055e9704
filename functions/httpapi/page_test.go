package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// pages follows the links from path to the last page and returns the ids.
func pages(t *testing.T, w *scene, path string) (ids []string) {
	t.Helper()
	for path != "" {
		page := decodeAs[httpapi.List](t, w.do("GET", path, w.admin, "").expect(t, http.StatusOK, ""))
		for _, e := range page.Entries {
			ids = append(ids, e.ID)
		}
		if len(ids) > 1000 {
			t.Fatal("the pages have no end")
		}
		path = page.Paging.Next
	}
	return ids
}

func TestPagesHaveEachTokenOnceAndKeepTheirFilters(t *testing.T) {
	w := newScene(t)
	var anns, all []string
	for _, owner := range []string{"ann", "bob"} {
		for range 5 {
			w.sleep(time.Second) // tokens with the same time are in the order of their ids
			made, _ := w.make(httpapi.CreateRequest{User: named(owner)})
			all = append(all, made.ID)
			if owner == "ann" {
				anns = append(anns, made.ID)
			}
		}
	}
	all = append([]string{w.admin[:8]}, all...)
	for _, limit := range []int{1, 2, 3, 100} {
		if got := pages(t, w, fmt.Sprintf("%s?limit=%d", collection, limit)); !slices.Equal(got, all) {
			t.Errorf("limit %d: got %v, want %v", limit, got, all)
		}
		if got := pages(t, w, fmt.Sprintf("%s?limit=%d&user=ann&state=active,disabled", collection, limit)); !slices.Equal(got, anns) {
			t.Errorf("limit %d of ann: got %v, want %v", limit, got, anns)
		}
	}
	first := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann&limit=2&state=active", w.admin, ""))
	link, err := url.Parse(first.Paging.Next)
	if err != nil || link.Path != collection || link.Host != "" {
		t.Fatalf("got link %q, want the collection's path and a query", first.Paging.Next)
	}
	if q := link.Query(); q.Get("user") != "ann" || q.Get("limit") != "2" || q.Get("state") != "active" || q.Get("after") != first.Paging.After {
		t.Errorf("got link %q, want all filters kept", first.Paging.Next)
	}
	w.do("DELETE", collection+first.Entries[1].ID, w.admin, "").expect(t, http.StatusOK, "")
	if rest := pages(t, w, first.Paging.Next); !slices.Equal(rest, anns[2:]) {
		t.Errorf("after the last shown token was revoked: got %v, want %v", rest, anns[2:])
	}
}

func TestPageSizeIs100ByDefaultAndAtMost1000(t *testing.T) {
	w := newScene(t)
	for i := range 25 {
		for range 5 {
			w.make(httpapi.CreateRequest{User: named(fmt.Sprintf("u%d", i))})
		}
	}
	for query, want := range map[string]int{"": 100, "?limit=126": 126, "?limit=5000": 126, "?limit=99999999999999999999": 126, "?limit=007": 7} {
		page := decodeAs[httpapi.List](t, w.do("GET", collection+query, w.admin, "").expect(t, http.StatusOK, ""))
		if len(page.Entries) != want || (page.Paging.Next == "") != (want == 126) {
			t.Errorf("%q: got %d entries and next %q, want %d", query, len(page.Entries), page.Paging.Next, want)
		}
	}
}

func TestLinksKeepTheGatewaysPrefix(t *testing.T) {
	w := newScene(t)
	w.make(httpapi.CreateRequest{User: named("ann")})
	prefixed := http.StripPrefix("/prod/tokens", w.handler())
	s := handle(prefixed, request(t, "GET", "/prod/tokens/v1/auth/access-tokens?limit=1", w.admin)).expect(t, http.StatusOK, "")
	page := decodeAs[httpapi.List](t, s)
	if !strings.HasPrefix(page.Paging.Next, "/prod/tokens/v1/auth/access-tokens?after=") {
		t.Fatalf("got link %q, want one with the prefix", page.Paging.Next)
	}
	s = handle(prefixed, request(t, "GET", page.Paging.Next, w.admin)).expect(t, http.StatusOK, "")
	if rest := decodeAs[httpapi.List](t, s); len(rest.Entries) != 1 || rest.Entries[0].ID == page.Entries[0].ID {
		t.Errorf("the link's answer is %s, want the other token", s.body)
	}
	p := handle(prefixed, request(t, "GET", "/prod/tokens/v1/auth/access-tokens/zzzzzzzz", w.admin)).problem(t)
	if p.Instance != "/prod/tokens/v1/auth/access-tokens/zzzzzzzz" {
		t.Errorf("got instance %q, want it with the prefix", p.Instance)
	}
	bare, err := http.NewRequestWithContext(t.Context(), "GET", "/v1/auth/access-tokens?limit=1", nil) // without a RequestURI
	if err != nil {
		t.Fatal(err)
	}
	bare.Header.Set("Authorization", "Bearer "+w.admin)
	if page := decodeAs[httpapi.List](t, handle(w.handler(), bare)); !strings.HasPrefix(page.Paging.Next, "/v1/auth/access-tokens?") {
		t.Errorf("got link %q", page.Paging.Next)
	}
}

func TestHistoriesHavePagesAndVerify(t *testing.T) {
	w := newScene(t)
	var ids []string
	for range 3 {
		made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
		ids = append(ids, made.ID)
		w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	}
	read := func(path string) (ms []events.Message) {
		t.Helper()
		for path != "" {
			page := decodeAs[httpapi.History](t, w.do("GET", path, w.admin, "").expect(t, http.StatusOK, ""))
			for _, raw := range page.Entries {
				m, err := events.ParseDetail(raw)
				if err != nil {
					t.Fatal(err)
				}
				ms = append(ms, m)
			}
			path = page.Paging.Next
		}
		return ms
	}
	whole := read("/v1/users/ann/events?limit=4")
	if len(whole) != 6 {
		t.Fatalf("got %d records, want 6", len(whole))
	}
	if err := events.VerifyMessages(events.Hash{}, whole); err != nil {
		t.Errorf("the answered history does not verify: %v", err)
	}
	if part := read("/v1/users/local:ann/events?after=2"); len(part) != 4 || part[0].Seq != 3 {
		t.Errorf("after=2: got %d records", len(part))
	}
	for _, m := range read(collection + ids[1] + "/events?limit=1") {
		if m.Subject != ids[1] {
			t.Errorf("got a record about %s in the history of %s", m.Subject, ids[1])
		}
	}
	_, bob := w.make(httpapi.CreateRequest{User: named("bob")})
	w.do("GET", "/v1/users/ann/events", bob, "").expect(t, http.StatusForbidden, "permission_denied")
	w.do("GET", "/v1/users/nobody/events", bob, "").expect(t, http.StatusForbidden, "permission_denied")
	w.do("GET", "/v1/users/bob/events", bob, "").expect(t, http.StatusOK, "")
}
