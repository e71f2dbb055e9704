package storetest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

func TestMain(m *testing.M) {
	maxLag = 100 * time.Millisecond
	m.Run()
}

// recorder records the failures of a check and does not fail the test.
type recorder struct {
	testing.TB
	mu      sync.Mutex
	failure string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure += fmt.Sprintf(format, args...) + "\n"
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// outcome runs one check and returns the texts of its failures.
func outcome(t *testing.T, name string, s events.Store) string {
	t.Helper()
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %q", name)
	}
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		checks[i].run(r, s)
	}()
	<-done
	return r.failure
}

// broken is a correct store with some of its methods replaced by wrong ones.
type broken struct {
	events.Store
	Attacker
	commit   func(context.Context, events.Commit) error
	history  func(context.Context, events.Stream, uint64, int) ([]events.Record, error)
	token    func(context.Context, string) (events.View, events.Use, error)
	tokens   func(context.Context, events.Query) (events.Page, error)
	touch    func(context.Context, string, events.Use) error
	pending  func(context.Context, time.Time, int) ([]events.Message, error)
	notify   func(context.Context, events.Message) error
	reply    func(context.Context, string) (events.Reply, error)
	lastUses func(context.Context, []string) (map[string]events.Use, error)
	head     func(context.Context, events.Stream) (events.Head, error)
	newer    func(context.Context, events.Stream, uint64, int) ([]events.Newer, error)
	remove   func(context.Context, events.Stream, uint64, events.Newer) error
	advance  func(context.Context, events.Advance) error
	expiring func(context.Context, time.Time, time.Time, func([]events.Expiring) error) error
	note     func(context.Context, string, uint64, int) error
}

func (b *broken) Commit(ctx context.Context, c events.Commit) error { return b.commit(ctx, c) }
func (b *broken) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	return b.history(ctx, s, after, limit)
}
func (b *broken) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	return b.token(ctx, id)
}
func (b *broken) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	return b.tokens(ctx, q)
}
func (b *broken) Touch(ctx context.Context, id string, u events.Use) error {
	return b.touch(ctx, id, u)
}
func (b *broken) Pending(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
	return b.pending(ctx, olderThan, limit)
}
func (b *broken) Notify(ctx context.Context, m events.Message) error { return b.notify(ctx, m) }
func (b *broken) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	return b.lastUses(ctx, ids)
}
func (b *broken) Reply(ctx context.Context, key string) (events.Reply, error) {
	return b.reply(ctx, key)
}
func (b *broken) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	return b.head(ctx, s)
}

func (b *broken) Newer(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Newer, error) {
	return b.newer(ctx, s, after, limit)
}
func (b *broken) Remove(ctx context.Context, s events.Stream, base uint64, n events.Newer) error {
	return b.remove(ctx, s, base, n)
}
func (b *broken) Expiring(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
	return b.expiring(ctx, from, to, f)
}
func (b *broken) NoteWarning(ctx context.Context, id string, seq uint64, days int) error {
	return b.note(ctx, id, seq, days)
}
func (b *broken) Advance(ctx context.Context, a events.Advance) error { return b.advance(ctx, a) }

// unbroken returns a store with all methods of s. An attack opens the embedded
// store of s again, so each call looks it up.
func unbroken(s *bolttest.Attacked) *broken {
	return &broken{
		Store: s, Attacker: s,
		commit: func(ctx context.Context, c events.Commit) error { return s.Commit(ctx, c) },
		history: func(ctx context.Context, st events.Stream, after uint64, limit int) ([]events.Record, error) {
			return s.History(ctx, st, after, limit)
		},
		token:    func(ctx context.Context, id string) (events.View, events.Use, error) { return s.Token(ctx, id) },
		tokens:   func(ctx context.Context, q events.Query) (events.Page, error) { return s.Tokens(ctx, q) },
		touch:    func(ctx context.Context, id string, u events.Use) error { return s.Touch(ctx, id, u) },
		notify:   func(ctx context.Context, m events.Message) error { return s.Notify(ctx, m) },
		reply:    func(ctx context.Context, key string) (events.Reply, error) { return s.Reply(ctx, key) },
		head:     func(ctx context.Context, st events.Stream) (events.Head, error) { return s.Head(ctx, st) },
		lastUses: func(ctx context.Context, ids []string) (map[string]events.Use, error) { return s.LastUses(ctx, ids) },
		pending: func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
			return s.Pending(ctx, olderThan, limit)
		},
		newer: func(ctx context.Context, st events.Stream, after uint64, limit int) ([]events.Newer, error) {
			return s.Newer(ctx, st, after, limit)
		},
		remove: func(ctx context.Context, st events.Stream, base uint64, n events.Newer) error {
			return s.Remove(ctx, st, base, n)
		},
		advance: func(ctx context.Context, a events.Advance) error { return s.Advance(ctx, a) },
		expiring: func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
			return s.Expiring(ctx, from, to, f)
		},
		note: func(ctx context.Context, id string, seq uint64, days int) error {
			return s.NoteWarning(ctx, id, seq, days)
		},
	}
}

