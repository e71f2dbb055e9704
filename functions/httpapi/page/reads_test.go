package page_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
)

// reads is a store that counts the reads of the head of each stream, and of the lists.
type reads struct {
	events.Store
	mu sync.Mutex
	of map[string]int
}

func (r *reads) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[string]int{}
	}
	r.of[what]++
}

// taken returns the reads since the last call of taken.
func (r *reads) taken() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.of
	r.of = nil
	return of
}

func (r *reads) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	r.note(string(s))
	return r.Store.Head(ctx, s)
}

func (r *reads) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	r.note("list")
	return r.Store.Tokens(ctx, q)
}

// TestAPageReadsAUsersHeadOnce: a page reads the heads of the users that it is about,
// each once, and no other head.
func TestAPageReadsAUsersHeadOnce(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{User: user("ann"), Name: "job"})
	b := s.signedIn(s.admin)
	mine := s.admin[:strings.Index(s.admin, ".")]
	for _, c := range []struct {
		path string
		form url.Values // nil: the page is only opened
		want string
	}{
		{"", nil, "user/admin"},
		{"?state=ended", nil, "list"},
		{"create", nil, "user/admin"},
		{"create", url.Values{"expires": {"until"}, "step": {"review"}}, "user/admin"},
		{"create", url.Values{"expires": {"60D"}, "scopes": {"x"}, "step": {"review"}}, "user/admin"},
		{"create", url.Values{"expires": {"60D"}, "step": {"review"}}, ""},
		{"token?id=" + mine, nil, ""},
		{"rotate?id=" + mine, nil, ""},
		{"revoke?id=" + mine, nil, ""},
		{"history?id=" + text[:8], nil, "user/ann"},
		{"all", nil, "list"},
		{"all?user=local:ann", nil, "user/ann"},
		{"all?user=ann", nil, "user/ACTIVE_DIRECTORY:ann user/POSIX_USER:ann user/ann"},
		{"user?user=ann", nil, "user/ann"},
		{"user?user=ann", url.Values{"act": {"offboard"}}, "user/ann"},
		{"sessions", nil, "session/admin"},
		{"settings", nil, ""},
		{"group", nil, ""},
		{"find", url.Values{"what": {text}}, ""},
	} {
		s.reads.taken()
		answer := b.get(c.path)
		if c.form != nil {
			s.reads.taken()
			answer = b.post(c.path, c.form)
		}
		if answer.status >= http.StatusInternalServerError || answer.status == http.StatusNotFound {
			t.Errorf("%s: got %d %s", c.path, answer.status, answer.text())
		}
		got := s.reads.taken()
		delete(got, string(events.SettingsStream))
		for of, n := range got {
			if n > 1 {
				t.Errorf("%s %v: %d reads of %s, want one", c.path, c.form, n, of)
			}
		}
		if heads := strings.Join(slices.Sorted(maps.Keys(got)), " "); heads != c.want {
			t.Errorf("%s %v: reads %q, want %q", c.path, c.form, heads, c.want)
		}
	}
}

// TestARefusedCreateReadsTheUsersHeadOnce: the form then has the maximum that it had before.
// A form without it, and a refusal because of the maximum, ask for the maximum.
func TestARefusedCreateReadsTheUsersHeadOnce(t *testing.T) {
	const maximum = 60 * 24 * 3600
	s := newScene(t)
	admin := s.client(s.admin)
	if _, err := admin.ChangeSettings(t.Context(), httpapi.SettingsChange{ExpirationTimeout: new(int64(maximum))}); err != nil {
		t.Fatal(err)
	}
	s.sleep(6 * time.Second) // other callers see the settings then
	b := s.signedIn(s.admin)
	form := with(b.get("create").expect(http.StatusOK).hidden(), "name", "n", "expires", "60D", "step", "review")
	review := with(b.post("create", form).expect(http.StatusOK).hidden(), "step", "make")
	if _, err := admin.SetLimit(t.Context(), "admin", new(1)); err != nil {
		t.Fatal(err)
	}
	refused := func(form url.Values, status int) seen {
		s.reads.taken()
		return b.post("create", form).expect(status)
	}
	refused(review, http.StatusConflict).has("at most 1 are allowed", "The maximum is 60 days").hasNot("Never", "90 days")
	if got := s.reads.taken()["user/admin"]; got != 1 {
		t.Errorf("a refused create reads the user's head %d times, want once", got)
	}
	for _, other := range []string{"", "x", "-1", "9223372037", "99999999999999999999"} {
		refused(with(review, "maximum", other), http.StatusConflict).has("at most 1 are allowed", "The maximum is 60 days").hasNot("Never", "90 days")
	}
	if _, err := admin.SetLimit(t.Context(), "admin", new(5)); err != nil {
		t.Fatal(err)
	}
	refused(with(review, "expires", "365D", "maximum", "0"), http.StatusUnprocessableEntity).has("The maximum is 60 days").hasNot("Never", "90 days")
}

// TestTheListOfTheOwnTokensIsOneCall beside the question who the person is.
func TestTheListOfTheOwnTokensIsOneCall(t *testing.T) {
	s := newScene(t)
	api := s.api.(*switched)
	next := api.Handler
	var calls []string
	api.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.Path)
		next.ServeHTTP(w, r)
	})
	b := s.signedIn(s.admin)
	calls = nil
	b.get("").expect(http.StatusOK).has("1 of 5 used", "New token")
	if want := []string{"GET /v1/session/who-am-i", "GET /v1/auth/access-tokens"}; !slices.Equal(calls, want) {
		t.Errorf("got the calls %v, want %v", calls, want)
	}
}

// TestMyTokensAndMySessionsAreMine: a person with the permission view sees nothing of a
// user with the same name in another domain there.
func TestMyTokensAndMySessionsAreMine(t *testing.T) {
	s := newScene(t)
	other := user("admin")
	other.Domain = "ACTIVE_DIRECTORY"
	text := s.make(httpapi.CreateRequest{User: other, Name: "of the directory"})
	b := s.signedIn(s.admin)
	s.signedIn(text)
	b.get("").expect(http.StatusOK).has("1 of 5 used").hasNot("of the directory")
	if got := strings.Count(b.get("sessions").expect(http.StatusOK).body, "<h2>"); got != 1 {
		t.Errorf("my sessions are %d, want 1", got)
	}
	b.get("all?user=admin").has("of the directory")
}
