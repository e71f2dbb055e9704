// Package guardtest has one table of questions with their verdicts. Every way to
// guard an API runs it: the authorizer, the local server, the introspection, and
// each proxy. So none of them can decide anything itself.
package guardtest

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// Answer is an answer of an adapter in the words of the verdict.
type Answer struct {
	Code    string // of the denial; "" if the request passes, and after a fault
	Fault   bool
	Owner   string // of a request that passes, if the adapter shows it
	TokenID string // the same
}

// Service is what an adapter asks: an issuer and its guard on a store that the suite
// breaks. Now is the time of the suite.
type Service struct {
	*issuer.Issuer
	Now func() time.Time
}

// Ask asks an adapter a question, and returns the answer. It returns false if the
// adapter cannot be asked this question: its clients have no way to send it.
type Ask func(t *testing.T, q guard.Question) (Answer, bool)

// Run asks an adapter each question of the table, and the guard itself too. adapt
// returns the adapter of a service. The adapter must be able to answer least
// questions, so that a broken test does not pass.
func Run(t *testing.T, store events.Store, least int, adapt func(*testing.T, Service) Ask) {
	w := newWorld(t, store)
	ask := adapt(t, w.Service)
	asked := 0
	for _, r := range w.rows() {
		w.broken.Store(r.broken)
		v := w.Guard().Judge(t.Context(), r.Question)
		if want := answerOf(v); want.Code != r.code || want.Fault != r.fault || v.Allowed() != (r.code == "" && !r.fault) {
			t.Errorf("%s: the guard gives %+v, want the code %q and the fault %t", r.name, v, r.code, r.fault)
		}
		got, ok := ask(t, r.Question)
		if !ok {
			continue
		}
		asked++
		want := answerOf(v)
		if got.Owner == "" && got.TokenID == "" {
			want.Owner, want.TokenID = "", "" // the adapter does not show them
		}
		if got != want {
			t.Errorf("%s: the adapter gives %+v, want the guard's %+v", r.name, got, want)
		}
	}
	if asked < least {
		t.Errorf("the adapter was asked %d questions, want at least %d", asked, least)
	}
}

func answerOf(v guard.Verdict) Answer {
	switch {
	case v.Fault != nil:
		return Answer{Fault: true}
	case v.Denial != nil:
		return Answer{Code: v.Denial.Code}
	}
	return Answer{Owner: v.Principal.Owner, TokenID: v.Principal.TokenID}
}

// The ways in which the suite breaks the store.
const (
	whole   int32 = iota
	down          // it does not answer
	changed       // something other than the service wrote the view
)

// world is a service with one token for each state.
type world struct {
	*testing.T
	Service
	events.Store
	broken atomic.Int32
	now    time.Time
}

func newWorld(t *testing.T, store events.Store) *world {
	t.Helper()
	w := &world{T: t, Store: store, now: time.Now().UTC()}
	now := func() time.Time { return w.now }
	w.Service = Service{issuer.New(issuer.Config{Store: w, Keys: storetest.Keys, Now: now}), now}
	return w
}

// Token breaks the reads of tokens.
func (w *world) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	v, u, err := w.Store.Token(ctx, id)
	switch w.broken.Load() {
	case down:
		return events.View{}, events.Use{}, errors.New("the store is down")
	case changed:
		v.Owner += "x"
	}
	return v, u, err
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(owner string, wish token.Wish) (id, text string) {
	w.Helper()
	made, shown, err := w.Create(w.Context(), guard.Principal{Owner: owner}, "", wish)
	w.must(err)
	return made.ID, shown.Reveal()
}

type row struct {
	name string
	guard.Question
	code   string // of the denial; "" if the request passes
	fault  bool
	broken int32
}

// Route is a call of the service itself, so that its own guard can be asked too. The
// other one is out of the scopes of the scoped token.
const (
	Route = "/v1/auth/access-tokens"
	Other = "/v1/settings"
)

