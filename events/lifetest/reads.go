package lifetest

import (
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/scope"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// listed are the states that a caller may list.
var listed = []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}

// snapshot is the truth about a token since an instant.
type snapshot struct {
	at time.Time
	held
	suspended bool // the owner
}

// remember adds the truth of now to the past of each token. Of several commands at
// one instant the last one decides.
func (w *world) remember() {
	for _, h := range w.tokens {
		now := snapshot{w.now, *h, w.suspended[h.owner]}
		now.past = nil
		if n := len(h.past); n > 0 && h.past[n-1].at.Equal(w.now) {
			h.past = h.past[:n-1]
		}
		h.past = append(h.past, now)
	}
}

// then returns the truth about a token at an instant since its creation.
func (h *held) then(at time.Time) snapshot {
	n := len(h.past) - 1
	for n > 0 && h.past[n].at.After(at) {
		n--
	}
	return h.past[n]
}

// stateAt is the state at an instant, if nothing changed between the snapshot and
// the instant.
func (s snapshot) stateAt(at time.Time) events.TokenState {
	switch {
	case s.revoked:
		return events.StateRevoked
	case !s.expires.IsZero() && !at.Before(s.expires):
		return events.StateExpired
	case s.disabled || s.suspended:
		return events.StateDisabled
	}
	return events.StateActive
}

func (w *world) drawRead(t *rapid.T, by caller) {
	w.remember() // an earlier command of this step is a part of the past too
	switch rapid.SampledFrom([]string{"the past", "the past", "a list", "a list", "all events"}).Draw(t, "read") {
	case "the past":
		w.readPast(t, by)
	case "a list":
		w.list(t, by, w.drawFilter(t))
	case "all events":
		w.readAll(t, by, rapid.IntRange(1, 100).Draw(t, "limit"))
	}
}

