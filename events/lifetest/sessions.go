package lifetest

import (
	"net/netip"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/scope"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// alias is the identity provider of the histories. Its groups give what their name says.
const alias = "corp"

var groups = []string{settings.ActionView, settings.ActionCreate, settings.ActionEdit}

// mapGroups lets each group give its action.
func (w *world) mapGroups(t *rapid.T, by guard.Principal) {
	for _, g := range groups {
		after, err := w.SetGroup(t.Context(), by, alias, g, []string{g})
		if err != nil {
			t.Fatal(err)
		}
		w.set.Groups = after.Groups
	}
}

// signedIn is the truth about a session.
type signedIn struct {
	id, owner, via string
	shown          secret.Token
	opened, ends   time.Time
	makes          time.Time // nothing that it makes may end later; zero: no bound
	permissions    []string
	scopes         []string
	ranges         []netip.Prefix

	from    *held // the token that opened it; nil: none
	secrets int   // the secrets of that token then
	closed  bool
	thief   bool // the thief has it, or opened it
}

// passes reports whether the session passes now.
func (w *world) passes(s *signedIn) bool { return !s.closed && w.now.Before(s.ends) }

// settle closes the sessions, in the truth, that what happened before has closed: their
// owner was suspended, or their token ended, is disabled, got another secret or may do
// less. Each command calls it before its own effect on the truth.
func (w *world) settle() {
	for _, s := range w.sessions {
		h := s.from
		switch {
		case !w.passes(s): // its time was over before
		case w.suspended[s.owner]:
			s.closed = true
		case h == nil:
		case !w.liveAt(h), h.disabled, len(h.secrets) != s.secrets, !scope.Within(s.scopes, h.scopes), !within(s.ranges, h.ranges),
			outlives(s.ends, h.expires), outlives(s.makes, h.expires):
			s.closed = true
		}
	}
}

// closeWhere closes sessions in the truth.
func (w *world) closeWhere(fits func(*signedIn) bool) {
	for _, s := range w.sessions {
		s.closed = s.closed || fits(s)
	}
}

// drawSession draws one of the sessions that pass, nil if there is none.
func (w *world) drawSession(t *rapid.T, thief bool) *signedIn {
	w.settle()
	var all []*signedIn
	for _, s := range w.sessions {
		if w.passes(s) && s.thief == thief && within(prefixes("10.1.2.3/32"), s.ranges) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "session")]
}

// signIn opens a session of a user: of a person, of a program with a JWT, or with a
// token.
func (w *world) signIn(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "sign-ins") {
		if s := w.honest(t); s != nil && rapid.Bool().Draw(t, "with a token") {
			w.by(t, s, w.openWith)
			continue
		}
		in := issuer.SignIn{
			Owner: rapid.SampledFrom(users).Draw(t, "owner"), Alias: alias, Issuer: "https://id.example.com", Subject: "x", Address: here,
			Via:    rapid.SampledFrom([]string{guard.ViaOIDC, guard.ViaPassword, guard.ViaExchange, guard.ViaExchange}).Draw(t, "via"),
			Groups: rapid.SliceOfNDistinct(rapid.SampledFrom(groups), 0, 2, rapid.ID).Draw(t, "groups"),
		}
		if in.Via == guard.ViaExchange {
			in.Until = w.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "hours")) * time.Hour)
		}
		w.settle()
		opened, text, err := w.OpenSession(t.Context(), in)
		if code := w.refused(t, "sign in", err); code != "" {
			if suspended := code == token.CodeUserSuspended; suspended != w.suspended[in.Owner] || !suspended && code != session.CodeSignInRate {
				t.Fatalf("a sign-in of %s, suspended %v, got %s", in.Owner, w.suspended[in.Owner], code)
			}
			continue
		}
		s := w.opens(t, opened, text)
		s.permissions = opened.Permissions
		if got := slices.Sorted(slices.Values(in.Groups)); !slices.Equal(slices.Sorted(slices.Values(s.permissions)), got) {
			t.Fatalf("a session of the groups %v has the permissions %v", got, s.permissions)
		}
		if in.Via == guard.ViaExchange {
			s.makes = s.ends
		}
		w.checkOpened(t, s, opened, in.Until)
	}
	if rapid.Bool().Draw(t, "use a session") {
		w.useSession(t) // later its time may be over
	}
}

