package vast_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/functions/httpapi/vast"
	"apitoken/localstack/longtest"
)

// TestFollowingNextVisitsEachTokenOnce: also after a proxy that ends TLS and adds a
// prefix, and with the filters of the first request.
func TestFollowingNextVisitsEachTokenOnce(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	var want []string
	for i := range 23 {
		w.sleep(time.Second)
		want = append(want, w.make(w.admin, fmt.Sprintf(`{"owner":"ann","name":"n%d"}`, i)).ID)
	}
	gone := w.make(w.admin, `{"owner":"ann"}`).ID
	w.do("PATCH", collection+gone+"/revoke/", w.admin, "").expect(http.StatusOK)
	for _, c := range []struct {
		path  string
		count int
		proto string // of a proxy
	}{
		{"/api/latest/apitokens/?owner=ann&page_size=5", 23, ""}, {"/api/v5/apitokens?owner=ann&page_size=23", 23, "http"}, {"/api/apitokens/?owner=ann&page=1&page_size=7", 23, "https"},
		{"/api/latest/apitokens/?owner=ann&page=1", 23, "HTTPS"}, {"/api/latest/apitokens/?archived=True&owner=ann&page_size=10", 24, "https"},
		{"/api/latest/apitokens/?owner=ann&name=n7&page_size=1", 1, ""},
		{"/api/latest/apitokens/?owner=ann&page_size=20", 23, "https, http"}, {"/api/latest/apitokens/?owner=ann&page_size=20", 23, "http, https"},
	} {
		scheme := "http"
		if strings.HasPrefix(strings.ToLower(c.proto), "https") {
			scheme = "https"
		}
		first := c.path
		var seen []string
		var before string // the link to the page before the one that is read
		for path := c.path; path != ""; {
			header := http.Header{"Authorization": {"Api-Token " + w.admin}}
			if c.proto != "" {
				header.Set("X-Forwarded-Proto", c.proto)
			}
			page := decodeAs[vast.Page](w.send("GET", path, header, "").expect(http.StatusOK))
			if page.Count != c.count {
				t.Errorf("%s: got the count %d, want %d", path, page.Count, c.count)
			}
			for _, token := range page.Results {
				seen = append(seen, token.ID)
			}
			if (page.Previous == nil) != (before == "") || before != "" && len(seen) > 0 && !samePage(*page.Previous, before) {
				t.Errorf("%s: got previous %v, want the page %q", path, page.Previous, before)
			}
			before, path = path, ""
			if page.Next != nil {
				u, err := url.Parse(*page.Next)
				if err != nil || u.Scheme != scheme || u.Host != strings.TrimPrefix(w.server.URL, "http://") || u.Path != strings.Split(first, "?")[0] {
					t.Fatalf("%s: got next %q, want %s://%s and the same path", before, *page.Next, scheme, w.server.URL)
				}
				path = u.RequestURI()
			}
		}
		ids := slices.Concat(want, []string{gone})
		if c.count == 1 {
			ids = want[7:8]
		}
		slices.Sort(seen)
		ids = slices.Sorted(slices.Values(ids[:c.count]))
		if !slices.Equal(seen, ids) {
			t.Errorf("%s: saw %v, want %v", first, seen, ids)
		}
	}
}

// samePage reports whether two links have the same path, and the same query but for a
// page that is 1.
func samePage(a, b string) bool {
	parse := func(link string) (string, url.Values) {
		u, err := url.Parse(link)
		if err != nil {
			return "", nil
		}
		q := u.Query()
		if q.Get("page") == "1" {
			q.Del("page")
		}
		return u.Path, q
	}
	aPath, aQuery := parse(a)
	bPath, bQuery := parse(b)
	return aPath == bPath && aQuery.Encode() == bQuery.Encode()
}