// rebuilt returns the commit with another base and effect.
func rebuilt(t *testing.T, c events.Commit, base events.Head, e events.Effect) events.Commit {
	t.Helper()
	var facts []events.Fact
	for _, r := range c.Records() {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, f)
	}
	m := events.Meta{Command: c.Command(), Actor: c.Records()[0].Actor, At: c.Head().At}
	n, err := events.NewCommit(Keys, c.Stream(), base, m, facts, c.Head().StateV, c.Head().State, e)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestACorrectStorePassesEveryCheck(t *testing.T) {
	for _, c := range checks {
		if got := outcome(t, c.name, openAttacked(t)); got != "" {
			t.Errorf("%s fails for a correct store:\n%s", c.name, got)
		}
	}
}

func openAttacked(t *testing.T) *bolttest.Attacked {
	t.Helper()
	return bolttest.OpenAttacked(t, filepath.Join(t.TempDir(), "apitoken.db"), bolt.Options{NoSync: true})
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

// TestEveryBrokenPromiseIsNoticed breaks one promise at a time. The named check
// must fail with the given text.
func TestEveryBrokenPromiseIsNoticed(t *testing.T) {
	for _, breach := range []struct {
		what   string
		check  string
		says   string
		breaks func(*testing.T, *broken)
	}{
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
		{"a removal ignores the head", "ANewerRecordIsRemovedOnlyIfNothingChanged", "Remove at another version: got <nil>", func(_ *testing.T, b *broken) {
			b.remove = func(ctx context.Context, s events.Stream, _ uint64, n events.Newer) error {
				h, err := b.Store.Head(ctx, s)
				if err != nil {
					return err
				}
				return b.Store.(events.Repairs).Remove(ctx, s, h.Version, n)
			}
		}},
		{"a removal ignores a change", "ANewerRecordIsRemovedOnlyIfNothingChanged", "Remove of a record that has changed: got <nil>", func(_ *testing.T, b *broken) {
			b.remove = func(ctx context.Context, s events.Stream, base uint64, n events.Newer) error {
				repairs := b.Store.(events.Repairs)
				now, err := repairs.Newer(ctx, s, n.Seq-1, 1)
				if err != nil || len(now) == 0 {
					return errors.Join(err, events.ErrConflict)
				}
				return repairs.Remove(ctx, s, base, now[0])
			}
		}},
		{"newer records that cannot be decoded are left out", "AnUndecodableNewerRecordIsReturned", "Newer with an empty item at 7: got []", func(_ *testing.T, b *broken) {
			b.newer = func(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Newer, error) {
				ns, err := b.Store.(events.Repairs).Newer(ctx, s, after, limit)
				return slices.DeleteFunc(ns, func(n events.Newer) bool { return n.Record.Type == "" }), err
			}
		}},
		{"an advance writes nothing", "AHeadAdvancesOnlyFromItsBase", "Advance after the head has moved: got <nil>", func(_ *testing.T, b *broken) {
			b.advance = func(context.Context, events.Advance) error { return nil }
		}},
		{"an advance ignores its base", "AHeadAdvancesOnlyFromItsBase", "the view after a refused Advance: got", func(t *testing.T, b *broken) {
			b.advance = func(ctx context.Context, a events.Advance) error {
				err := b.Store.(events.Repairs).Advance(ctx, a)
				if errors.Is(err, events.ErrConflict) {
					b.SetHeadVersion(t, a.Stream(), a.Base())
					err = b.Store.(events.Repairs).Advance(ctx, a)
				}
				return err
			}
		}},
		{"a list drops the seals", "ListsHaveSealedViews", "a listed view: the view of token", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				p, err := b.Store.Tokens(ctx, q)
				for i := range p.Views {
					p.Views[i].Seal = events.Verifier{}
				}
				return p, err
			}
		}},
		{"a view loses its verifier, so its seal breaks", "ACommitKeepsTheUse", "the seal of a view that was read back", func(_ *testing.T, b *broken) {
			b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
				v, u, err := b.Store.Token(ctx, id)
				v.Verifier.Kid = "other"
				return v, u, err
			}
		}},
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
		{"times lose their microseconds", "ACommitIsReadBackAsItWasWritten", "the view: got", func(_ *testing.T, b *broken) {
			b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
				v, u, err := b.Store.Token(ctx, id)
				v.ExpiresAt = v.ExpiresAt.Truncate(time.Millisecond)
				return v, u, err
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
		{"lists are sorted by id", "ListsAreInOrder", "all owners' tokens: still", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				p, err := b.Store.Tokens(ctx, q)
				slices.SortFunc(p.Views, func(a, b events.View) int { return strings.Compare(a.ID, b.ID) })
				return p, err
			}
		}},
		{"states are ignored", "ListsAreFilteredByOwnerAndState", "tokens of some states: still", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				q.States = nil
				return b.Store.Tokens(ctx, q)
			}
		}},
		{"a cursor repeats its own token", "ACursorStaysValidWhileTokensChange", "the list before: still", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				if !q.After.At.IsZero() {
					q.After.At = q.After.At.Add(-time.Microsecond)
				}
				return b.Store.Tokens(ctx, q)
			}
		}},
		{"a list ends after 36 months", "TokensOfManyMonthsAreListedOnce", "months in pages of 1: still", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				p, err := b.Store.Tokens(ctx, q)
				if q.After.At.After(q.Now.AddDate(0, 36-months, 0)) {
					return events.Page{}, err
				}
				return p, err
			}
		}},
		{"a page does not move", "TokensOfManyMonthsAreListedOnce", "which is not after", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				p, err := b.Store.Tokens(ctx, q)
				if p.More && len(q.States) == 1 {
					p.Next = q.After
				}
				return p, err
			}
		}},
		{"a page ends at the last token that was looked at", "PagesNameOnlyTokensOfTheirOwners", "which is no token of these owners", lookAtEveryone},
		{"a page ends between the tokens", "PagesNameOnlyTokensOfTheirOwners", "which is no token of these owners", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				p, err := b.Store.Tokens(ctx, q)
				if p.More {
					p.Next.At = p.Next.At.Add(time.Microsecond)
				}
				return p, err
			}
		}},
		{"an index keeps the first state", "AListFollowsEveryChangeOfState", "tokens after a change to disabled: still", func(_ *testing.T, b *broken) {
			b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
				states := q.States
				q.States = nil
				p, err := b.Store.Tokens(ctx, q)
				p.Views = slices.DeleteFunc(p.Views, func(events.View) bool { return !slices.Contains(states, events.StateActive) })
				return p, err
			}
		}},
		{"the last instant of a period is left out", "ExpiringTokensAreFoundByTheirExpiry", "the tokens of an hour: got", func(_ *testing.T, b *broken) {
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				return b.Store.Expiring(ctx, from, to.Add(-time.Microsecond), f)
			}
		}},
		{"the first instant after a period is returned", "ExpiringTokensAreFoundByTheirExpiry", "the tokens of an hour: got", func(_ *testing.T, b *broken) {
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				return b.Store.Expiring(ctx, from, to.Add(time.Microsecond), f)
			}
		}},
		{"the error of a page is ignored", "ExpiringTokensAreFoundByTheirExpiry", "Expiring after an error of its function", func(_ *testing.T, b *broken) {
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				return b.Store.Expiring(ctx, from, to, func(es []events.Expiring) error { f(es); return nil })
			}
		}},
		{"an earlier expiry stays in the index", "ExpiriesFollowEveryChangeOfAToken", "after a change to a later expiry: still", keepExpiries},
		{"only the first page comes", "ExpiringTokensComeInPages", "the number of tokens that expire: still", func(_ *testing.T, b *broken) {
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				once := false
				return b.Store.Expiring(ctx, from, to, func(es []events.Expiring) error {
					if once {
						return nil
					}
					once = true
					return f(es)
				})
			}
		}},
		{"a page has no bound", "ExpiringTokensComeInPages", "a page has", func(_ *testing.T, b *broken) {
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				var all []events.Expiring
				if err := b.Store.Expiring(ctx, from, to, func(es []events.Expiring) error { all = append(all, es...); return nil }); err != nil {
					return err
				}
				return f(all)
			}
		}},
		{"a note ignores the sequence", "ANoteOfAWarningLastsUntilTheNextChange", "the notes of other sequences: still", func(_ *testing.T, b *broken) {
			b.note = func(ctx context.Context, id string, _ uint64, days int) error {
				v, _, err := b.Store.Token(ctx, id)
				if err != nil {
					return nil
				}
				return b.Store.NoteWarning(ctx, id, v.Seq, days)
			}
		}},
		{"a note is dropped", "ANoteOfAWarningLastsUntilTheNextChange", "the note: still", func(_ *testing.T, b *broken) {
			b.note = func(context.Context, string, uint64, int) error { return nil }
		}},
		{"a note outlives a change", "ANoteOfAWarningLastsUntilTheNextChange", "the note after a change: still", func(_ *testing.T, b *broken) {
			notes := map[string]int{}
			b.note = func(ctx context.Context, id string, seq uint64, days int) error {
				if v, _, err := b.Store.Token(ctx, id); err == nil && v.Seq == seq {
					notes[id] = days
				}
				return b.Store.NoteWarning(ctx, id, seq, days)
			}
			b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
				return b.Store.Expiring(ctx, from, to, func(es []events.Expiring) error {
					for i := range es {
						es[i].Warned = notes[es[i].TokenID]
					}
					return f(es)
				})
			}
		}},
		{"every use is stored", "AUseIsStoredEveryFifteenMinutes", "a use soon after: got", func(_ *testing.T, b *broken) {
			kept := map[string]events.Use{}
			b.touch = func(_ context.Context, id string, u events.Use) error { kept[id] = u; return nil }
			b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
				v, _, err := b.Store.Token(ctx, id)
				return v, kept[id], err
			}
			b.lastUses = func(context.Context, []string) (map[string]events.Use, error) { return kept, nil }
		}},
		{"a use that cannot be decoded ends the read", "AUseThatCannotBeDecodedIsLeftOut", "the number of uses beside one that cannot be decoded: still\n0", func(_ *testing.T, b *broken) {
			b.lastUses = func(ctx context.Context, ids []string) (map[string]events.Use, error) {
				uses, err := b.Store.LastUses(ctx, ids)
				if err != nil {
					return nil, err
				}
				return uses, nil
			}
		}},
		{"a use that cannot be decoded is not reported", "AUseThatCannotBeDecodedIsLeftOut", "LastUses with a use that cannot be decoded: got the error <nil>", func(_ *testing.T, b *broken) {
			b.lastUses = func(ctx context.Context, ids []string) (map[string]events.Use, error) {
				uses, _ := b.Store.LastUses(ctx, ids)
				return uses, nil
			}
		}},
		{"a use that cannot be decoded refuses its token", "AUseThatCannotBeDecodedRefusesNoToken", "Token with a use that cannot be decoded: ", func(_ *testing.T, b *broken) {
			b.token = func(ctx context.Context, id string) (events.View, events.Use, error) {
				v, u, err := b.Store.Token(ctx, id)
				if _, damaged := b.Store.LastUses(ctx, []string{id}); err == nil {
					err = damaged
				}
				return v, u, err
			}
		}},
		{"a use that cannot be decoded is dropped in silence", "AUseThatCannotBeDecodedRefusesNoToken", "Touch of a use that cannot be decoded: got <nil>", func(_ *testing.T, b *broken) {
			b.touch = func(ctx context.Context, id string, u events.Use) error {
				b.Store.Touch(ctx, id, u)
				return nil
			}
		}},
		{"the outbox reverses each stream", "TheOutboxKeepsEachStreamsOrder", "one stream's messages: still", func(_ *testing.T, b *broken) {
			b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
				ms, err := b.Store.Pending(ctx, olderThan, limit)
				slices.Reverse(ms)
				return ms, err
			}
		}},
		{"the outbox returns messages that are not older", "TheOutboxReturnsOlderMessagesOnly", "the messages older than the first: got", func(_ *testing.T, b *broken) {
			b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
				return b.Store.Pending(ctx, olderThan.Add(time.Microsecond), limit)
			}
		}},
		{"the outbox stops at a damaged message", "AMessageThatCannotBeReadDelaysOnlyItsStream", "the messages before the one", func(_ *testing.T, b *broken) {
			b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
				ms, err := b.Store.Pending(ctx, olderThan, limit)
				if err != nil {
					return nil, err
				}
				return ms, nil
			}
		}},
		{"the outbox goes on after a damaged message", "AMessageThatCannotBeReadDelaysOnlyItsStream", "the messages before the one", func(_ *testing.T, b *broken) {
			var before []events.Message
			b.pending = func(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
				ms, err := b.Store.Pending(ctx, olderThan, limit)
				if err != nil {
					return before, err
				}
				before = append(before, ms...)
				return ms, nil
			}
		}},
		{"a notice is put twice", "ANoticeIsPutOnce", "the notice: still", func(_ *testing.T, b *broken) {
			var all []events.Message
			b.notify = func(_ context.Context, m events.Message) error { all = append(all, m); return nil }
			b.pending = func(context.Context, time.Time, int) ([]events.Message, error) { return all, nil }
		}},
		{"a second notice is an error", "ANoticeIsPutOnceByRacingWriters", "Notify beside others with the same notice: ", func(_ *testing.T, b *broken) {
			var once sync.Once
			b.notify = func(ctx context.Context, m events.Message) error {
				err := events.ErrConflict
				once.Do(func() { err = b.Store.Notify(ctx, m) })
				return err
			}
		}},
	} {
		t.Run(breach.what, func(t *testing.T) {
			s := openAttacked(t)
			b := unbroken(s)
			breach.breaks(t, b)
			if got := outcome(t, breach.check, b); !strings.Contains(got, breach.says) {
				t.Errorf("the failures of %s: got\n%s\nwant %q in them", breach.check, got, breach.says)
			}
		})
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

// lookAtEveryone reads the list of all owners, and drops the tokens of others.
func lookAtEveryone(_ *testing.T, b *broken) {
	b.tokens = func(ctx context.Context, q events.Query) (events.Page, error) {
		all := q
		all.Owners, all.States = nil, nil
		p, err := b.Store.Tokens(ctx, all)
		p.Views = slices.DeleteFunc(p.Views, func(v events.View) bool { return !q.Matches(v) })
		return p, err
	}
}

// keepExpiries returns each expiry that a token ever had.
func keepExpiries(_ *testing.T, b *broken) {
	seen := map[events.Expiring]bool{}
	b.expiring = func(ctx context.Context, from, to time.Time, f func([]events.Expiring) error) error {
		var all []events.Expiring
		err := b.Store.Expiring(ctx, from, to, func(es []events.Expiring) error {
			for _, e := range es {
				seen[e] = true
			}
			return nil
		})
		for e := range seen {
			all = append(all, e)
		}
		if err != nil || len(all) == 0 {
			return err
		}
		return f(all)
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

func TestEachFaultWritesAsItsCommentSays(t *testing.T) {
	for fault, want := range map[Fault][2]int{None: {1, 1}, Unapplied: {0, 0}, Unanswered: {1, 1}, Late: {0, 1}} {
		f := NewFaulty(bolttest.Open(t), Once(OpNotify, fault))
		err := f.Notify(t.Context(), events.Message{ID: "notice", Time: time.Now()})
		if (err != nil) != (fault != None) {
			t.Errorf("fault %d: got %v", fault, err)
		}
		x := newScene(t, f)
		before := len(x.pending("notice"))
		f.Land(t.Context())
		if got := [2]int{before, len(x.pending("notice"))}; got != want {
			t.Errorf("fault %d: %v messages before and after it landed, want %v", fault, got, want)
		}
	}
}
