package lifetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// theft is what a thief has who stole one secret of a token that expires: this
// secret, and all secrets that commands with it, and with those, handed out for
// the owner. The thief uses only these, for any command about any user.
type theft struct {
	until time.Time // the end of the stolen token; zero: nothing is stolen
	known []shown
}

func (f theft) knows(h *held) bool {
	return slices.ContainsFunc(f.known, func(s shown) bool { return s.held == h })
}

// drop takes a token out of the loot, because the owner gave it another expiry with
// a token that the thief does not have.
func (f *theft) drop(h *held) {
	f.known = slices.DeleteFunc(f.known, func(s shown) bool { return s.held == h })
}

// The thief may also have stolen a session with a bound: then until is that bound, and
// the thief has no token at first.

// steal gives the thief one secret that passes, of a token that expires.
func (w *world) steal(t *rapid.T) {
	s := w.drawSecret(t, func(s shown) bool { return !s.outgoing() && !s.expires.IsZero() })
	if s != nil {
		for _, of := range w.sessions {
			of.thief = false
		}
		w.theft = theft{until: s.expires, known: []shown{*s}}
	}
}

// handOut gives the thief the current secret of a token, if the thief gave the
// command, and the token is one of the stolen token's owner.
func (w *world) handOut(by caller, h *held) {
	if by.thief && h.owner == by.Owner {
		w.theft.known = append(w.theft.known, shown{h, len(h.secrets) - 1})
	}
}

// attack lets the thief give some commands.
func (w *world) attack(t *rapid.T) {
	for range rapid.IntRange(1, 6).Draw(t, "attacks") {
		s := w.drawSecret(t, func(s shown) bool { return slices.Contains(w.theft.known, s) })
		of := w.drawSession(t, true)
		if of != nil && (s == nil || rapid.Bool().Draw(t, "with a session")) {
			w.seen["theft of a session"]++
			verbs := []func(*rapid.T, caller){w.drawCreate, w.drawCreate, w.drawUpdate, w.drawUpdate, w.drawRotate, w.drawRotate, w.drawSwitch}
			w.bySession(t, of, verbs[rapid.IntRange(0, len(verbs)-1).Draw(t, "verb")])
			continue
		}
		if s == nil {
			return
		}
		w.seen["theft"]++
		if rapid.IntRange(0, 5).Draw(t, "open a session") == 0 {
			w.by(t, s, w.openWith)
			continue
		}
		verbs := []func(*rapid.T, caller){w.drawCreate, w.drawCreate, w.drawUpdate, w.drawUpdate, w.drawRotate, w.drawRotate, w.drawSwitch, w.drawSettingsCommand, w.drawUserCommand}
		w.by(t, s, verbs[rapid.IntRange(0, len(verbs)-1).Draw(t, "verb")])
	}
}

// checkTheft: no secret that the thief has for the owner works later than the
// stolen one, and no session.
func (w *world) checkTheft(t *rapid.T) {
	for _, s := range w.sessions {
		if s.thief && (outlives(s.ends, w.theft.until) || outlives(s.makes, w.theft.until)) {
			t.Fatalf("what was stolen ended at %v, but the thief has the session %+v", w.theft.until, *s)
		}
	}
	for _, s := range w.theft.known {
		end := s.expires
		switch {
		case s.revoked || s.n < len(s.secrets)-2:
			continue
		case s.outgoing():
			end = s.outgoingUntil
		}
		if outlives(end, w.theft.until) {
			t.Fatalf("the stolen secret ended at %v, but the thief has a secret of token %s until %v", w.theft.until, s.id, end)
		}
		if w.now.Before(w.theft.until) {
			continue
		}
		if code, _, err := w.denial(t.Context(), s.secrets[s.n], here); err != nil || code == "" {
			t.Fatalf("the stolen secret ended at %v, but at %v a secret of token %s gets %q, %v", w.theft.until, w.now, s.id, code, err)
		}
	}
}
