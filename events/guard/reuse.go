package guard

import (
	"context"
	"sync"
	"time"

	"apitoken/events"
)

// publishReuse puts the notice TokenReused into the outbox: the outgoing secret of
// the view was shown at the time now, after the end of its grace. It takes at most
// 100 ms and continues when the request is cancelled. The outbox takes a notice
// once, and the guard sends it once, so the notice is published at most once for
// each token, rotation and day. A failure does not affect the answer: publishReuse
// counts it and drops the notice, and the next use of the secret sends it again.
func (g *Guard) publishReuse(ctx context.Context, v events.View, now time.Time) {
	m, err := events.NewNotice(events.Reused(v, now), now)
	if err == nil {
		if !g.sent.claim(m.ID) {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
		defer cancel()
		err = g.notices.Notify(ctx, m)
	}
	if err != nil {
		g.sent.release(m.ID)
		g.dropped.notices.Add(1)
		g.logDropped(ctx, "a notice about a reused secret was not stored", v.ID, err)
	}
}

// maxSent is the number of notices that a guard remembers, about 100 bytes each.
const maxSent = 4096

// sentNotices remembers the ids of notices that a guard sent or is sending, so that
// a program which goes on with an old secret costs no write for each request. It
// forgets all of them when there are maxSent. The outbox then refuses those that it
// has already.
type sentNotices struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// claim reports whether the caller shall send the notice: no other one did.
func (s *sentNotices) claim(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, sent := s.ids[id]; sent {
		return false
	}
	if s.ids == nil || len(s.ids) >= maxSent {
		s.ids = map[string]struct{}{}
	}
	s.ids[id] = struct{}{}
	return true
}

// release forgets a notice that could not be sent.
func (s *sentNotices) release(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}
