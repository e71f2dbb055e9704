package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"apitoken/events"
)

// brokenLog has stores that break one promise of events.Log and events.Replies each.
var brokenLog = []breach{
	{"Base is ignored", "AStaleCommitConflicts", "a commit ahead of its stream: got <nil>", ignoreBase},
	{"Base is ignored in a race", "RacingWritersHaveOneWinnerForEachVersion", "winners at version 0", ignoreBase},
	{"a head of version 0 is trusted", "AStoredHeadOfVersionZeroIsAFault", "a stored head of version 0: got", trustDamagedHeads},
	{"a missing head is a new stream", "AMissingHeadWhereRecordsExistIsAFault", "a missing head of a stream with two records: got", trustDamagedHeads},
	{"a stream is written without its head", "AMissingHeadWhereRecordsExistIsAFault", "record 1 was overwritten", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			err := b.Store.Commit(ctx, c)
			if errors.Is(err, events.ErrDamaged) {
				for seq := range uint64(3) {
					b.PutItem(t, b.RecordKey(c.Stream(), seq), nil)
				}
				err = b.Store.Commit(ctx, c)
			}
			return err
		}
	}},
	{"a record that cannot be decoded is left out", "ARecordThatCannotBeDecodedIsADamagedRecord", "the records before one that cannot be decoded: got", func(_ *testing.T, b *broken) {
		b.history = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
			rs, err := b.Store.History(ctx, s, after, limit)
			if d, ok := errors.AsType[*events.DamagedRecord](err); ok {
				rest, err := b.Store.History(ctx, s, d.Seq, limit)
				return append(rs, rest...), err
			}
			return rs, err
		}
	}},
	{"the error of a record that cannot be decoded has no sequence", "ARecordThatCannotBeDecodedIsADamagedRecord", "History with a record that cannot be decoded: got the error", func(_ *testing.T, b *broken) {
		b.history = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
			rs, err := b.Store.History(ctx, s, after, limit)
			if errors.Is(err, events.ErrDamaged) {
				err = events.ErrDamaged
			}
			return rs, err
		}
	}},
	{"a record that cannot be decoded hides those before it", "ARecordThatCannotBeDecodedIsADamagedRecord", "the records before one that cannot be decoded: got", func(_ *testing.T, b *broken) {
		b.history = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
			rs, err := b.Store.History(ctx, s, after, limit)
			if err != nil {
				return nil, err
			}
			return rs, nil
		}
	}},
	{"a record is overwritten", "NoRecordIsOverwritten", "the planted record was overwritten", overwriteRecords},
	{"the reply is dropped", "ACommitIsReadBackAsItWasWritten", "Reply: not found", func(_ *testing.T, b *broken) {
		b.reply = func(context.Context, string) (events.Reply, error) { return events.Reply{}, events.ErrNotFound }
	}},
	{"an existing reply is ignored", "AnExistingReplyWritesNothing", "Commit: got <nil>, want the stream has a newer version", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			e := c.Effect()
			if e.Reply != nil {
				if _, err := b.Store.Reply(ctx, e.Reply.Key); err == nil {
					e.Reply = nil
				}
			}
			return b.Store.Commit(ctx, rebuilt(t, c, baseOf(ctx, t, b.Store, c), e))
		}
	}},
	{"an expired reply is not replaced", "OnlyTheExpiredReplyIsReplaced", "the stream has a newer version", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			e := c.Effect()
			e.Expired = nil
			return b.Store.Commit(ctx, rebuilt(t, c, baseOf(ctx, t, b.Store, c), e))
		}
	}},
	{"another reply than the expired one is replaced", "OnlyTheExpiredReplyIsReplaced", "Commit: got <nil>, want the stream has a newer version", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			e := c.Effect()
			if e.Expired != nil {
				if r, err := b.Store.Reply(ctx, e.Expired.Key); err == nil {
					e.Expired = &r
				}
			}
			return b.Store.Commit(ctx, rebuilt(t, c, baseOf(ctx, t, b.Store, c), e))
		}
	}},
	{"a taken id is overwritten", "ATakenIDWritesNothing", "Commit: got <nil>, want the token id is in use", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			e := c.Effect()
			e.Changed, e.Minted = append(e.Minted, e.Changed...), nil
			return b.Store.Commit(ctx, rebuilt(t, c, baseOf(ctx, t, b.Store, c), e))
		}
	}},
	{"a taken id wins over a conflict", "AConflictWinsOverATakenID", "a stale commit with a taken id: got the token id is in use", func(_ *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			for _, v := range c.Effect().Minted {
				if _, _, err := b.Store.Token(ctx, v.ID); err == nil {
					return events.ErrIDTaken
				}
			}
			return b.Store.Commit(ctx, c)
		}
	}},
	{"a refused commit still writes a view", "ATakenIDWritesNothing", "was written by a commit that was refused", func(t *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			err := b.Store.Commit(ctx, c)
			if err != nil {
				v := c.Effect().Minted[0]
				s := events.UserStream("elsewhere " + v.ID)
				facts := []events.Fact{events.TokenRevoked{TokenID: v.ID}}
				n, failed := events.NewCommit(Keys, s, events.Head{}, events.Meta{}, facts, 1, nil, events.Effect{Minted: []events.View{v}})
				if failed != nil || b.Store.Commit(ctx, n) != nil {
					t.Fatal(failed)
				}
			}
			return err
		}
	}},
	{"a cancelled context is ignored", "ACancelledContextWritesNothing", "Commit: got <nil>, want context canceled", func(_ *testing.T, b *broken) {
		b.commit = func(ctx context.Context, c events.Commit) error {
			return b.Store.Commit(context.WithoutCancel(ctx), c)
		}
	}},
	{"a history is cut", "LongHistoriesAreComplete", "the number of records by pages of 10000", func(_ *testing.T, b *broken) {
		b.history = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
			return b.Store.History(ctx, s, after, min(limit, 1000))
		}
	}},
	{"a head's time loses precision, so its seal breaks", "ACommitIsReadBackAsItWasWritten", "the head: got", func(_ *testing.T, b *broken) {
		b.head = func(ctx context.Context, s events.Stream) (events.Head, error) {
			h, err := b.Store.Head(ctx, s)
			h.KeepUntil = h.KeepUntil.Truncate(time.Second)
			return h, err
		}
	}},
	{"heads are shared", "ReturnedValuesBelongToTheCaller", "reached the store", shareHeads},
}

