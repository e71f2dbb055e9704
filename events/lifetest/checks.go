package lifetest

import (
	"context"
	"net/netip"
	"reflect"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/audit/compare"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// check checks after each step what must always hold.
func (w *world) check(t *rapid.T) {
	w.checkSecrets(t)
	w.checkSessions(t)
	w.checkTheft(t)
	for _, user := range users {
		w.checkLog(t, user)
	}
	w.checkSettings(t)
	w.remember()
}

// checkSecrets compares the guard with the truth, for every secret that was ever
// handed out. So nothing revives a revoked token, and a disabled token, a token
// of a suspended owner and an older secret do not pass from the next call on.
func (w *world) checkSecrets(t *rapid.T) {
	for _, h := range w.tokens {
		for n, shown := range h.secrets {
			for _, from := range []netip.Addr{here, elsewhere}[:1+min(1, len(h.ranges))] {
				want := w.verdict(h, n, from)
				got, _, err := w.denial(t.Context(), shown, from)
				if err != nil || got != want {
					t.Fatalf("secret %d of %d of token %s of %s: got %q, %v, want %q; the truth is %+v", n+1, len(h.secrets), h.id, h.owner, got, err, want, *h)
				}
				w.seen[got]++
			}
		}
	}
}

// followed is a stream as far as it was read.
type followed struct {
	last  events.Hash
	seq   uint64
	state token.State
}

// checkLog reads the new records of an owner, folds them, and compares the result
// with the head and with the views.
func (w *world) checkLog(t *rapid.T, owner string) {
	stream := events.UserStream(owner)
	f := w.logs[stream]
	if f == nil {
		f = &followed{}
		w.logs[stream] = f
	}
	rs, err := w.store.History(t.Context(), stream, f.seq, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Verify(f.last, rs); err != nil {
		t.Fatalf("stream %s: %v", stream, err)
	}
	changed := len(rs) > 0 || f.seq == 0
	for _, r := range rs {
		fact, err := events.Decode(r)
		if err == nil {
			err = r.Message().CheckMAC(storetest.Keys)
		}
		if err != nil {
			t.Fatalf("record %s: %v", r.ID(), err)
		}
		w.seen[r.Type]++
		w.checkExpiredOnce(t, r)
		f.state, f.last, f.seq = token.Fold(f.state, fact, r.At), r.Hash, r.Seq
	}
	head, err := w.store.Head(t.Context(), stream)
	if err == nil {
		err = head.Check(storetest.Keys, stream)
	}
	if err != nil || head.Version != f.seq {
		t.Fatalf("stream %s: the head has version %d, %v, and the last record is %d", stream, head.Version, err, f.seq)
	}
	state, err := token.DecodeState(head.StateV, head.State)
	if err != nil || !reflect.DeepEqual(state, f.state) {
		t.Fatalf("stream %s: the log folds to\n%+v\nthe head has\n%+v, %v", stream, f.state, state, err)
	}
	if changed {
		w.checkViews(t, owner, f.state)
	}
}

// checkViews compares the views of an owner with the state, and the state with
// the truth.
func (w *world) checkViews(t *rapid.T, owner string, s token.State) {
	unended := 0
	for _, h := range w.tokens {
		if h.owner != owner {
			continue
		}
		v, _, err := w.store.Token(t.Context(), h.id)
		if err == nil {
			err = v.Check(storetest.Keys)
		}
		if err != nil {
			t.Fatalf("the view of token %s: %v", h.id, err)
		}
		v.Seal = events.Verifier{} // a state has no seals of views
		folded, found := s.Find(h.id)
		switch {
		case found && !reflect.DeepEqual(folded, v):
			t.Fatalf("token %s: the log folds to\n%+v\nthe view is\n%+v", h.id, folded, v)
		case !found && v.Ended == "":
			t.Fatalf("token %s has ended in the log, but its view is %+v", h.id, v)
		case found && (h.revoked || !v.ExpiresAt.Equal(h.expires) || v.Disabled != h.disabled || !v.OutgoingUntil.Equal(h.outgoingUntil)):
			t.Fatalf("token %s: the log has\n%+v\nthe truth is\n%+v", h.id, v, *h)
		case !found && h.revoked != (v.Ended == events.EndedRevoked):
			t.Fatalf("token %s: revoked is %v, but its view is %+v", h.id, h.revoked, v)
		}
		if found {
			unended++
		}
	}
	if unended != len(s.Tokens) || s.Suspended != w.suspended[owner] || s.Live(w.now) != w.live(owner) {
		t.Fatalf("%s has the state %+v; in truth %d tokens are live, and suspended is %v", owner, s, w.live(owner), w.suspended[owner])
	}
}

func (w *world) checkSettings(t *rapid.T) {
	head, err := w.store.Head(t.Context(), events.SettingsStream)
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.DecodeState(head.StateV, head.State)
	if err != nil {
		t.Fatal(err)
	}
	want := w.set
	want.Version, want.Holders = s.Version, w.holders
	if !reflect.DeepEqual(s, want) {
		t.Fatalf("the settings are\n%+v\nwant\n%+v", s, want)
	}
}

// logged gives a comparison the log itself as the copies.
type logged struct{ store events.Store }

// Copy implements audit.Reader.
func (l logged) Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	rs, err := l.store.History(ctx, s, after, limit)
	ms := make([]events.Message, len(rs))
	for i, r := range rs {
		ms[i] = r.Message()
	}
	return ms, err
}

// compareAll compares every stream as the daily comparison does.
func (w *world) compareAll(t *rapid.T) {
	c := compare.Comparison{Store: w.store, Copies: logged{w.store}, Keys: storetest.Keys, Now: w.clock}
	for _, user := range users {
		for _, stream := range []events.Stream{events.UserStream(user), events.SessionStream(user)} {
			r, err := c.Stream(t.Context(), stream)
			if err != nil || len(r.Findings) > 0 {
				t.Fatalf("comparing the stream %s: got %+v, %v", stream, r.Findings, err)
			}
		}
	}
}

// within reports whether each range is in one of the others; no ranges are all
// addresses.
func within(ranges, others []netip.Prefix) bool {
	if len(others) == 0 {
		return true
	}
	for _, r := range ranges {
		inside := false
		for _, o := range others {
			inside = inside || o.Bits() <= r.Bits() && o.Contains(r.Addr())
		}
		if !inside {
			return false
		}
	}
	return len(ranges) > 0
}
