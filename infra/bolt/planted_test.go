package bolt

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

const plantedID = "JhxND7ci"

// plantedKeys are keys that this program does not write. Some begin as the keys of
// the stream and of the owner ann.
func plantedKeys() map[string][]byte {
	stream, owner := appendName(nil, "user/ann"), appendName(nil, "ann")
	early := appendTime(nil, indexNow)
	keys := map[string][]byte{
		"a stream":                    stream,
		"a stream and a short number": append(bytes.Clone(stream), 0, 0, 0),
		"a stream and a long number":  append(bytes.Clone(stream), 0, 0, 0, 0, 0, 0, 0, 9, 9),
		"an owner":                    owner,
		"an owner and a short time":   append(bytes.Clone(owner), 0xff),
		"a length without a name":     {0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1},
		"a time":                      early,
		"a time and a kind":           append(bytes.Clone(early), recordKind),
		"a time and no notice":        append(bytes.Clone(early), noticeKind),
		"a short record":              append(bytes.Clone(early), recordKind, 0),
		"a record without its stream": append(append(bytes.Clone(early), recordKind), bytes.Repeat([]byte{0xff}, 12)...),
		"an unknown kind":             append(bytes.Clone(early), "xabcdefghijklmnop"...),
		"a token":                     []byte(plantedID),
		"the head of ann":             []byte("user/ann"),
		"record 1 of ann":             recordKey("user/ann", 1),
		"record 2 of ann":             recordKey("user/ann", 2),
	}
	for _, n := range []int{1, 7, 8, 9, 12} {
		for what, b := range map[string]byte{"low": 0, "low time": 0x7f, "high": 0xff} {
			keys[strings.Repeat("|", n)+" "+what] = bytes.Repeat([]byte{b}, n)
		}
	}
	return keys
}

var plantedValues = map[string][]byte{
	"empty": {}, "zero": {0}, "high": {0xff}, "a length too long": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	"a map that is cut short": {0xa1, 0x01}, "an empty map": {0xa0}, "text": []byte("garbage"), "a use without a view": {1, 0xa0},
}

// TestNoPlantedItemMakesTheStorePanic plants each key with each value in each
// bucket. Then it calls every method of the store.
func TestNoPlantedItemMakesTheStorePanic(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	view := events.View{ID: plantedID, Owner: "ann", CreatedAt: indexNow.Add(-time.Hour)}
	c := newCommit(t, "ann", events.Head{}, view)
	commit(t, s, c)
	for _, bucket := range dataBuckets {
		for what, key := range plantedKeys() {
			for named, value := range plantedValues {
				planted(t, s, bucket, key, value, func() {
					defer func() {
						if p := recover(); p != nil {
							t.Errorf("%s: the key %s with the value %s: panic: %v", bucket, what, named, p)
						}
					}()
					callAll(t.Context(), s, c)
				})
			}
		}
	}
}

