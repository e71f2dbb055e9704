package attack

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
)

const (
	annSessions = events.Stream("session/ann")
	bobSessions = events.Stream("session/bob")

	alias = "corp" // of the identity provider
)

// openSessions opens sessions of all kinds: one has the limits of the token that opened
// it, one has permissions from a group, one makes nothing that outlives it, one was
// closed, and one is expired. Each has its earlier states in past.
func (s *scene) openSessions() {
	s.Helper()
	s.change(settings.MapGroup{Alias: alias, Group: "viewers", Actions: []string{settings.ActionView}})
	s.restart()
	s.openWith("from a token", s.token("full"))
	s.signIn("signed in", issuer.SignIn{Owner: "ann", Via: guard.ViaOIDC, Alias: alias, Groups: []string{"viewers"}}).permissions = []string{settings.ActionView}
	s.signIn("exchanged", issuer.SignIn{Owner: "ann", Via: guard.ViaExchange, Until: s.now.Add(time.Hour)})
	s.signIn("closed", issuer.SignIn{Owner: "bob", Via: guard.ViaOIDC, Alias: alias, Groups: []string{"viewers"}}).permissions = []string{settings.ActionView}
	s.signIn("open", issuer.SignIn{Owner: "bob", Via: guard.ViaOIDC})
	s.signIn("over", issuer.SignIn{Owner: "ann", Via: guard.ViaPassword, Until: s.now.Add(time.Minute)})
	s.advance(5 * time.Minute)
	s.mustRevoke(s.token("closed"))
	s.copies = copies{}
	s.collect()
	s.remember()
}

func (s *scene) signIn(name string, in issuer.SignIn) *held {
	s.Helper()
	return s.holdSession(name, func() (issuer.Token, secret.Secret, error) { return s.issuer.OpenSession(s.Context(), in) })
}

func (s *scene) openWith(name string, h *held) {
	s.Helper()
	s.holdSession(name, func() (issuer.Token, secret.Secret, error) {
		shown, err := secret.Parse(h.text)
		if err != nil {
			return issuer.Token{}, secret.Secret{}, err
		}
		by, err := s.issuer.Guard().Check(s.Context(), shown, netip.MustParseAddr(inRange))
		if err != nil {
			return issuer.Token{}, secret.Secret{}, err
		}
		return s.issuer.OpenSessionWith(s.Context(), by, false)
	})
	opened := s.token(name)
	opened.scopes, opened.ranges = h.scopes, h.ranges
}

// holdSession adds the session to the truth.
func (s *scene) holdSession(name string, open func() (issuer.Token, secret.Secret, error)) *held {
	s.Helper()
	h := &held{name: name}
	s.do(func() error {
		made, text, err := open()
		h.id, h.owner, h.expires, h.text = made.ID, made.Owner, made.ExpiresAt, text.Reveal()
		return err
	})
	s.opened = append(s.opened, h)
	return h
}

// storesWithSessions is stores with sessions in the scene.
func storesWithSessions(t *testing.T, run func(*testing.T, *scene)) {
	stores(t, func(t *testing.T, s *scene) {
		s.openSessions()
		run(t, s)
	})
}

// TestAChangedMemberOfASessionIsAFault changes each member of views of all kinds.
func TestAChangedMemberOfASessionIsAFault(t *testing.T) {
	for _, name := range []string{"from a token", "signed in", "exchanged", "closed", "over"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storesWithSessions(t, func(t *testing.T, s *scene) { s.changeEachMember(s.token(name)) })
		})
	}
}

// TestAChangedHeadOfSessionsIsAFault changes each member of the head.
func TestAChangedHeadOfSessionsIsAFault(t *testing.T) {
	storesWithSessions(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		p := s.victim.head(annSessions)
		for _, c := range s.changes(genuine, p) {
			after := "after a head of sessions " + c.String()
			if s.harmless(genuine, p, c) || !s.victim.put(s, p, genuine[p].with(c)) {
				continue
			}
			s.restart()
			s.expectSessionHeadFaults(after)
			s.expectNoGain(after, s.opened...)
			s.repairAndRevoke(s.token("signed in"), after, genuine, p)
		}
		s.expectTruth("after the repairs")
	})
}

// expectSessionHeadFaults expects that no call decides from the head of ann's sessions or
// shows it.
func (s *scene) expectSessionHeadFaults(after string) {
	s.Helper()
	if _, _, err := s.issuer.OpenSession(s.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaOIDC}); !errors.Is(err, events.ErrDamaged) {
		s.Errorf("%s: a sign-in: got %v, want ErrDamaged", after, err)
	}
	s.expectDamage(s.askRevoke(s.token("signed in")), after, "the end of a session")
	s.expectDamage(s.call(s.admin, "GET", collection+"?kind=session&user=ann", inRange, ""), after, "a list")
	s.expectDamage(s.call(s.admin, "GET", "/v1/users/ann/events?kind=session", inRange, ""), after, "a history")
}

