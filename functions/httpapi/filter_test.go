package httpapi_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// namesIn returns the names of all tokens of a list, read with the Go client page by
// page.
func namesIn(t *testing.T, w *scene, token string, q httpapi.ListQuery) (names []string) {
	t.Helper()
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		q.After = after
		page, err := w.client(token).List(t.Context(), q)
		for _, e := range page.Entries {
			names = append(names, e.Name)
		}
		return page.Paging, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestFiltersSelectTokens: with the Go client, for every page size, for live tokens
// and for those in every state.
func TestFiltersSelectTokens(t *testing.T) {
	w := newScene(t)
	began := w.clock()
	_, maker := w.make(httpapi.CreateRequest{Name: "own"}) // of admin
	w.sleep(time.Hour)
	w.make(httpapi.CreateRequest{User: named("ann"), Name: "late", ExpiresIn: "30D"})
	_, used := w.make(httpapi.CreateRequest{User: named("ann"), Name: "used"})
	w.make(httpapi.CreateRequest{User: named("ann"), Name: "soon", ExpiresIn: "2h"})
	if _, err := w.client(used).Create(t.Context(), httpapi.CreateRequest{Name: "child"}); err != nil {
		t.Fatal(err)
	}
	w.sleep(time.Hour)
	revoked, _ := w.make(httpapi.CreateRequest{User: named("bob"), Name: "gone", ExpiresIn: "30D"})
	if err := w.client(maker).Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	w.sleep(2 * time.Hour) // "soon" is expired
	if _, err := w.client(used).WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.make(httpapi.CreateRequest{User: named("bob"), Name: "new"})
	late := began.Add(time.Hour + 30*24*time.Hour)
	every := []string{"active", "disabled", "expired", "revoked"}
	for name, test := range map[string]struct {
		query httpapi.ListQuery
		want  []string
	}{
		"creator":                        {httpapi.ListQuery{Filter: httpapi.Filter{Creator: "ann"}}, []string{"child"}},
		"creator of a user":              {httpapi.ListQuery{User: "ann", Filter: httpapi.Filter{Creator: "local:admin"}}, []string{"late", "used"}},
		"creator, every state":           {httpapi.ListQuery{States: every, Filter: httpapi.Filter{Creator: "auth_id:admin"}}, []string{"own", "late", "used", "soon", "gone", "new"}},
		"the operator":                   {httpapi.ListQuery{Filter: httpapi.Filter{Creator: "API_OPERATOR_DOMAIN:operator"}}, []string{"admin_api_token"}},
		"nobody":                         {httpapi.ListQuery{Filter: httpapi.Filter{Creator: "nobody"}}, nil},
		"expires before its expiry":      {httpapi.ListQuery{Filter: httpapi.Filter{ExpiresBefore: late}}, nil},
		"expires before a later instant": {httpapi.ListQuery{Filter: httpapi.Filter{ExpiresBefore: late.Add(time.Microsecond)}}, []string{"late"}},
		"expires before, every state":    {httpapi.ListQuery{States: every, Filter: httpapi.Filter{ExpiresBefore: late.Add(2 * time.Hour)}}, []string{"late", "soon", "gone"}},
		"expired before now":             {httpapi.ListQuery{States: []string{"expired"}, Filter: httpapi.Filter{ExpiresBefore: w.clock()}}, []string{"soon"}},
		"never expires":                  {httpapi.ListQuery{Filter: httpapi.Filter{NeverExpires: new(true)}}, []string{"admin_api_token", "own", "used", "child", "new"}},
		"expires":                        {httpapi.ListQuery{Filter: httpapi.Filter{NeverExpires: new(false)}}, []string{"late"}},
		"never expires, before":          {httpapi.ListQuery{States: every, Filter: httpapi.Filter{NeverExpires: new(true), ExpiresBefore: late.Add(time.Hour)}}, nil},
		"unused since before":            {httpapi.ListQuery{Filter: httpapi.Filter{UnusedSince: began.Add(time.Hour)}}, nil},
		"unused since after":             {httpapi.ListQuery{Filter: httpapi.Filter{UnusedSince: began.Add(time.Hour + time.Microsecond)}}, []string{"late", "child"}},
		"unused since now":               {httpapi.ListQuery{Filter: httpapi.Filter{UnusedSince: w.clock()}}, []string{"own", "late", "child"}},
		"all filters":                    {httpapi.ListQuery{User: "ann", States: every, Filter: httpapi.Filter{Creator: "admin", UnusedSince: w.clock(), ExpiresBefore: late, NeverExpires: new(false)}}, []string{"soon"}},
	} {
		for _, limit := range []int{1, 2, 0} {
			test.query.Limit = limit
			if got := namesIn(t, w, w.admin, test.query); !sameMembers(got, test.want) {
				t.Errorf("%s, pages of %d: got %q, want %q", name, limit, got, test.want)
			}
		}
	}
	if got := namesIn(t, w, used, httpapi.ListQuery{Filter: httpapi.Filter{Creator: "admin"}}); !sameMembers(got, []string{"late", "used"}) {
		t.Errorf("a caller without view: got %q, want only the own tokens", got)
	}
	w.do("GET", collection+"?expires_before=0001-01-01T00:00:00Z&state=active,expired,revoked", w.admin, "").expect(t, http.StatusOK, "")
	if got := pages(t, w, collection+"?expires_before=0001-01-01T00:00:00Z&state=active,expired,revoked"); len(got) > 0 {
		t.Errorf("before the year 1: got %q", got)
	}
}

// sameMembers compares names without their order: tokens with the same time are in
// the order of their ids.
func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// TestLinksKeepTheNewFilters too.
func TestLinksKeepTheNewFilters(t *testing.T) {
	w := newScene(t)
	for range 3 {
		w.make(httpapi.CreateRequest{User: named("ann")})
	}
	filters := url.Values{"creator": {"admin"}, "unused_since": {"2030-01-01T00:00:00+01:00"}, "never_expires": {"true"}, "limit": {"1"}, "state": {"active,expired"}}
	page := decodeAs[httpapi.List](t, w.do("GET", collection+"?"+filters.Encode(), w.admin, "").expect(t, http.StatusOK, ""))
	link, err := url.Parse(page.Paging.Next)
	if err != nil || len(page.Entries) != 1 {
		t.Fatalf("got %+v, %v", page, err)
	}
	for name, want := range filters {
		if got := link.Query()[name]; !slices.Equal(got, want) {
			t.Errorf("the link has %s=%q, want %q", name, got, want)
		}
	}
	if rest := pages(t, w, page.Paging.Next); len(rest) != 2 {
		t.Errorf("the next pages have %d tokens, want 2", len(rest))
	}
}

// TestCursorsOfEarlierVersionsAreAccepted: a list without the new filters has the
// digest that it had before there were such filters.
func TestCursorsOfEarlierVersionsAreAccepted(t *testing.T) {
	const earlier = "AmpdMMjKOOoQAAZgz6SuORBKaHhORDdjaQ"
	at := events.Position{At: time.UnixMicro(1795294797642000).UTC(), ID: "JhxND7ci"}
	if got := httpapi.CursorOf(listOfAnn, at); got != earlier {
		t.Errorf("got the cursor %s, want %s", got, earlier)
	}
}