// openWith opens a session with the token of the caller.
func (w *world) openWith(t *rapid.T, by caller) {
	h := w.find(by.TokenID)
	opened, text, err := w.OpenSessionWith(t.Context(), by.Principal, rapid.Bool().Draw(t, "at the page"))
	if code := w.refused(t, "open a session", err); code != "" {
		if denied := by.Credential == guard.CredentialOutgoing; denied != (code == token.CodeDeniedByCredential) || !denied && code != session.CodeSignInRate {
			t.Fatalf("a session with %+v got %s", by, code)
		}
		return
	}
	if by.Credential != guard.CredentialCurrent {
		t.Fatalf("an outgoing secret of token %s opened a session", by.TokenID)
	}
	s := w.opens(t, opened, text)
	s.from, s.secrets, s.makes, s.scopes, s.ranges, s.thief = h, len(h.secrets), h.expires, h.scopes, h.ranges, by.thief
	w.checkOpened(t, s, opened, h.expires)
}

// isPerson reports whether a person signs in this way.
func isPerson(via string) bool { return via == guard.ViaOIDC || via == guard.ViaPassword }

// opens adds a session to the truth. With 20 others that are live, the oldest ends, first
// of those that tokens and JWTs opened.
func (w *world) opens(t *rapid.T, opened issuer.Token, text secret.Secret) *signedIn {
	var live []*signedIn
	for _, s := range w.sessions {
		if s.owner == opened.Owner && w.passes(s) {
			live = append(live, s)
		}
	}
	slices.SortStableFunc(live, func(a, b *signedIn) int {
		switch {
		case isPerson(a.via) == isPerson(b.via):
			return 0
		case isPerson(b.via):
			return -1
		}
		return 1
	})
	for n := range max(0, len(live)-session.MaxSessions+1) {
		live[n].closed = true
		w.seen["replaced"]++
	}
	s := &signedIn{id: opened.ID, owner: opened.Owner, via: opened.Via, shown: parsed(t, text), opened: w.now, ends: opened.ExpiresAt}
	w.sessions = append(w.sessions, s)
	return s
}

// checkOpened checks the answer of a sign-in. until is the latest end, zero for none.
func (w *world) checkOpened(t *rapid.T, s *signedIn, opened issuer.Token, until time.Time) {
	want := w.now.Add(session.MaxLife)
	if !until.IsZero() && until.Before(want) {
		want = until
	}
	if w.suspended[s.owner] || !s.ends.Equal(want) || !opened.MakesUntil.Equal(s.makes) || opened.Kind != events.KindSession {
		t.Fatalf("a sign-in got %+v, want that it ends at %v and makes until %v", opened, want, s.makes)
	}
}

// useSession lets a session give commands, or end.
func (w *world) useSession(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "commands") {
		s := w.drawSession(t, false)
		if s == nil {
			return
		}
		verbs := []func(*rapid.T, caller){w.drawCreate, w.drawCreate, w.drawUpdate, w.drawRotate, w.drawSwitch, w.drawRevoke, w.signOut, w.signOut}
		w.bySession(t, s, verbs[rapid.IntRange(0, len(verbs)-1).Draw(t, "verb")])
	}
}

// bySession authenticates a session as a call does, and gives a command.
func (w *world) bySession(t *rapid.T, s *signedIn, verb func(*rapid.T, caller)) {
	p, err := w.Guard().Check(t.Context(), s.shown, here)
	if err != nil || p.Owner != s.owner || p.Kind != guard.KindSession || p.Via != s.via || !p.MakesUntil.Equal(s.makes) || !p.ExpiresAt.Equal(s.ends) {
		t.Fatalf("session %s: got %+v, %v, want that it passes; the truth is %+v", s.id, p, err, *s)
	}
	w.seen["a call of a session"]++
	w.fault = rapid.SampledFrom([]storetest.Fault{storetest.None, storetest.None, storetest.None, storetest.Unapplied, storetest.Unanswered}).Draw(t, "fault")
	verb(t, caller{Principal: p, thief: s.thief})
	w.fault = storetest.None
}

