package bolt

import (
	"errors"
	"testing"
	"time"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// TestAUseThatTheDiskRefusesIsCounted: Touch returned before.
func TestAUseThatTheDiskRefusesIsCounted(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	commit(t, s, newCommit(t, "ann", events.Head{}, events.View{ID: "JhxND7ci", Owner: "ann"}))
	if err := s.Touch(t.Context(), "JhxND7ci", events.Use{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(t.Context()); err != nil || s.UsesNotStored() != 0 { // the use is written
		t.Fatalf("got %v and %d", err, s.UsesNotStored())
	}
	s.broken = errors.New("no space left") // the goroutine that writes waits for the next job
	for range 2 {
		if err := s.Touch(t.Context(), "JhxND7ci", events.Use{At: time.Now().Add(events.TouchEvery)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ready(t.Context()); err == nil || s.UsesNotStored() != 2 {
		t.Errorf("got %v and %d uses, want 2", err, s.UsesNotStored())
	}
}

// TestOldestIsTheTimeOfTheOldestUnsentMessage, also if it cannot be decoded.
func TestOldestIsTheTimeOfTheOldestUnsentMessage(t *testing.T) {
	s := openAt(t, newPath(t), Options{})
	expect := func(what string, want time.Time) {
		t.Helper()
		if got, err := s.Oldest(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	expect("an empty outbox", time.Time{})
	first := newCommit(t, "ann", events.Head{})
	commit(t, s, first)
	at := first.Records()[0].At
	expect("one message", at)
	commit(t, s, newCommit(t, "bob", events.Head{}))
	expect("two messages", at)
	plant(t, s, recordBucket, recordKey("user/ann", 1), []byte("x"))
	expect("a message that cannot be decoded", at)
	plant(t, s, outboxBucket, []byte("\x00"), nil) // shorter than a time
	expect("a planted key", at)
	other := at.Add(-time.Hour)
	plant(t, s, outboxBucket, outboxKey(other, recordKind, recordKey("user/eve", 1)), nil)
	expect("an older message", other)
	if size, err := s.Size(t.Context()); err != nil || size < 4096 {
		t.Errorf("got the size %d, %v", size, err)
	}
}

// plant writes an item as something other than the store does.
func plant(t *testing.T, s *Store, bucket, key, value []byte) {
	t.Helper()
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }); err != nil {
		t.Fatal(err)
	}
}
