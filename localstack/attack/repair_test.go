package attack

import "net/http"

// restore puts the genuine items back, as an operator does from a backup.
func (s *scene) restore(genuine map[place]item, damaged ...place) {
	s.Helper()
	for _, p := range damaged {
		s.victim.put(s, p, genuine[p])
	}
	s.restart()
}

// repairAndRevoke restores the damaged items. The token can then be revoked, and
// is refused. After this the store is as before the attack.
func (s *scene) repairAndRevoke(h *held, after string, genuine map[place]item, damaged ...place) {
	s.Helper()
	s.restore(genuine, damaged...)
	s.expectRevocable(h, after)
	reset(s, s.victim, genuine)
	s.restart()
}

// expectRevocable expects that the token can be revoked, and is refused after it.
// A token that was revoked before is not found.
func (s *scene) expectRevocable(h *held, after string) {
	s.Helper()
	want := http.StatusOK
	if h.revoked {
		want = http.StatusNotFound
	}
	if a := s.askRevoke(h); a.status != want {
		s.Errorf("%s and its repair: revoking the token %s: got %s, want %d", after, h.name, a, want)
	}
	if a := s.call(h, "GET", whoAmI, inRange, ""); a.status != http.StatusUnauthorized {
		s.Errorf("%s and its repair: the revoked token %s: got %s, want 401", after, h.name, a)
	}
}