// trustDamagedHeads returns the zero head in place of ErrDamaged, as a store does
// that does not look for version 0 and for records without a head.
func trustDamagedHeads(_ *testing.T, b *broken) {
	b.head = func(ctx context.Context, s events.Stream) (events.Head, error) {
		h, err := b.Store.Head(ctx, s)
		if errors.Is(err, events.ErrDamaged) {
			return events.Head{}, nil
		}
		return h, err
	}
}

// overwriteRecords removes what has the keys of a commit's records before it
// commits.
func overwriteRecords(t *testing.T, b *broken) {
	b.commit = func(ctx context.Context, c events.Commit) error {
		err := b.Store.Commit(ctx, c)
		if !errors.Is(err, events.ErrConflict) {
			return err
		}
		for _, r := range c.Records() {
			b.PutItem(t, b.RecordKey(r.Stream, r.Seq), nil)
		}
		return b.Store.Commit(ctx, c)
	}
}

// baseOf returns the head that a commit is based on, if the stream still has it.
func baseOf(ctx context.Context, t *testing.T, s events.Store, c events.Commit) events.Head {
	t.Helper()
	h, err := s.Head(ctx, c.Stream())
	if err != nil {
		t.Fatal(err)
	}
	h.Version = c.Base()
	return h
}

// ignoreBase commits on the present head and ignores the commit's base.
func ignoreBase(t *testing.T, b *broken) {
	var mu sync.Mutex
	b.commit = func(ctx context.Context, c events.Commit) error {
		mu.Lock()
		defer mu.Unlock()
		h, err := b.Store.Head(ctx, c.Stream())
		if err != nil {
			return err
		}
		return b.Store.Commit(ctx, rebuilt(t, c, h, c.Effect()))
	}
}

// shareHeads returns the same bytes to every reader.
func shareHeads(_ *testing.T, b *broken) {
	shared := map[events.Stream]events.Head{}
	b.head = func(ctx context.Context, s events.Stream) (events.Head, error) {
		if h, ok := shared[s]; ok {
			return h, nil
		}
		h, err := b.Store.Head(ctx, s)
		if h.Version > 0 {
			shared[s] = h
		}
		return h, err
	}
}