// signOut ends the session of the caller.
func (w *world) signOut(t *rapid.T, by caller) {
	if code := w.refused(t, "sign out", w.Revoke(t.Context(), by.Principal, by.TokenID)); code != "" {
		t.Fatalf("the sign-out of session %s got %s", by.TokenID, code)
	}
	w.closeWhere(func(s *signedIn) bool { return s.id == by.TokenID })
}

// stealSession gives the thief a session with a bound: a JWT was stolen.
func (w *world) stealSession(t *rapid.T) {
	s := w.drawSession(t, false)
	if s == nil || s.makes.IsZero() {
		return
	}
	for _, other := range w.sessions {
		other.thief = false
	}
	s.thief = true
	w.theft = theft{until: s.makes}
}

// checkSessions compares the guard with the truth for every session that was ever
// opened, and the log, the heads and the views of the sessions with each other.
func (w *world) checkSessions(t *rapid.T) {
	w.settle()
	for _, s := range w.sessions {
		code, _, err := w.denial(t.Context(), s.shown, here)
		want := w.passes(s) && within(prefixes("10.1.2.3/32"), s.ranges)
		if err != nil || (code == "") != want {
			t.Fatalf("session %s of %s: got %q, %v, want that it passes: %v; the truth is %+v, its token %+v", s.id, s.owner, code, err, want, *s, s.from)
		}
	}
	for _, user := range users {
		w.checkSessionLog(t, user)
	}
}

func (w *world) checkSessionLog(t *rapid.T, owner string) {
	stream := events.SessionStream(owner)
	rs, err := w.store.History(t.Context(), stream, 0, 10_000)
	if err == nil {
		err = events.Verify(events.Hash{}, rs)
	}
	if err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	var folded session.State
	ends := map[string]int{}
	for _, r := range rs {
		fact, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if c, closed := fact.(events.SessionClosed); closed {
			ends[c.TokenID]++
		}
		w.seen[r.Type]++
		folded = session.Fold(folded, fact, r.At)
	}
	head, err := w.store.Head(t.Context(), stream)
	if err == nil {
		err = head.Check(storetest.Keys, stream)
	}
	if err != nil {
		t.Fatal(err)
	}
	state, err := session.DecodeState(head.StateV, head.State)
	if err != nil || !reflect.DeepEqual(state, folded) || state.Suspended != w.suspended[owner] {
		t.Fatalf("stream %s: the log folds to\n%+v\nthe head has\n%+v, %v, and suspended is %v", stream, folded, state, err, w.suspended[owner])
	}
	live := 0
	for _, s := range w.sessions {
		if s.owner != owner {
			continue
		}
		if n := ends[s.id]; n > 1 || s.closed && n != 1 || w.passes(s) && n != 0 {
			t.Fatalf("session %s has %d ends in the log; the truth is %+v", s.id, ends[s.id], *s)
		}
		if w.passes(s) {
			live++
		}
	}
	if state.Live(w.now) != live || live > session.MaxSessions {
		t.Fatalf("%s has %d live sessions in its head, in truth %d", owner, state.Live(w.now), live)
	}
}

// life is the latest end that the caller may give to a token of its owner, zero for
// none: the end of the acting token, or the bound of a session.
func (c caller) life() time.Time {
	if c.Kind == guard.KindSession {
		return c.MakesUntil
	}
	return c.ExpiresAt
}

// parent is the token that makes what the caller makes, empty for none.
func (c caller) parent() string {
	if c.Kind == guard.KindSession {
		return c.From
	}
	return c.TokenID
}

// may reports whether the caller holds an action, by a grant or by its session.
func (w *world) may(by caller, action string) bool {
	return w.holds(by.Owner, action) || slices.Contains(by.Permissions, action)
}
