package attack

import (
	"net/http"
	"reflect"
)

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

// rewritten forgets the attacks on items that the service has written since.
func (p *process) rewritten() {
	p.Helper()
	for at, d := range p.attacked {
		if !reflect.DeepEqual(p.victim.item(p, at), d.after) {
			delete(p.attacked, at)
		}
	}
	p.restart()
}

// repairAll is the documented repair of all attacks: damaged, planted and removed
// items are restored, and a token with an older view is revoked again. After it a
// token can be made and revoked.
func (p *process) repairAll() {
	p.Helper()
	p.rewritten()
	var older []*held
	for _, at := range sorted(p.attacked) {
		d := p.attacked[at]
		if h := p.putBack(at); h != nil {
			older = append(older, h)
			continue
		}
		p.victim.put(p, at, d.genuine)
		delete(p.attacked, at)
	}
	p.restart()
	for _, h := range older {
		// The older view is a live one, or the one of an earlier revocation.
		if a := p.askRevoke(h); a.status != http.StatusOK && a.status != http.StatusNotFound {
			p.Errorf("revoking the token %s, which was put back: got %s, want 200 or 404", h.name, a)
		}
		p.expectEnded(h)
	}
	p.rewritten()
	for at, d := range p.attacked { // a token that expired after its older state needs no revocation
		p.victim.put(p, at, d.genuine)
		delete(p.attacked, at)
	}
	p.restart()
	p.makeAndRevoke()
}

// putBack returns the revoked token or session at a place with an older view, nil at other
// places.
func (p *process) putBack(at place) *held {
	for _, h := range p.all() {
		if states, _ := p.allowed(h); at == p.victim.view(h.id) && h.revoked && len(states) > 1 {
			return h
		}
	}
	return nil
}

func (p *process) makeAndRevoke() {
	p.Helper()
	h := p.create(wish{Owner: "carl"})
	p.expectVerdict(h, probes(h.owner)[0])
	p.mustRevoke(h)
	p.expectVerdict(h, probes(h.owner)[0])
}