// planted writes an item, calls f, and writes all buckets as they were.
func planted(t *testing.T, s *Store, bucket, key, value []byte, f func()) {
	t.Helper()
	var before []item
	put(t, s, func(tx *bbolt.Tx) error {
		for _, name := range dataBuckets {
			err := tx.Bucket(name).ForEach(func(k, v []byte) error {
				before = append(before, item{name, bytes.Clone(k), bytes.Clone(v)})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return tx.Bucket(bucket).Put(key, value)
	})
	f()
	put(t, s, func(tx *bbolt.Tx) error {
		for _, name := range dataBuckets {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		for _, i := range before {
			if err := tx.Bucket(i.bucket).Put(i.key, i.value); err != nil {
				return err
			}
		}
		return nil
	})
}

// callAll calls every method of the store. Their errors do not matter here.
func callAll(ctx context.Context, s *Store, c events.Commit) {
	for _, st := range []events.Stream{"user/ann", "user/eve", ""} {
		s.Head(ctx, st)
		s.History(ctx, st, 0, 10)
		ns, _ := s.Newer(ctx, st, 0, 10)
		for _, n := range ns {
			s.Remove(ctx, st, 0, n)
		}
	}
	for _, owners := range [][]string{nil, {"ann"}, {"eve", ""}} {
		s.Tokens(ctx, events.Query{Owners: owners, Now: indexNow, Limit: 10})
	}
	s.Token(ctx, plantedID)
	s.TokenIDs(ctx, func(id string) error {
		s.Token(ctx, id)
		s.LastUses(ctx, []string{id})
		return s.Touch(ctx, id, events.Use{At: indexNow})
	})
	s.Ready(ctx) // the uses are written
	s.Expiring(ctx, "", time.Time{}, indexNow.AddDate(1000, 0, 0), func(es []events.Expiring) error {
		for _, e := range es {
			s.NoteWarning(ctx, e.TokenID, 1, 7)
		}
		return nil
	})
	s.NoteWarning(ctx, plantedID, 0, 7)
	s.Reply(ctx, plantedID)
	ms, _ := s.Pending(ctx, time.Now().Add(time.Hour), 100)
	for _, m := range ms {
		s.Sent(ctx, m.ID)
	}
	s.Sent(ctx, plantedID, "user/ann/1", "user/ann/2", "x/y/z")
	s.Notify(ctx, events.Message{ID: plantedID, Time: indexNow})
	s.Commit(ctx, c)
	if h, err := s.Head(ctx, c.Stream()); err == nil {
		s.Advance(ctx, events.Advance{})
		ns, _ := s.Newer(ctx, c.Stream(), h.Version, 10)
		for _, n := range ns {
			s.Remove(ctx, c.Stream(), h.Version, n)
		}
	}
}

// TestPendingSkipsAMalformedKeyAndReturnsTheOthers: the planted keys are older than
// the message, so a walk meets them first.
func TestPendingSkipsAMalformedKeyAndReturnsTheOthers(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	commit(t, s, newCommit(t, "ann", events.Head{}))
	early := appendTime(nil, indexNow.AddDate(-10, 0, 0))
	var want []string
	for _, key := range [][]byte{{0}, early[:7], early, append(bytes.Clone(early), recordKind), append(bytes.Clone(early), "r0123456789abcdef"...), append(bytes.Clone(early), "xab"...)} {
		put(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(outboxBucket).Put(key, nil) })
		want = append(want, malformed(key).Error())
	}
	ms, err := s.Pending(t.Context(), time.Now().Add(time.Hour), 10)
	if len(ms) != 1 || ms[0].ID != "user/ann/1" || !errors.Is(err, events.ErrDamaged) {
		t.Fatalf("got %v, %v, want the message of ann and ErrDamaged", ms, err)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want an error with %q", err, text)
		}
	}
}

// TestAMalformedRecordKeyIsSkipped: such a key neither ends a read of the records
// nor counts as a record of a stream without a head.
func TestAMalformedRecordKeyIsSkipped(t *testing.T) {
	s := openAt(t, newPath(t), Options{NoSync: true})
	first := newCommit(t, "ann", events.Head{})
	commit(t, s, first)
	commit(t, s, newCommit(t, "ann", first.Head()))
	for _, owner := range []string{"ann", "eve"} {
		stream := appendName(nil, "user/"+owner)
		for _, key := range [][]byte{stream, append(bytes.Clone(stream), 0), append(bytes.Clone(stream), 0, 0, 0, 0, 0, 0, 0, 1, 0)} {
			put(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(recordBucket).Put(key, []byte{0xff}) })
		}
	}
	rs, err := s.History(t.Context(), "user/ann", 0, 10)
	if err != nil || len(rs) != 2 || rs[1].Seq != 2 {
		t.Errorf("History: got %v, %v, want the two records", rs, err)
	}
	ns, err := s.Newer(t.Context(), "user/ann", 0, 10)
	if err != nil || len(ns) != 2 || ns[1].Seq != 2 {
		t.Errorf("Newer: got %v, %v, want the two records", ns, err)
	}
	if h, err := s.Head(t.Context(), "user/eve"); err != nil || h.Version != 0 {
		t.Errorf("Head of a stream without records: got %v, %v", h, err)
	}
}
