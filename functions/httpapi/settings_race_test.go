package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

const (
	limitChanges = 60
	limitValues  = 12 // different limits, one after another
	limitClients = 8
)

// limits is when which token limit was in force, by the clock of the service.
type limits struct {
	mu   sync.Mutex
	from []time.Time
	n    []int
}

func (l *limits) set(at time.Time, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from, l.n = append(l.from, at), append(l.n, n)
}

// within returns the limits that were in force at some time between the two, and the
// last one of them.
func (l *limits) within(from, to time.Time) (all map[int]bool, last int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all = map[int]bool{}
	for i, n := range l.n {
		ended := i+1 < len(l.n) && l.from[i+1].Before(from)
		if !ended && !l.from[i].After(to) {
			all[n], last = true, n
		}
	}
	return all, last
}

// limitClient is a user who creates and revokes own tokens, through a process of its
// own: its cache of the settings is its own too.
type limitClient struct {
	t      *testing.T
	w      *scene
	limits *limits
	api    *httpapi.Client
	live   []string
	stale  int // answers by a limit that was not in force any more when the call began
}

func newLimitClient(w *scene, l *limits, user string) *limitClient {
	i := issuer.New(issuer.Config{Store: w.store, Keys: w.keys, Now: w.clock})
	server := httptest.NewServer(w.handler(func(c *machine.Config) { c.Issuer, c.Guard = i, i.Guard() }))
	w.t.Cleanup(server.Close)
	made, text := w.make(httpapi.CreateRequest{User: named(user)})
	return &limitClient{t: w.t, w: w, limits: l, api: httpapi.NewClient(server.URL, secret.New(text), server.Client()), live: []string{made.ID}}
}

// step creates a token, and compares the answer with the limits of the last 5 seconds.
func (c *limitClient) step() {
	began := c.w.clock()
	made, err := c.api.Create(c.t.Context(), httpapi.CreateRequest{})
	allowed, _ := c.limits.within(began.Add(-5*time.Second), c.w.clock())
	now, _ := c.limits.within(began, c.w.clock())
	p, _ := errors.AsType[*httpapi.Problem](err)
	switch {
	case err == nil:
		c.live = append(c.live, made.ID)
		if !anyAtLeast(allowed, len(c.live)) {
			c.t.Errorf("a token was made as number %d; the limits of the last 5 seconds were %v", len(c.live), allowed)
		}
		if !anyAtLeast(now, len(c.live)) {
			c.stale++
		}
	case p != nil && p.Code == "token_limit_reached":
		if !allowed[*p.TokenLimit] || *p.LiveTokens != len(c.live) || len(c.live) < *p.TokenLimit {
			c.t.Errorf("got the limit %d and %d live, want one of %v and %d", *p.TokenLimit, *p.LiveTokens, allowed, len(c.live))
		}
		if !now[*p.TokenLimit] {
			c.stale++
		}
	default:
		c.t.Errorf("creating a token: %v", err)
	}
}

func anyAtLeast(limits map[int]bool, n int) bool {
	for l := range limits {
		if l >= n {
			return true
		}
	}
	return false
}

// revokeOne ends the newest token, but not the acting one.
func (c *limitClient) revokeOne() {
	if len(c.live) == 1 {
		return
	}
	last := len(c.live) - 1
	if err := c.api.Revoke(c.t.Context(), c.live[last]); err != nil {
		c.t.Errorf("revoking a token: %v", err)
	}
	c.live = c.live[:last]
}

// TestEveryAnswerAgreesWithALimitOfTheLast5Seconds: the token limit changes while 8
// clients create tokens. Only the change moves the clock, by less than 5 seconds, so
// answers by a cached limit are seen too.
func TestEveryAnswerAgreesWithALimitOfTheLast5Seconds(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{ChangeRate: new(0)})
	l := &limits{}
	l.set(w.clock(), 5)
	var clients []*limitClient
	var steps atomic.Int64
	for n := range limitClients {
		clients = append(clients, newLimitClient(w, l, fmt.Sprint("user", n)))
	}
	var running sync.WaitGroup
	stop := make(chan struct{})
	for _, c := range clients {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				c.step()
				if n%3 == 0 {
					c.revokeOne()
				}
				steps.Add(1)
			}
		})
	}
	for n := range limitChanges {
		for until := steps.Load() + 3*limitClients; steps.Load() < until && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		limit := n * 7 % limitValues
		// The new limit may be in force from here on, and the old one until here.
		w.sleep(time.Duration(1+n%4) * time.Second)
		at := w.clock()
		l.set(at, limit)
		w.do("PATCH", settingsPath, w.admin, fmt.Sprintf(`{"token_limit":%d}`, limit)).expect(t, http.StatusOK, "")
	}
	close(stop)
	running.Wait()
	stale := 0
	for _, c := range clients {
		stale += c.stale
	}
	if t.Logf("%d answers, %d by a limit of the last 5 seconds that was not in force any more", steps.Load(), stale); stale == 0 {
		t.Error("no client used a cached limit, so this test shows little")
	}
}

// TestOfTwoHoldersOfEditWhoRemoveEachOtherOneFails, and the other one can still edit.
func TestOfTwoHoldersOfEditWhoRemoveEachOtherOneFails(t *testing.T) {
	for _, way := range []struct{ method, of, body, code string }{
		{"PUT", "permissions", `{"permissions":[]}`, "permission_denied"},
		{"PUT", "suspension", "", "last_edit_holder token_suspended permission_denied_by_credential"},
		{"POST", "offboard", "", "last_edit_holder token_suspended token_revoked permission_denied_by_credential"},
	} {
		t.Run(way.of, func(t *testing.T) {
			for range 10 {
				w := newScene(t)
				w.change(settings.Grant{User: "two", Actions: settings.Actions()})
				_, two := w.make(httpapi.CreateRequest{User: named("two")})
				answers := make([]answer, 2)
				var both sync.WaitGroup
				start := make(chan struct{})
				both.Go(func() { <-start; answers[0] = w.do(way.method, "/v1/users/two/"+way.of, w.admin, way.body) })
				both.Go(func() { <-start; answers[1] = w.do(way.method, "/v1/users/admin/"+way.of, two, way.body) })
				close(start)
				both.Wait()
				done := 0
				for _, s := range answers {
					if s.status == http.StatusOK {
						done++
					} else if !contains(way.code, s.problem(t).Code) {
						t.Errorf("got %s, want %s", s.body, way.code)
					}
				}
				if done == 2 {
					t.Fatalf("both succeeded: %s, %s", answers[0].body, answers[1].body)
				}
				able := 0
				for _, token := range []string{w.admin, two} {
					if w.do("PATCH", settingsPath, token, `{"token_limit":9}`).status == http.StatusOK {
						able++
					}
				}
				if able == 0 {
					t.Fatalf("no one may edit any more: %s, %s", answers[0].body, answers[1].body)
				}
			}
		})
	}
}

func contains(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
