package attack

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
)

const sue = events.Stream("user/sue")

// changeLives changes tokens in every way: "rotated" has an outgoing secret that passes,
// the one of "replaced" is past its grace, "disabled" is disabled, and the owner of
// "suspended" is suspended. Each has its earlier states in past.
func (s *scene) changeLives() {
	s.Helper()
	s.rotate("rotated", 24*time.Hour)
	grace := time.Minute
	if s.remote != nil {
		grace = time.Second
	}
	s.rotate("replaced", grace)
	s.do(func() error {
		_, err := s.issuer.Update(s.Context(), s.caller(), s.token("disabled").id, token.Update{Enabled: new(false)})
		return err
	})
	s.token("disabled").off = true
	s.do(func() error { return errorOf(s.issuer.Suspend(s.Context(), s.caller(), "sue", "lost a laptop")) })
	s.token("suspended").off = true
	for _, key := range []string{"the first request", "the second request"} {
		s.do(func() error {
			made, err := s.once(key)
			s.held = append(s.held, &held{name: key, id: made.ID, text: made.Text.Reveal(), owner: "carl"})
			return err
		})
	}
	s.notify()
}

// caller is the administrator.
func (s *scene) caller() guard.Principal {
	return guard.Principal{Owner: "admin", TokenID: s.admin.id}
}

// do runs a command and remembers the items after it.
func (s *scene) do(command func() error) {
	s.Helper()
	if err := command(); err != nil {
		s.Fatal(err)
	}
	s.remember()
}

func (s *scene) rotate(name string, grace time.Duration) {
	s.Helper()
	h := s.token(name)
	s.do(func() error {
		_, text, err := s.issuer.Rotate(s.Context(), s.caller(), h.id, nil, &grace)
		h.old, h.oldUntil, h.text = h.text, s.now.Add(grace), text.Reveal()
		return err
	})
}

// once makes a token for carl with a key. A repeat gets the same answer.
func (s *scene) once(key string) (issuer.Minted, error) {
	return s.issuer.CreateOnce(s.Context(), s.caller(), issuer.RequestKey{Route: "create", Value: key}, "carl", token.Wish{Name: key})
}

// notify puts one notice of each kind, and keeps the places of their items.
func (s *scene) notify() {
	s.Helper()
	before := s.victim.items(s)
	s.restart()
	for _, n := range []events.Notice{
		events.TokenExpiring{TokenID: s.token("full").id, Owner: "ann", Days: 1},
		events.TokenReused{TokenID: s.token("replaced").id, Owner: "evan", Day: "2026-11-21"},
	} {
		s.do(func() error {
			m, err := events.NewNotice(n, s.now)
			if err != nil {
				return err
			}
			return s.store.Notify(s.Context(), m)
		})
	}
	for p := range s.past {
		if _, known := before[p]; !known {
			s.notices = append(s.notices, p)
		}
	}
}

// secrets returns the token with its current secret, and with its outgoing one.
func (h *held) secrets() []*held {
	if h.old == "" {
		return []*held{h}
	}
	outgoing := *h
	outgoing.name, outgoing.text, outgoing.expires = h.name+", outgoing", h.old, h.oldUntil
	return []*held{h, &outgoing}
}

// olderLives are the attacks that put back the view before a rotation, before the
// disabling and before the suspension. Only a comparison finds them.
var olderLives = []attack{
	{name: "the view before a rotation put back", repair: revokedAgain("replaced"), found: audit.RolledBack, compared: "user/evan",
		do: putOlderBack(func(s *scene) place { return s.viewOf("replaced") }),
		check: func(s *scene, after string) {
			h := s.token("replaced")
			s.expectStatus(after, &held{name: "replaced", text: h.text}, http.StatusUnauthorized)
			s.expectStatus(after, &held{name: "replaced, outgoing", text: h.old}, http.StatusOK)
			s.expectOthers(after, h)
		}},
	{name: "the view before the disabling put back", repair: revokedAgain("disabled"), found: audit.RolledBack, compared: bob,
		do:    putOlderBack(func(s *scene) place { return s.viewOf("disabled") }),
		check: func(s *scene, after string) { s.expectPasses(after, "disabled") }},
	{name: "the view before the suspension put back", repair: revokedAgain("suspended"), found: audit.RolledBack, compared: sue,
		do:    putOlderBack(func(s *scene) place { return s.viewOf("suspended") }),
		check: func(s *scene, after string) { s.expectPasses(after, "suspended") }},
}

