package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"

	"go.etcd.io/bbolt"
)

// writeGone commits records of an owner that are past their retention at the time
// now, and returns the head.
func writeGone(t testing.TB, s *Store, owner string, now time.Time, n int) events.Head {
	t.Helper()
	stream := events.UserStream(owner)
	base, err := s.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	facts := make([]events.Fact, n)
	for i := range facts {
		facts[i] = events.TokenRevoked{TokenID: "JhxND7ci", Owner: owner}
	}
	m := events.Meta{Command: "c", Actor: owner, At: now.Add(-time.Hour), Retention: time.Minute}
	c, err := events.NewCommit(storetest.Keys, stream, base, m, facts, 1, []byte("{}"), events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, c)
	return c.Head()
}

// sendAll empties the outbox, but for the messages with these ids.
func sendAll(t testing.TB, s *Store, but ...string) {
	t.Helper()
	ms, err := s.Pending(t.Context(), time.Now().AddDate(100, 0, 0), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range ms {
		ids = append(ids, m.ID)
	}
	for _, id := range but {
		for i := range ids {
			if ids[i] == id {
				ids[i] = "unknown"
			}
		}
	}
	if err := s.Sent(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
}

func collected(t testing.TB, s *Store, now time.Time) events.Collected {
	t.Helper()
	done, err := s.Collect(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func sequences(t testing.TB, s *Store, st events.Stream) (seqs []uint64) {
	t.Helper()
	rs, err := s.History(t.Context(), st, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

func expectSequences(t testing.TB, s *Store, what string, st events.Stream, want ...uint64) {
	t.Helper()
	if got := sequences(t, s, st); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: the records of %s are %v, want %v", what, st, got, want)
	}
}

// TestWhatWasNotSentStays: a record that waits in the outbox stays, with all later
// ones of its stream. So does a notice. Both are removed after they were sent.
func TestWhatWasNotSentStays(t *testing.T) {
	s, now := openAt(t, newPath(t), Options{NoSync: true}), time.Now()
	writeGone(t, s, "ann", now, 5)
	writeGone(t, s, "bob", now, 2)
	notice := events.Message{ID: "TokenReused/JhxND7ci/7/2026-09-01", Type: "TokenReused", V: 1, Time: now.AddDate(0, 0, -60), Data: []byte("{}")}
	if err := s.Notify(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	if done := collected(t, s, now); done != (events.Collected{}) {
		t.Errorf("before anything was sent: got %+v removed, want nothing", done)
	}
	sendAll(t, s, "user/ann/3", notice.ID)
	if done := collected(t, s, now); done != (events.Collected{Records: 4}) {
		t.Errorf("got %+v removed, want 4 records", done)
	}
	expectSequences(t, s, "record 3 waits", "user/ann", 3, 4, 5)
	expectSequences(t, s, "everything was sent", "user/bob")
	if err := s.db.View(func(tx *bbolt.Tx) error {
		if p := goneRecords(tx, recordKey("user/ann", 4), now); len(p.removals) > 0 {
			t.Errorf("a part that begins after a record that waits has %d records to remove, want none", len(p.removals))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Pending(t.Context(), now, 10)
	if err != nil || len(ms) != 2 || ms[0].ID != notice.ID || ms[1].ID != "user/ann/3" {
		t.Errorf("the outbox: got %v, %v, want both messages", ms, err)
	}
	sendAll(t, s)
	if done := collected(t, s, now); done != (events.Collected{Records: 3, Notices: 1}) {
		t.Errorf("after all was sent: got %+v removed, want 3 records and the notice", done)
	}
}

// TestEvidenceStays: a record newer than the head, a stream without a head, what
// cannot be decoded, and a key that this program does not write are for `audit
// repair` and for people. They keep nothing else from being removed.
func TestEvidenceStays(t *testing.T) {
	s, now := openAt(t, newPath(t), Options{NoSync: true}), time.Now()
	for _, owner := range []string{"ann", "bob", "cyd", "dan"} {
		writeGone(t, s, owner, now, 3)
	}
	sendAll(t, s)
	live := events.View{ID: plantedID, Owner: "eve", CreatedAt: now.UTC().Truncate(time.Microsecond)}
	commit(t, s, newCommit(t, "eve", events.Head{}, live))
	gone := indexValue(events.View{Ended: events.EndedRevoked, KeepUntil: now.Add(-time.Hour)})
	put(t, s, func(tx *bbolt.Tx) error {
		records := tx.Bucket(recordBucket)
		return errors.Join(
			tx.Bucket(orderBucket).Put(appendPosition(nil, live.Position()), gone),
			records.Put(recordKey("user/ann", 4), records.Get(recordKey("user/bob", 1))),
			tx.Bucket(headBucket).Delete([]byte("user/bob")),
			records.Put(recordKey("user/cyd", 2), []byte{0xff}),
			records.Put([]byte{0, 0}, nil), records.Put(append(recordKey("user/cyd", 1), 0), nil),
			records.Put(recordKey("user/cyd", 1<<64-1), []byte{0xff}),
			tx.Bucket(replyBucket).Put([]byte("reply"), []byte{0xff}),
			tx.Bucket(noticeBucket).Put([]byte("notice"), []byte{1, 2, 3}),
			tx.Bucket(orderBucket).Put([]byte{1}, nil),
			tx.Bucket(orderBucket).Put(appendPosition(nil, events.Position{At: now, ID: "12345678"}), gone),
		)
	})
	if done := collected(t, s, now); done != (events.Collected{Records: 3 + 1 + 3}) {
		t.Errorf("got %+v removed, want 7 records", done)
	}
	if _, _, err := s.Token(t.Context(), plantedID); err != nil {
		t.Errorf("a token whose index entry says that it ended: %v", err)
	}
	expectSequences(t, s, "planted", "user/ann", 4)
	expectSequences(t, s, "without a head", "user/bob", 1, 2, 3)
	expectSequences(t, s, "sound", "user/dan")
	if ns, err := s.Newer(t.Context(), "user/cyd", 0, 10); err != nil || len(ns) != 3 || ns[0].Seq != 2 {
		t.Errorf("a stream with a record that cannot be decoded: got %v, %v, want that record and the later ones", ns, err)
	}
}

// TestAnEntryOfANoticeWithoutAnEndStays: older versions wrote such entries. The
// notice can still be marked as sent.
func TestAnEntryOfANoticeWithoutAnEndStays(t *testing.T) {
	s, now := openAt(t, newPath(t), Options{NoSync: true}), time.Now()
	notice := events.Message{ID: "TokenReused/JhxND7ci/7/2026-09-01", Type: "TokenReused", V: 1, Time: now.AddDate(-1, 0, 0), Data: []byte("{}")}
	if err := s.Notify(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	put(t, s, func(tx *bbolt.Tx) error {
		return tx.Bucket(noticeBucket).Put([]byte(notice.ID), appendTime(nil, notice.Time))
	})
	sendAll(t, s)
	if ms, err := s.Pending(t.Context(), now, 10); len(ms) > 0 || err != nil {
		t.Errorf("after Sent the outbox has %v, %v", ms, err)
	}
	if done := collected(t, s, now); done != (events.Collected{}) {
		t.Errorf("got %+v removed, want nothing", done)
	}
	put(t, s, func(tx *bbolt.Tx) error { return tx.Bucket(noticeBucket).Put([]byte(notice.ID), []byte{1}) })
	if err := s.Sent(t.Context(), notice.ID); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("an entry of another length: got %v, want %v", err, events.ErrDamaged)
	}
}

// TestACollectionHasSmallTransactions counts the entries that each transaction
// deletes, and looks at how many entries it looked at.
func TestACollectionHasSmallTransactions(t *testing.T) {
	s, now := openAt(t, newPath(t), Options{NoSync: true}), time.Now()
	for n := range 30 {
		writeGone(t, s, fmt.Sprint("gone", n), now, 90)
	}
	sendAll(t, s)
	total, parts := 0, 0
	for from := []byte{}; from != nil; parts++ {
		var p part
		if err := s.db.View(func(tx *bbolt.Tx) error { p = goneRecords(tx, from, now); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(p.removals) > maxRemove {
			t.Fatalf("a transaction would remove %d items, want at most %d", len(p.removals), maxRemove)
		}
		if len(p.removals) == 0 {
			break
		}
		if _, _, err := s.remove(t.Context(), goneRecords, from, now); err != nil {
			t.Fatal(err)
		}
		total, from = total+len(p.removals), p.next
	}
	if total != 2700 || parts != 27 {
		t.Errorf("got %d records in %d transactions, want 2700 in 27", total, parts)
	}
	for n := range maxLook + 1 {
		commit(t, s, newCommit(t, fmt.Sprint("kept", n), events.Head{}))
	}
	if err := s.db.View(func(tx *bbolt.Tx) error {
		if p := goneRecords(tx, nil, now); p.next == nil {
			t.Errorf("one transaction looked at more than %d streams", maxLook)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestAWriteBetweenTheReadAndTheRemovalCounts: what became unremovable stays.
func TestAWriteBetweenTheReadAndTheRemovalCounts(t *testing.T) {
	s, now := openAt(t, newPath(t), Options{NoSync: true}), time.Now().UTC().Truncate(time.Microsecond)
	v := events.View{ID: plantedID, Owner: "ann", CreatedAt: now.Add(-time.Hour), Ended: events.EndedRevoked, EndedAt: now.Add(-time.Hour), KeepUntil: now.Add(-time.Minute)}
	commit(t, s, newCommit(t, "ann", events.Head{}, v))
	sendAll(t, s)
	var p part
	if err := s.db.View(func(tx *bbolt.Tx) error { p = goneViews("")(tx, nil, now); return nil }); err != nil || len(p.removals) != 1 {
		t.Fatalf("got %d views, %v, want one", len(p.removals), err)
	}
	v.KeepUntil = now.Add(time.Hour) // the token was put back and ended a second time
	e := &encoder{}
	e.putViews([]events.View{v})
	put(t, s, func(tx *bbolt.Tx) error { return putAll(tx, e.items) })
	if p, _, err := s.remove(t.Context(), goneViews(""), p.first, now); err != nil || len(p.removals) != 0 {
		t.Errorf("got %d views removed, %v, want none", len(p.removals), err)
	}
	if _, _, err := s.Token(t.Context(), plantedID); err != nil {
		t.Error(err)
	}
}

// TestACollectionEndsWithItsContext, says what it did, and the next one goes on.
// On a busy machine it may end before its context does: there are five tries.
func TestACollectionEndsWithItsContext(t *testing.T) {
	var s *Store
	var now time.Time
	var done events.Collected
	var err error
	for tries := 0; err == nil && tries < 5; tries++ {
		s, now = openAt(t, newPath(t), Options{NoSync: true}), time.Now()
		for n := range 50 {
			writeGone(t, s, fmt.Sprint("ann", n), now, 90)
		}
		sendAll(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for len(sequences(t, s, "user/ann0")) > 0 {
			}
		}()
		done, err = s.Collect(ctx, now)
	}
	if !errors.Is(err, context.Canceled) || done.Records == 0 || done.Records == 50*90 {
		t.Errorf("got %+v, %v, want a part and %v", done, err, context.Canceled)
	}
	if rest := collected(t, s, now); done.Records+rest.Records != 50*90 {
		t.Errorf("got %d and then %d records removed, want %d in all", done.Records, rest.Records, 50*90)
	}
	s.Close()
	if _, err := s.Collect(t.Context(), now); err == nil {
		t.Error("Collect after Close: got no error")
	}
}

// TestAStepThatWaitsForAProcessorDelaysTheNextOneLittle: a collection on a machine with
// too much to do must not take minutes, because the file grows meanwhile.
func TestAStepThatWaitsForAProcessorDelaysTheNextOneLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(t.TempDir(), "apitoken.db"), Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const steps, step = 5, 2 * time.Second
		n := 0
		slow := func(*bbolt.Tx, []byte, time.Time) part {
			time.Sleep(step)
			if n++; n == steps {
				return part{}
			}
			return part{next: []byte{byte(n)}}
		}
		began := time.Now()
		if _, err := s.collect(t.Context(), slow, began); err != nil || n != steps {
			t.Errorf("got %v after %d steps", err, n)
		}
		if got, want := time.Since(began), steps*(step+maxRest); got != want {
			t.Errorf("%d steps of %v took %v, want %v", steps, step, got, want)
		}
	})
}
