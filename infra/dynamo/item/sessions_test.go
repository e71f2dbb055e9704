package item_test

import (
	"context"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/session"
	"apitoken/events/storetest"
	"apitoken/infra/bolt/bolttest"
	"apitoken/infra/dynamo/item"
)

// countingStore counts the heads that are read, and keeps the items of the last commit.
type countingStore struct {
	events.Store
	heads []events.Stream
	last  []item.Item
}

func (s *countingStore) Head(ctx context.Context, stream events.Stream) (events.Head, error) {
	s.heads = append(s.heads, stream)
	return s.Store.Head(ctx, stream)
}

func (s *countingStore) Commit(ctx context.Context, c events.Commit) error {
	s.last = nil
	for _, r := range c.Records() {
		it, err := item.Record(r)
		if err != nil {
			return err
		}
		s.last = append(s.last, it)
	}
	head, err := item.Head(c.Stream(), c.Head())
	if err != nil {
		return err
	}
	s.last = append(s.last, head)
	for _, v := range append(c.Effect().Minted, c.Effect().Changed...) {
		s.last = append(s.last, item.View(v))
	}
	return s.Store.Commit(ctx, c)
}

// TestSessionsMakeNoCreateMoreExpensive: the fifth token of a user with 20 sessions takes
// the write units of the fifth token of a user without, and reads the same heads. Also
// if one of the sessions makes it.
func TestSessionsMakeNoCreateMoreExpensive(t *testing.T) {
	s := &countingStore{Store: bolttest.Open(t)}
	i := issuer.New(issuer.Config{Store: s, Keys: storetest.Keys})
	fifth := func(owner string, by guard.Principal) (units int, reads []events.Stream) {
		t.Helper()
		for range 5 {
			s.heads = nil
			if _, _, err := i.Create(t.Context(), by, owner, typicalWish); err != nil {
				t.Fatal(err)
			}
		}
		return item.TransactionUnits(s.last...), s.heads
	}
	without, reads := fifth("user-one", guard.Principal{Owner: "user-one", TokenID: "JhxND7ci"})
	var by guard.Principal
	for range session.MaxSessions {
		opened, _, err := i.OpenSession(t.Context(), issuer.SignIn{Owner: "user-two", Via: guard.ViaPassword})
		if err != nil {
			t.Fatal(err)
		}
		by = guard.Principal{Owner: "user-two", TokenID: opened.ID, Kind: guard.KindSession, Via: guard.ViaPassword, ExpiresAt: opened.ExpiresAt}
	}
	with, more := fifth("user-two", by)
	t.Logf("the fifth token takes %d write units without sessions, %d with 20 sessions", without, with)
	if with != without || len(more) != len(reads) {
		t.Errorf("with 20 sessions a create takes %d write units and reads %v, without it takes %d and reads %v", with, more, without, reads)
	}
	if _, _, err := i.OpenSession(t.Context(), issuer.SignIn{Owner: "user-two", Via: guard.ViaPassword}); err != nil {
		t.Fatal(err)
	}
	if units := item.TransactionUnits(s.last...); units > 40 {
		t.Errorf("a sign-in that replaces a session takes %d write units, want at most 40", units)
	} else {
		t.Logf("a sign-in that replaces a session takes %d write units", units)
	}
}

// TestASessionIsInIndexesOfItsOwn: no partition of the index by month or by expiry has
// both, and in the partition of an owner all sessions are after all tokens.
func TestASessionIsInIndexesOfItsOwn(t *testing.T) {
	token := view
	token.Ended, token.ExpiresAt = "", later
	session := asSession(token)
	session.Ended = ""
	of, as := item.View(token), item.View(session)
	for _, key := range []string{item.ListPK, item.DuePK} {
		if item.TextOf(of, key) == "" || item.TextOf(of, key) == item.TextOf(as, key) {
			t.Errorf("%s: the token is in %q, the session in %q", key, item.TextOf(of, key), item.TextOf(as, key))
		}
	}
	for kind, want := range map[string]item.Item{"": of, events.KindSession: as} {
		first, last := item.ListRange(kind, events.Position{})
		for of, it := range map[string]item.Item{"token": of, "session": as} {
			place := item.TextOf(it, item.ListSK)
			if inside := first <= place && place <= last; inside != (item.TextOf(it, item.ListPK) == item.TextOf(want, item.ListPK)) {
				t.Errorf("a list of the kind %q, from %q to %q, has the %s at %q: %v", kind, first, last, of, place, inside)
			}
		}
		at := events.Position{At: token.CreatedAt, ID: token.ID}
		if first, _ := item.ListRange(kind, at); first <= item.PositionSK(kind, at) || first >= item.PositionSK(kind, events.Position{At: at.At, ID: at.ID[:7] + "z"}) {
			t.Errorf("a list of the kind %q after %v begins at %q", kind, at, first)
		}
		got, err := item.ReadPosition(want)
		if err != nil || got != token.Position() {
			t.Errorf("the position of the kind %q: got %v, %v", kind, got, err)
		}
	}
}