func (w *world) rows() []row {
	inside, outside := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.1")
	_, expired := w.create("ann", token.Wish{ExpiresIn: time.Hour})
	w.now = w.now.Add(2 * time.Hour)
	ann := guard.Principal{Owner: "ann"}
	_, free := w.create("ann", token.Wish{})
	_, scoped := w.create("ann", token.Wish{Scopes: []string{"GET " + Route + "/*", "POST " + Route}})
	_, ranged := w.create("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	revokedID, revoked := w.create("bob", token.Wish{})
	w.must(w.Revoke(w.Context(), guard.Principal{Owner: "bob"}, revokedID))
	disabledID, disabled := w.create("bob", token.Wish{})
	off := false
	_, err := w.Update(w.Context(), guard.Principal{Owner: "bob"}, disabledID, token.Update{Enabled: &off})
	w.must(err)
	graceID, outgoing := w.create("ann", token.Wish{})
	grace, none := 24*time.Hour, time.Duration(0)
	_, _, err = w.Rotate(w.Context(), ann, graceID, nil, &grace)
	w.must(err)
	replacedID, replaced := w.create("carol", token.Wish{})
	_, _, err = w.Rotate(w.Context(), guard.Principal{Owner: "carol"}, replacedID, nil, &none)
	w.must(err)
	wrong := secret.Mint("").Text().Reveal()

	ask := func(shown, method, path string) guard.Question {
		return guard.Question{Authorization: []string{"Bearer " + shown}, Method: method, Path: path, Host: "api.example.org", Source: inside}
	}
	from := func(q guard.Question, source netip.Addr) guard.Question { q.Source = source; return q }
	with := func(values ...string) guard.Question {
		q := ask(free, "GET", Route)
		q.Authorization = values
		return q
	}
	return []row{
		{name: "a token without scopes", Question: ask(free, "GET", Route)},
		{name: "any method", Question: ask(free, "DELETE", Route+"/JhxND7ci")},
		{name: "in scope", Question: ask(scoped, "GET", Route)},
		{name: "in scope, below", Question: ask(scoped, "GET", Route+"/JhxND7ci")},
		{name: "HEAD is GET", Question: ask(scoped, "HEAD", Route)},
		{name: "another path", Question: ask(scoped, "GET", Other), code: guard.CodeOutOfScope},
		{name: "another method", Question: ask(scoped, "DELETE", Route+"/JhxND7ci"), code: guard.CodeOutOfScope},
		{name: "a folded path", Question: ask(scoped, "GET", Route+"/../settings"), code: guard.CodeOutOfScope},
		{name: "an encoded slash", Question: ask(scoped, "GET", Route+"/a%2Fb"), code: guard.CodeOutOfScope},
		{name: "an empty segment", Question: ask(scoped, "GET", Route+"//x"), code: guard.CodeOutOfScope},
		{name: "from its range", Question: ask(ranged, "GET", Route)},
		{name: "from elsewhere", Question: from(ask(ranged, "GET", Route), outside), code: guard.CodeWrongSource},
		{name: "from an unknown address", Question: from(ask(ranged, "GET", Route), netip.Addr{}), code: guard.CodeWrongSource},
		{name: "no range, unknown address", Question: from(ask(free, "GET", Route), netip.Addr{})},
		{name: "an outgoing secret in its grace", Question: ask(outgoing, "GET", Route)},
		{name: "a replaced secret", Question: ask(replaced, "GET", Route), code: guard.CodeReplaced},
		{name: "expired", Question: ask(expired, "GET", Route), code: guard.CodeExpired},
		{name: "revoked", Question: ask(revoked, "GET", Route), code: guard.CodeRevoked},
		{name: "disabled", Question: ask(disabled, "GET", Route), code: guard.CodeDisabled},
		{name: "unknown", Question: ask(wrong, "GET", Route), code: guard.CodeInvalid},
		{name: "no token", Question: with("Bearer hello"), code: guard.CodeMalformed},
		{name: "no credential", Question: with(), code: guard.CodeMissing},
		{name: "an empty header", Question: with(""), code: guard.CodeMissing},
		{name: "two credentials", Question: with("Bearer " + free + ", Bearer " + scoped), code: guard.CodeRepeated},
		{name: "another scheme", Question: with("Digest " + strings.Repeat("x", 41)), code: guard.CodeScheme},
		{name: "another accepted scheme", Question: with("Api-Token " + free)},
		{name: "the store is down", Question: ask(free, "GET", Route), fault: true, broken: down},
		{name: "the store is down, and the token was bad", Question: ask(revoked, "GET", Route), fault: true, broken: down},
		{name: "a damaged view", Question: ask(free, "GET", Route), fault: true, broken: changed},
	}
}
