package bolt

import (
	"errors"
	"slices"
	"testing"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// dueIDs returns the ids of all tokens in the due bucket.
func dueIDs(t *testing.T, s *Store) (ids []string, err error) {
	t.Helper()
	err = s.Expiring(t.Context(), "", time.Time{}, indexNow.AddDate(1000, 0, 0), func(es []events.Expiring) error {
		for _, e := range es {
			ids = append(ids, e.TokenID)
		}
		return nil
	})
	return ids, err
}

// TestAMalformedExpiryHidesNoOther: more of them than a page come first.
func TestAMalformedExpiryHidesNoOther(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: plantedID, Owner: "ann", CreatedAt: indexNow, ExpiresAt: indexNow.Add(time.Hour)}))
	put(t, s, func(tx *bbolt.Tx) error {
		for n := range events.ExpiringPage + 1 {
			key := appendPosition(nil, events.Position{At: indexNow.Add(time.Duration(n) * time.Microsecond), ID: "x"})
			if err := tx.Bucket(dueBucket).Put(key, []byte{0, 7}); err != nil { // without an owner
				return err
			}
		}
		return tx.Bucket(dueBucket).Put(appendTime(nil, indexNow), dueValue("ann", 0)) // without an id
	})
	ids, err := dueIDs(t, s)
	if !slices.Equal(ids, []string{plantedID}) || !errors.Is(err, events.ErrDamaged) {
		t.Errorf("got %v, %v, want token %s and ErrDamaged", ids, err, plantedID)
	}
}

// TestADamagedViewCanBeReplaced: nothing says which entry it had, so the entry may
// stay. The commit is written.
func TestADamagedViewCanBeReplaced(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	v := events.View{ID: plantedID, Owner: "ann", CreatedAt: indexNow, ExpiresAt: indexNow.Add(time.Hour)}
	first := newCommit(t, "ann", events.Head{}, v)
	commit(t, s, first)
	put(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(tokenBucket).Put([]byte(plantedID), []byte{0, 0xff}) })
	if err := s.NoteWarning(t.Context(), plantedID, 1, 7); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("a note about a damaged view: got %v, want ErrDamaged", err)
	}
	c := newCommit(t, "ann", first.Head())
	items, err := itemsOf(c)
	if err != nil {
		t.Fatal(err)
	}
	e := &encoder{items: items}
	v.Ended, v.EndedAt = events.EndedExpired, v.ExpiresAt
	e.putViews([]events.View{v})
	put(t, s, func(tx *bbolt.Tx) error { return putAll(tx, e.items) })
	if back, _, err := s.Token(t.Context(), plantedID); err != nil || back.Ended != events.EndedExpired {
		t.Errorf("got %+v, %v, want the new view", back, err)
	}
}