// TestAChangedRecordOfSessionsIsAFault changes each member of the first and the last
// record.
func TestAChangedRecordOfSessionsIsAFault(t *testing.T) {
	storesWithSessions(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		history := func() answer {
			return s.call(s.admin, "GET", "/v1/users/ann/events?kind=session&limit=1000", inRange, "")
		}
		want := history()
		for _, seq := range []uint64{1, uint64(len(s.copies[annSessions]))} {
			p := s.victim.record(annSessions, seq)
			for _, c := range s.changes(genuine, p) {
				after := fmt.Sprintf("after record %d of ann's sessions %s", seq, c)
				if !s.victim.put(s, p, genuine[p].with(c)) {
					continue
				}
				s.restart()
				got := history()
				if same := got.status == http.StatusOK && string(got.body) == string(want.body); !got.fault() && !(same && s.harmless(genuine, p, c)) {
					t.Errorf("%s: a history: got %s, want a fault", after, got)
				}
				s.expectNoGain(after, s.opened...)
				s.repairAndRevoke(s.token("signed in"), after, genuine, p)
			}
		}
		s.expectTruth("after the repairs")
	})
}

// movedSessions are the attacks with whole items that the next call finds.
var movedSessions = []attack{
	{name: "a session with more permissions in place of another one", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.viewOf("exchanged"), all[s.viewOf("signed in")])
		},
		check: func(s *scene, after string) { s.expectFaults(s.token("exchanged"), after) }},
	{name: "a live session in place of a closed one", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("closed"), all[s.viewOf("open")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("closed"), after) }},
	{name: "a session in place of a token", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.viewOf("scoped"), all[s.viewOf("signed in")])
		},
		check: func(s *scene, after string) { s.expectFaults(s.token("scoped"), after) }},
	{name: "a token without an end in place of a session", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("over"), all[s.viewOf("plain")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("over"), after) }},
	{name: "a head of another user's sessions", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.head(annSessions), all[s.victim.head(bobSessions)])
		},
		check: (*scene).expectMovedHead},
	{name: "a head of the user's tokens for that of the sessions", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.head(annSessions), all[s.victim.head(ann)])
		},
		check: (*scene).expectMovedHead},
	{name: "a head of the sessions for that of the user's tokens", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.victim.head(ann), all[s.victim.head(annSessions)])
		},
		check: func(s *scene, after string) {
			s.expectHeadFaults(ann, after)
			s.expectNoGain(after, s.opened...)
		}},
	{name: "a removed head of sessions", repair: restored,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.victim.head(annSessions), nil) },
		check: (*scene).expectRemovedHead},
}

func (s *scene) expectMovedHead(after string) {
	s.Helper()
	s.expectSessionHeadFaults(after)
	s.expectNoGain(after, s.opened...)
}

// expectRemovedHead expects that no sign-in begins the stream again.
func (s *scene) expectRemovedHead(after string) {
	s.Helper()
	if _, _, err := s.issuer.OpenSession(s.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaOIDC}); !errors.Is(err, events.ErrDamaged) {
		s.Errorf("%s: a sign-in: got %v, want ErrDamaged", after, err)
	}
	s.expectNoGain(after, s.opened...)
}

func TestMovedSessionsAreFaults(t *testing.T) {
	storesWithSessions(t, func(t *testing.T, s *scene) { s.tryAll(movedSessions) })
}

// olderSessions are the attacks that only a comparison finds. A session that was put back
// passes again, until it ends once more.
var olderSessions = []attack{
	{name: "the view before the end of a session put back", repair: revokedAgain("closed"), found: audit.RolledBack, compared: bobSessions,
		do: putOlderBack(func(s *scene) place { return s.viewOf("closed") }),
		check: func(s *scene, after string) {
			s.expectPasses(after, "closed")
			s.expectNoGain(after, s.token("open"))
		}},
	{name: "a removed view of a session", repair: restored, found: audit.MissingView, compared: annSessions,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.viewOf("signed in"), nil) },
		check: func(s *scene, after string) { gone(s, "signed in", after) }},
	{name: "a removed view of a closed session", repair: restored, found: audit.MissingView, compared: bobSessions,
		do:    func(s *scene, _ map[place]item) []place { return s.put(s.viewOf("closed"), nil) },
		check: func(s *scene, after string) { gone(s, "closed", after) }},
	{name: "a removed last record of sessions", repair: restored, found: audit.RolledBack, compared: annSessions,
		do: func(s *scene, _ map[place]item) []place {
			return s.put(s.victim.record(annSessions, uint64(len(s.copies[annSessions]))), nil)
		},
		check: func(s *scene, after string) { s.expectTruth(after) }},
}

func TestOlderSessionsAreFoundByAComparison(t *testing.T) {
	storesWithSessions(t, func(t *testing.T, s *scene) { s.tryAll(olderSessions) })
}
