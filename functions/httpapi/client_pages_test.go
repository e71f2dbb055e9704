package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
)

func link(after string) httpapi.Paging {
	return httpapi.Paging{Next: "/v1/auth/access-tokens?after=" + after, After: after}
}

func TestPagesReadsEveryPageAndEmptyOnesToo(t *testing.T) {
	answers := map[string]httpapi.Paging{"": link("a"), "a": link("b"), "b": {}}
	var read []string
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		read = append(read, after)
		return answers[after], nil
	})
	if err != nil || !slices.Equal(read, []string{"", "a", "b"}) {
		t.Errorf("got the pages %q, %v, want three", read, err)
	}
}

// TestPagesOfAHostileServerEnd: pages that repeat, in one step or in several, pages
// without an end, and a link without a cursor.
func TestPagesOfAHostileServerEnd(t *testing.T) {
	steps := 0
	for what, c := range map[string]struct {
		says string
		most int
		next func(after string) httpapi.Paging
	}{
		"the same page": {"was read already", 2, func(string) httpapi.Paging { return link("a") }},
		"a circle": {"was read already", 4, func(after string) httpapi.Paging {
			return link(map[string]string{"": "a", "a": "b", "b": "c", "c": "a"}[after])
		}},
		"always another one": {"no end", 100_000, func(string) httpapi.Paging { return link(fmt.Sprint(steps)) }},
		"no cursor":          {"no after", 1, func(string) httpapi.Paging { return httpapi.Paging{Next: "/v1/auth/access-tokens?after=a"} }},
	} {
		steps = 0
		err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
			if steps++; steps > c.most {
				t.Fatalf("%s: read %d pages, want at most %d", what, steps, c.most)
			}
			return c.next(after), nil
		})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an error with %q", what, err, c.says)
		}
	}
}

// TestTheClientRefusesAPageThatLeadsToItself: for a program that follows the
// cursors without Pages.
func TestTheClientRefusesAPageThatLeadsToItself(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(httpapi.List{Entries: []httpapi.Entry{}, Paging: link("a")})
	}))
	t.Cleanup(s.Close)
	c := httpapi.NewClient(s.URL, secret.Secret{}, nil)
	for what, read := range map[string]func(after string) error{
		"List": func(after string) error { _, err := c.List(t.Context(), httpapi.ListQuery{After: after}); return err },
		"TokenEvents": func(after string) error {
			_, err := c.TokenEvents(t.Context(), "JhxND7ci", httpapi.HistoryQuery{After: after})
			return err
		},
		"UserEvents": func(after string) error {
			_, err := c.UserEvents(t.Context(), "ann", httpapi.HistoryQuery{After: after})
			return err
		},
		"AllEvents": func(after string) error {
			_, err := c.AllEvents(t.Context(), httpapi.HistoryQuery{After: after})
			return err
		},
		"SelfEvents": func(after string) error {
			_, err := c.SelfEvents(t.Context(), httpapi.HistoryQuery{After: after})
			return err
		},
	} {
		if err := read(""); err != nil {
			t.Errorf("%s, the first page: %v", what, err)
		}
		if err := read("a"); err == nil || !strings.Contains(err.Error(), "was read already") {
			t.Errorf("%s, a page that leads to itself: got %v, want an error", what, err)
		}
	}
}
