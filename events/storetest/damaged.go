package storetest

import (
	"errors"
	"testing"

	"apitoken/events"
)

// damagedRecordIsReturned spoils the second of three records.
func damagedRecordIsReturned(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	for range 3 {
		x.write(events.Effect{})
	}
	all := x.history(10)
	defer putBack(t, a, a.RecordKey(x.stream(), 2))()
	a.Spoil(t, a.RecordKey(x.stream(), 2))
	rs, err := x.History(x.ctx, x.stream(), 0, 10)
	equal(x, "the records before one that cannot be decoded", rs, all[:1])
	d, ok := errors.AsType[*events.DamagedRecord](err)
	if !ok || d.Stream != x.stream() || d.Seq != 2 || !errors.Is(err, events.ErrDamaged) {
		t.Errorf("History with a record that cannot be decoded: got the error %v, want a DamagedRecord of %s/2", err, x.stream())
	}
	rs, err = x.History(x.ctx, x.stream(), 2, 10)
	if err != nil {
		t.Errorf("History after the record that cannot be decoded: %v", err)
	}
	equal(x, "the records after one that cannot be decoded", rs, all[2:])
}

// damagedUseIsLeftOut spoils the use of one of two tokens.
func damagedUseIsLeftOut(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	damaged, sound, use := x.plain(x.now), x.plain(x.now), events.Use{At: x.now, Address: "192.0.2.7"}
	x.mint(damaged, sound)
	x.touch(damaged.ID, use)
	x.touch(sound.ID, use)
	x.token(sound.ID)
	a.SpoilUse(t, damaged.ID)
	eventually(x, "the number of uses beside one that cannot be decoded", 1, func() int {
		uses, err := x.LastUses(x.ctx, []string{damaged.ID, sound.ID})
		if !errors.Is(err, events.ErrDamaged) {
			t.Errorf("LastUses with a use that cannot be decoded: got the error %v, want %v", err, events.ErrDamaged)
		}
		if len(uses) == 1 {
			equal(x, "the other use", uses[sound.ID], use)
		}
		return len(uses)
	})
	q := events.Query{Owners: []string{x.owner}, Now: x.now, Limit: 10}
	eventually(x, "the number of listed tokens with a use that cannot be decoded", 2, func() int { return len(x.list(q, x.owner)) })
}

// damagedUseRefusesNothing spoils the use of a token. The token is still read, and
// the next Touch says that its use was not stored.
func damagedUseRefusesNothing(t testing.TB, s events.Store) {
	x, a := newScene(t, s), AttackerOf(t, s)
	v := x.plain(x.now)
	x.mint(v)
	x.touch(v.ID, events.Use{At: x.now, Address: "192.0.2.7"})
	x.token(v.ID)
	a.SpoilUse(t, v.ID)
	for range 2 {
		read, use, err := x.Token(x.ctx, v.ID)
		if err != nil {
			t.Fatalf("Token with a use that cannot be decoded: %v", err)
		}
		equal(x, "the token", x.unsealed(read), v)
		equal(x, "the use", use, events.Use{})
		if err := x.Touch(x.ctx, v.ID, events.Use{At: x.now.Add(events.TouchEvery)}); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("Touch of a use that cannot be decoded: got %v, want %v", err, events.ErrDamaged)
		}
		x.write(events.Effect{}) // all earlier writes are done when this one is
	}
}