// readAll compares the events of all users and of the settings with the logs.
func (w *world) readAll(t *rapid.T, by caller, limit int) {
	got := map[events.Stream][]events.Message{}
	for after, more := events.Place(""), true; more; {
		page, err := w.AllEvents(t.Context(), by.Principal, after, limit)
		code, want := w.refused(t, "all events", err), ""
		if !w.holds(by.Owner, settings.ActionView) {
			want = token.CodePermissionDenied
		}
		if code != want || len(page.Damaged) > 0 {
			t.Fatalf("all events for %s: got %q and the damaged %q, want %q", by.Owner, code, page.Damaged, want)
		}
		if code != "" {
			return
		}
		for _, m := range page.Events {
			got[m.Stream] = append(got[m.Stream], m)
		}
		after, more = page.Next, page.More
	}
	streams := []events.Stream{events.SettingsStream}
	for _, user := range users {
		streams = append(streams, events.UserStream(user), events.SessionStream(user))
	}
	for _, s := range streams {
		log, err := w.store.History(t.Context(), s, 0, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		kept := []events.Message{}
		for _, r := range log {
			if !r.Gone(w.now) {
				kept = append(kept, r.Message())
			}
		}
		if len(got[s]) != len(kept) || len(kept) > 0 && !reflect.DeepEqual(got[s], kept) {
			t.Fatalf("stream %s: all events have %d, the log has %d", s, len(got[s]), len(kept))
		}
	}
}

// awaitUses waits until the store shows the last use of each token: a use may be
// written after its call. It returns false if this machine was too busy to store all.
func (w *world) awaitUses(t *rapid.T) bool {
	ids := make([]string, len(w.tokens))
	for n, h := range w.tokens {
		ids[n] = h.id
	}
	for range 5000 {
		if w.Guard().Dropped().Uses > 0 {
			return false
		}
		uses, err := w.store.LastUses(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(w.tokens, func(h *held) bool { return !uses[h.id].At.Equal(h.used) }) {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("the store does not show the last use of each token")
	return false
}

// mayView: every caller may view its own tokens, also one with an outgoing secret.
func (w *world) mayView(by caller, owner string) bool {
	return owner == by.Owner || w.holds(by.Owner, settings.ActionView)
}

// readPast compares a token with the truth of an earlier instant, often of one at
// which something changed.
func (w *world) readPast(t *rapid.T, by caller) {
	h := w.drawToken(t, by)
	at := h.past[rapid.IntRange(0, len(h.past)-1).Draw(t, "snapshot")].at
	at = at.Add(rapid.SampledFrom([]time.Duration{0, 0, -time.Microsecond, time.Microsecond, time.Hour}).Draw(t, "later"))
	got, err := w.GetAt(t.Context(), by.Principal, h.id, at)
	code := w.refused(t, "get the past", err)
	want := ""
	switch {
	case at.After(w.now):
		want = token.CodeInstantInFuture
	case !w.mayView(by, h.owner) || at.Before(h.created):
		want = token.CodeNotFound
	}
	if code != want {
		t.Fatalf("token %s at %v for %s: got %q, want %q", h.id, at, by.Owner, code, want)
	}
	if code == "" {
		checkPast(t, got, h.then(at), at)
	}
}

func checkPast(t *rapid.T, got issuer.Token, want snapshot, at time.Time) {
	var outgoing time.Time
	state := want.stateAt(at)
	if live := state == events.StateActive || state == events.StateDisabled; live && at.Before(want.outgoingUntil) {
		outgoing = want.outgoingUntil
	}
	switch {
	case got.State != state || got.Owner != want.owner || got.Creator != want.creator || got.Name != want.name,
		!got.CreatedAt.Equal(want.created) || !got.ExpiresAt.Equal(want.expires) || !got.PreviousSecretUntil.Equal(outgoing),
		!scope.Within(got.Scopes, want.scopes) || !scope.Within(want.scopes, got.Scopes),
		!within(got.SourceIPs, want.ranges) || !within(want.ranges, got.SourceIPs):
		t.Fatalf("token %s at %v: got\n%+v\nthe truth was\n%+v", want.id, at, got, want)
	}
}

// drawFilter draws what to list. A list reads pages of a few tokens.
func (w *world) drawFilter(t *rapid.T) issuer.ListQuery {
	q := issuer.ListQuery{Limit: rapid.IntRange(1, 20).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "some owners") {
		q.Owners = rapid.SliceOfNDistinct(rapid.SampledFrom(users), 1, len(users), rapid.ID).Draw(t, "owners")
	}
	q.States = rapid.SliceOfNDistinct(rapid.SampledFrom(listed), 0, 4, rapid.ID).Draw(t, "states")
	if rapid.Bool().Draw(t, "a creator") {
		q.Filter.Creators = []string{rapid.SampledFrom(users).Draw(t, "creator")}
	}
	if rapid.IntRange(0, 3).Draw(t, "expires before") == 0 {
		q.Filter.ExpiresBefore = new(w.now.Add(time.Duration(rapid.IntRange(-48, 48).Draw(t, "hours")) * time.Hour))
	}
	if rapid.IntRange(0, 3).Draw(t, "an expiry") == 0 {
		q.Filter.NeverExpires = new(rapid.Bool().Draw(t, "never"))
	}
	if rapid.IntRange(0, 3).Draw(t, "unused since") == 0 && w.awaitUses(t) {
		q.Filter.UnusedSince = new(w.now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "quarters")) * 15 * time.Minute))
	}
	return q
}

// list reads all pages of a list and compares them with the truth.
func (w *world) list(t *rapid.T, by caller, q issuer.ListQuery) {
	var want, got []string
	for _, h := range w.tokens {
		if w.mayView(by, h.owner) && w.selects(q, h) {
			want = append(want, h.id)
		}
	}
	asked := q
	for {
		page, err := w.List(t.Context(), by.Principal, q)
		if w.refused(t, "list", err) != "" {
			t.Fatalf("a list of %+v was refused: %v", asked, err)
		}
		for _, listed := range page.Tokens {
			got = append(got, listed.ID)
			if h := w.find(listed.ID); h == nil || listed.State != h.then(w.now).stateAt(w.now) {
				t.Fatalf("a list has %+v, the truth is %+v", listed, h)
			}
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%s lists %+v at %v: got %v, want %v", by.Owner, asked, w.now, got, want)
	}
}

// selects reports whether a list has a token.
func (w *world) selects(q issuer.ListQuery, h *held) bool {
	f, states, used := q.Filter, q.States, h.used
	if len(states) == 0 {
		states = listed[:2]
	}
	if used.IsZero() {
		used = h.created
	}
	switch {
	case len(q.Owners) > 0 && !slices.Contains(q.Owners, h.owner), !slices.Contains(states, h.then(w.now).stateAt(w.now)),
		len(f.Creators) > 0 && !slices.Contains(f.Creators, h.creator),
		f.ExpiresBefore != nil && (h.expires.IsZero() || !h.expires.Before(*f.ExpiresBefore)),
		f.NeverExpires != nil && *f.NeverExpires != h.expires.IsZero(),
		f.UnusedSince != nil && !used.Before(*f.UnusedSince):
		return false
	}
	return true
}