// TestPrefixOfAStageStaysInLinks: the wiring removes the prefix from the path of the
// request and leaves it in the request line.
func TestPrefixOfAStageStaysInLinks(t *testing.T) {
	w := newScene(t)
	w.make(w.admin, `{}`)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.example.com/prod/api/latest/apitokens/?page_size=1", nil)
	r.Header.Set("Authorization", "Api-Token "+w.admin)
	rec := httptest.NewRecorder()
	http.StripPrefix("/prod", w.server.Config.Handler).ServeHTTP(rec, r)
	if want := `"next":"https://api.example.com/prod/api/latest/apitokens/?page=2&page_size=1"`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("got %d %s, want %s", rec.Code, rec.Body, want)
	}
}

// TestLinksWithoutAHostArePaths: HTTP/1.0 and an empty Host name no host.
func TestLinksWithoutAHostArePaths(t *testing.T) {
	w := newScene(t)
	for range 2 {
		w.make(w.admin, `{}`)
	}
	for _, version := range []string{"HTTP/1.0\r\n", "HTTP/1.1\r\nHost:\r\nConnection: close\r\n"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /api/v5/apitokens/?page=2&page_size=1 %sAuthorization: Api-Token %s\r\n\r\n", version, w.admin)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		page := decodeAs[vast.Page](w.read("GET", "/api/v5/apitokens/", res).expect(http.StatusOK))
		if *page.Next != "/api/v5/apitokens/?page=3&page_size=1" || *page.Previous != "/api/v5/apitokens/?page=1&page_size=1" {
			t.Errorf("%q: got the links %s and %s, want paths", version, *page.Next, *page.Previous)
		}
		w.do("GET", *page.Next, w.admin, "").expect(http.StatusOK)
	}
}

func TestDefaultPageHasHundredTokens(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(50)})
	for i := range 101 {
		w.make(w.admin, fmt.Sprintf(`{"owner":"u%d"}`, i%3))
	}
	page := decodeAs[vast.Page](w.do("GET", collection+"?page=1", w.admin, "").expect(http.StatusOK))
	if len(page.Results) != 100 || page.Count != 102 {
		t.Errorf("got %d of %d tokens", len(page.Results), page.Count)
	}
	if all := w.names(w.admin, ""); len(all) != 102 { // without page: the whole list in one answer
		t.Errorf("got %d tokens, want 102", len(all))
	}
}

// many is a store whose list has the first token count times.
type many struct {
	events.Store
	count int
	given int // so far
}

func (m *many) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	page, err := m.Store.Tokens(ctx, q)
	if err != nil {
		return page, err
	}
	page.Views = slices.Repeat(page.Views[:1], min(q.Limit, m.count-m.given))
	m.given += len(page.Views)
	page.More = m.given < m.count
	return page, nil
}

// TestListHasAtMostTenThousandTokens: Lambda sends at most 6 MB. The refusal says what
// to do.
func TestListHasAtMostTenThousandTokens(t *testing.T) {
	longtest.SkipSequential(t)
	w := newScene(t)
	w.make(w.admin, `{"owner":"ann","name":"x"}`)
	ask := func(count int, query string) answer {
		w.issuer = issuer.New(issuer.Config{Store: &many{Store: w.store, count: count}, Keys: w.keys, Now: w.clock})
		w.serve()
		return w.do("GET", collection+query, w.admin, "")
	}
	if all := decodeAs[[]vast.APIToken](ask(10_000, "").expect(http.StatusOK)); len(all) != 10_000 {
		t.Errorf("got %d tokens", len(all))
	}
	for _, query := range []string{"", "?archived=True", "?page_size=10", "?page=1", "?name=other"} { // a name is compared with each token
		if text := ask(10_001, query).expect(http.StatusBadRequest).message(); !strings.Contains(text, "owner is needed") || !strings.Contains(text, "10000") {
			t.Errorf("%s: got %q", query, text)
		}
	}
	if text := ask(10_001, "?owner=ann&archived=True").expect(http.StatusBadRequest).message(); strings.Contains(text, "owner") || !strings.Contains(text, "archived must be false") {
		t.Errorf("with an owner: got %q, want the parameter that is left", text)
	}
}
