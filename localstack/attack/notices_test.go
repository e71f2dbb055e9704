package attack

import (
	"fmt"
	"math"
	"testing"

	"apitoken/events"
)

// TestAChangedNoticeHidesNoEvent changes each member of each notice, removes it, and
// puts one in place of another. A notice has no MAC, and nothing decides from it.
// The events of all streams stay in the outbox as they are.
func TestAChangedNoticeHidesNoEvent(t *testing.T) {
	stores(t, func(t *testing.T, s *scene) {
		genuine := s.remember()
		want := s.pendingEvents("before the attacks")
		if len(want) == 0 || len(s.notices) < 2 {
			t.Fatalf("the scene has %d events and %d items of notices, want both", len(want), len(s.notices))
		}
		for n, p := range s.notices {
			another := genuine[s.notices[(n+1)%len(s.notices)]]
			changed := []item{nil, another, {}}
			for _, c := range changesOf(genuine[p], nil, []item{another}) {
				changed = append(changed, genuine[p].with(c))
			}
			for _, i := range changed {
				if !s.victim.put(s, p, i) {
					continue
				}
				s.restart()
				after := fmt.Sprintf("after the notice at %q %q became %v", p.space, p.key, i)
				pending := s.pendingEvents(after)
				for id, hash := range want {
					if got := pending[id]; got != hash {
						t.Errorf("%s: the outbox has event %s with the hash %s, want %s", after, id, got, hash)
						break
					}
				}
				s.expectNoGain(after, s.token("full"), s.token("replaced"))
				s.restore(genuine, p)
			}
		}
		s.expectTruth("after the repairs")
	})
}

// pendingEvents returns the hash of each event in the outbox. Pending may also have
// an error, which names what it left out.
func (s *scene) pendingEvents(after string) map[string]events.Hash {
	s.Helper()
	if s.victim.service(s) != s.store {
		s.restart()
	}
	ms, err := s.store.Pending(s.Context(), s.now.Add(year), math.MaxInt32)
	if err != nil && len(ms) == 0 {
		s.Errorf("%s: the outbox has no message: %v", after, err)
	}
	all := map[string]events.Hash{}
	for _, m := range ms {
		if m.Stream != "" {
			all[m.ID] = m.Hash
		}
	}
	return all
}