func TestOlderLivesAreFoundByAComparison(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) { s.tryAll(olderLives) })
}

func (s *scene) expectPasses(after, name string) {
	s.Helper()
	s.expectStatus(after, s.token(name), http.StatusOK)
	s.expectOthers(after, s.token(name))
}

func (s *scene) expectStatus(after string, h *held, want int) {
	s.Helper()
	if a := s.call(h, "GET", whoAmI, inRange, ""); a.status != want {
		s.Errorf("%s: the token %s: got %s, want %d", after, h.name, a, want)
	}
}

// expectOthers expects that all other tokens are answered as the truth says.
func (s *scene) expectOthers(after string, but *held) {
	s.Helper()
	for _, h := range s.held {
		if h != but {
			s.expectStatus(after, h, s.want(h, probes(h.owner)[0]))
		}
	}
}

// movedLives are the attacks with whole items of changed tokens, which the next
// call finds.
var movedLives = []attack{
	{name: "a view with an outgoing secret for another token of the owner", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("full"), all[s.viewOf("rotated")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("full"), after) }},
	{name: "a live view in place of a suspended one", repair: restored,
		do: func(s *scene, all map[place]item) []place {
			return s.put(s.viewOf("suspended"), all[s.viewOf("plain")])
		},
		check: func(s *scene, after string) { s.expectFaults(s.token("suspended"), after) }},
	{name: "a live view in place of a disabled one", repair: restored,
		do:    func(s *scene, all map[place]item) []place { return s.put(s.viewOf("disabled"), all[s.viewOf("other")]) },
		check: func(s *scene, after string) { s.expectFaults(s.token("disabled"), after) }},
	{name: "a head of another user for a suspended one", repair: restored,
		do: func(s *scene, all map[place]item) []place { return s.put(s.victim.head(sue), all[s.victim.head(bob)]) },
		check: func(s *scene, after string) {
			s.expectDamage(s.askCreate(wish{Owner: "sue"}), after, "a create for the suspended user")
			if err := errorOf(s.issuer.Reinstate(s.Context(), s.caller(), "sue", "")); !errors.Is(err, events.ErrDamaged) {
				s.Errorf("%s: reinstating: got %v, want ErrDamaged", after, err)
			}
			s.expectTruth(after)
		}},
}

func TestMovedLivesAreFaults(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) { s.tryAll(movedLives) })
}

// TestAChangedHeadOfASuspendedUserIsAFault changes each member of the head.
func TestAChangedHeadOfASuspendedUserIsAFault(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		p := s.victim.head(sue)
		for _, c := range s.changes(genuine, p) {
			after := "after a head of a suspended user " + c.String()
			if s.harmless(genuine, p, c) || !s.victim.put(s, p, genuine[p].with(c)) {
				continue
			}
			s.restart()
			s.expectDamage(s.askCreate(wish{Owner: "sue"}), after, "a create")
			s.expectDamage(s.askRevoke(s.token("suspended")), after, "a revoke")
			if err := errorOf(s.issuer.Reinstate(s.Context(), s.caller(), "sue", "")); !errors.Is(err, events.ErrDamaged) {
				t.Errorf("%s: reinstating: got %v, want ErrDamaged", after, err)
			}
			s.expectNoGain(after, s.token("suspended"))
			s.repairAndRevoke(s.token("plain"), after, genuine, p)
		}
		s.expectTruth("after the repairs")
	})
}

// errorOf returns the error of a call, which is its last result.
func errorOf(results ...any) error {
	err, _ := results[len(results)-1].(error)
	return err
}
