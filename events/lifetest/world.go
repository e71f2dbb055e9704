package lifetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// users are the owners of tokens. At the start, boss holds every permission, clerk
// and guard have some, and the others have none.
var users = []string{"ann", "boss", "bob", "clerk", "guard"}

// world is a service on one store, a clock, and the truth: what the answers of the
// commands say about each token. The truth comes from requests and answers only,
// and never from the store.
type world struct {
	*issuer.Issuer
	store  events.Store
	faulty *storetest.Faulty // the store with faults
	op     storetest.Op
	fault  storetest.Fault // of the next op
	now    time.Time

	tokens    []*held
	sessions  []*signedIn
	suspended map[string]bool
	limits    map[string]int // of owners who have a limit of their own
	holders   map[string][]string
	set       settings.State // limits and durations; not the holders
	replies   map[string]reply
	theft     theft

	warned  map[warning]bool
	expired map[string]bool // tokens whose expiry is in the log

	logs map[events.Stream]*followed
	seen map[string]int // commands, refusals and denials in all histories
}

// held is the truth about a token.
type held struct {
	id, owner string
	creator   string
	madeWith  string // the token of the same owner that made it
	name      string
	created   time.Time
	expires   time.Time // zero: never
	scopes    []string
	ranges    []netip.Prefix
	disabled  bool
	revoked   bool

	secrets       []secret.Token // all that were handed out; the last one is the current one
	outgoingUntil time.Time
	selfRotated   time.Time

	used time.Time  // as stored; zero: never
	past []snapshot // in the order of time
}

// reply is the answer that a caller got for a key.
type reply struct {
	request string
	text    string
	at      time.Time
}

// newWorld makes a service with an administrator, and one token of each user.
func newWorld(t *rapid.T, store events.Store, seen map[string]int) *world {
	w := &world{
		store: store, now: start, set: settings.Initial(), suspended: map[string]bool{}, limits: map[string]int{},
		holders: map[string][]string{}, replies: map[string]reply{},
		warned: map[warning]bool{}, expired: map[string]bool{}, op: storetest.OpCommit, logs: map[events.Stream]*followed{}, seen: seen,
	}
	w.faulty = storetest.NewFaulty(store, w.plan)
	w.Issuer = issuer.New(issuer.Config{Store: w.faulty, Keys: storetest.Keys, Now: w.clock})
	made, text, err := w.Bootstrap(t.Context(), "boss", false)
	if err != nil {
		t.Fatal(err)
	}
	w.holders["boss"] = settings.Actions()
	w.hold(t, made, text)
	boss := w.principal(t, w.tokens[0])
	w.mapGroups(t, boss)
	w.grant(t, boss, "clerk", []string{settings.ActionView, settings.ActionCreate, settings.ActionEdit})
	w.grant(t, boss, "guard", []string{settings.ActionView, settings.ActionEdit, settings.ActionDelete})
	for _, user := range users {
		w.create(t, boss, user, token.Wish{}, "")
	}
	return w
}

// plan lets the next op fail once.
func (w *world) plan(op storetest.Op) storetest.Fault {
	if op != w.op {
		return storetest.None
	}
	f := w.fault
	w.fault = storetest.None
	return f
}

// hold adds a new token to the truth.
func (w *world) hold(t *rapid.T, made issuer.Token, text secret.Secret) *held {
	h := &held{
		id: made.ID, owner: made.Owner, creator: made.Creator, name: made.Name, created: w.now, expires: made.ExpiresAt,
		scopes: made.Scopes, ranges: made.SourceIPs,
		secrets: []secret.Token{parsed(t, text)},
	}
	w.tokens = append(w.tokens, h)
	return h
}

func parsed(t *rapid.T, text secret.Secret) secret.Token {
	shown, err := secret.Parse(text.Reveal())
	if err != nil {
		t.Fatalf("reading a returned token: %v", err)
	}
	return shown
}

func (w *world) clock() time.Time { return w.now }

func (h *held) current() secret.Token { return h.secrets[len(h.secrets)-1] }

func (w *world) find(id string) *held {
	n := slices.IndexFunc(w.tokens, func(h *held) bool { return h.id == id })
	if n < 0 {
		return nil
	}
	return w.tokens[n]
}

func (w *world) liveAt(h *held) bool {
	return !h.revoked && (h.expires.IsZero() || w.now.Before(h.expires))
}

// live counts the live tokens of an owner.
func (w *world) live(owner string) (n int) {
	for _, h := range w.tokens {
		if h.owner == owner && w.liveAt(h) {
			n++
		}
	}
	return n
}

// limitOf is the limit that is in force for an owner.
func (w *world) limitOf(owner string) int {
	if n, own := w.limits[owner]; own {
		return n
	}
	return w.set.TokenLimit
}

// verdict is what the guard must say about a secret of a token from an address:
// the code of a denial, empty if the secret passes.
func (w *world) verdict(h *held, n int, from netip.Addr) string {
	outgoing := n == len(h.secrets)-2
	switch {
	case n < len(h.secrets)-2:
		return guard.CodeInvalid
	case h.revoked:
		return guard.CodeRevoked
	case !w.liveAt(h):
		return guard.CodeExpired
	case outgoing && !w.now.Before(h.outgoingUntil):
		return guard.CodeReplaced
	case w.suspended[h.owner]:
		return guard.CodeSuspended
	case h.disabled:
		return guard.CodeDisabled
	case len(h.ranges) > 0 && !slices.ContainsFunc(h.ranges, func(p netip.Prefix) bool { return p.Contains(from) }):
		return guard.CodeWrongSource
	}
	return ""
}

// denial asks the guard about a secret. It stores no use.
func (w *world) denial(ctx context.Context, shown secret.Token, from netip.Addr) (string, guard.Principal, error) {
	i, err := w.Guard().Inspect(ctx, shown, from)
	if err != nil {
		return "", guard.Principal{}, err
	}
	if i.Denial != nil {
		return i.Denial.Code, i.Principal(), nil
	}
	return "", i.Principal(), nil
}

// principal returns the caller that shows the current secret of a token, which
// must pass.
func (w *world) principal(t *rapid.T, h *held) guard.Principal {
	code, p, err := w.denial(t.Context(), h.current(), here)
	if err != nil || code != "" {
		t.Fatalf("the current secret of token %s: got %q, %v, want that it passes", h.id, code, err)
	}
	return p
}

// refused returns the code of a refusal, and fails the test for a fault. The command has
// no effect on the truth yet, and all earlier ones have: so it settles them.
func (w *world) refused(t *rapid.T, verb string, err error) string {
	w.settle()
	if err == nil {
		w.seen[verb]++
		return ""
	}
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok {
		t.Fatalf("%s: got the fault %v, want an answer", verb, err)
	}
	w.seen[r.Code]++
	return r.Code
}

// errorOf returns the error of a call. The suites do not need its other result.
func errorOf[T any](_ T, err error) error { return err }

func (w *world) holds(user, action string) bool { return slices.Contains(w.holders[user], action) }
