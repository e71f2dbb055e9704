package httpapi_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token/tokentest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// TestAReplacedSecretIsRefusedAndPublishedOnEveryPath: the answer is the same with
// and without a notice, and does not depend on whether the notice is stored.
func TestAReplacedSecretIsRefusedAndPublishedOnEveryPath(t *testing.T) {
	for name, use := range map[string]func(w *scene, old string) answer{
		"a call":              func(w *scene, old string) answer { return w.do("GET", collection, old, "") },
		"a command":           func(w *scene, old string) answer { return w.do("POST", collection, old, `{}`) },
		"a call about itself": func(w *scene, old string) answer { return w.do("GET", "/v1/auth/access-tokens/self", old, "") },
		"an introspection": func(w *scene, old string) answer {
			return w.do("POST", "/v1/auth/authorize", w.admin, `{"token":"`+old+`"}`)
		},
		"an introspection without permission": func(w *scene, old string) answer {
			_, bob := w.make(httpapi.CreateRequest{User: named("bob")})
			return w.do("POST", "/v1/auth/authorize", bob, `{"token":"`+old+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newScene(t)
			made, old := w.make(httpapi.CreateRequest{User: named("ann")})
			tokentest.Rotate(t, w.store, w.keys, w.clock(), made.ID, time.Hour)
			use(w, old)
			if got := w.reused(made.ID); len(got) != 0 {
				t.Errorf("within the grace: got the notices %v, want none", got)
			}
			w.sleep(time.Hour)
			for range 3 {
				switch a := use(w, old); {
				case name == "an introspection":
					if got := decodeAs[httpapi.Introspection](t, a.expect(t, 200, "")); got.Active || got.Reason != guard.CodeReplaced {
						t.Errorf("got %+v, want the reason %s", got, guard.CodeReplaced)
					}
				case name == "an introspection without permission":
					a.expect(t, 403, "permission_denied")
				default:
					a.expect(t, 401, guard.CodeReplaced)
				}
			}
			got := w.reused(made.ID)
			if len(got) != 1 || got[0].ID != "TokenReused/"+made.ID+"/2/2026-11-21" {
				t.Fatalf("got the notices %v, want one", got)
			}
			if text := string(got[0].Data); strings.Contains(text, old[len(old)-32:]) || !strings.Contains(text, `"owner":"ann"`) {
				t.Errorf("got %s, want the owner and no secret", text)
			}
		})
	}
}

// reused returns the notices TokenReused about a token.
func (w *scene) reused(id string) (all []events.Message) {
	w.t.Helper()
	ms, err := w.store.Pending(w.t.Context(), w.clock().Add(time.Hour), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range ms {
		if m.Type == "TokenReused" && m.Subject == id {
			all = append(all, m)
		}
	}
	return all
}

// noNotices is an outbox that takes no notice.
type noNotices struct{}

func (noNotices) Notify(context.Context, events.Message) error { return context.DeadlineExceeded }

// TestTheRefusalOfAReplacedSecretDoesNotDependOnItsNotice compares the bytes of both
// answers, without the request id.
func TestTheRefusalOfAReplacedSecretDoesNotDependOnItsNotice(t *testing.T) {
	w := newScene(t)
	made, old := w.make(httpapi.CreateRequest{User: named("ann")})
	tokentest.Rotate(t, w.store, w.keys, w.clock(), made.ID, 0)
	failing := guard.New(guard.Config{Views: w.store, Uses: w.store, Notices: noNotices{}, Keys: w.keys, Now: w.clock})
	var texts []string
	for _, h := range []http.Handler{w.handler(func(c *machine.Config) { c.Guard = failing }), w.handler(), w.handler()} {
		a := handle(h, request(t, "GET", collection, old)).expect(t, 401, guard.CodeReplaced)
		texts = append(texts, strings.ReplaceAll(string(a.body), a.header.Get("X-Request-Id"), ""))
	}
	if texts[0] != texts[1] || texts[1] != texts[2] || failing.Dropped() != (guard.Dropped{Notices: 1}) {
		t.Errorf("got %q with %+v dropped, want the same three answers and one dropped notice", texts, failing.Dropped())
	}
}

// TestADamagedUseRefusesNothing: the use of a token decides nothing.
func TestADamagedUseRefusesNothing(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	g := guard.New(guard.Config{Views: w.store, Uses: damagedUses{w.store}, Notices: w.store, Keys: w.keys, Now: w.clock})
	h := w.handler(func(c *machine.Config) {
		c.Guard, c.Source = g, func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.9") }
	})
	for range 2 {
		handle(h, request(t, "GET", collection+made.ID, text)).expect(t, 200, "")
	}
	if got := g.Dropped(); got != (guard.Dropped{Uses: 2}) {
		t.Errorf("dropped %+v, want both uses", got)
	}
}

// damagedUses are uses that cannot be decoded.
type damagedUses struct{ events.Uses }

func (damagedUses) Touch(context.Context, string, events.Use) error { return events.ErrDamaged }

// TestASecondRotationMakesTheOldestSecretUnknown: the view has no verifier of it any
// more, so nothing shows which token it belonged to.
func TestASecondRotationMakesTheOldestSecretUnknown(t *testing.T) {
	w := newScene(t)
	made, oldest := w.make(httpapi.CreateRequest{User: named("ann")})
	outgoing := tokentest.Rotate(t, w.store, w.keys, w.clock(), made.ID, time.Hour)
	tokentest.Rotate(t, w.store, w.keys, w.clock(), made.ID, time.Hour)
	w.sleep(time.Hour)
	w.do("GET", collection, oldest, "").expect(t, 401, guard.CodeInvalid)
	if got := w.reused(made.ID); len(got) != 0 {
		t.Errorf("got the notices %v, want none", got)
	}
	w.do("GET", collection, outgoing.Text().Reveal(), "").expect(t, 401, guard.CodeReplaced)
	if got := w.reused(made.ID); len(got) != 1 {
		t.Errorf("got the notices %v, want one", got)
	}
}
