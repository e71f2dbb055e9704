package storetest

import (
	"context"
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
	walk     func(context.Context, events.Place, int) (events.Stretch, error)
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
	expiring func(context.Context, string, time.Time, time.Time, func([]events.Expiring) error) error
	note     func(context.Context, string, uint64, int) error
	collect  func(context.Context, time.Time) (events.Collected, error)
}

func (b *broken) Commit(ctx context.Context, c events.Commit) error { return b.commit(ctx, c) }
func (b *broken) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	return b.history(ctx, s, after, limit)
}
func (b *broken) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	return b.walk(ctx, after, limit)
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
func (b *broken) Expiring(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
	return b.expiring(ctx, kind, from, to, f)
}
func (b *broken) NoteWarning(ctx context.Context, id string, seq uint64, days int) error {
	return b.note(ctx, id, seq, days)
}
func (b *broken) Advance(ctx context.Context, a events.Advance) error { return b.advance(ctx, a) }
func (b *broken) Collect(ctx context.Context, now time.Time) (events.Collected, error) {
	return b.collect(ctx, now)
}

// unbroken returns a store with all methods of s. An attack opens the embedded
// store of s again, so each call looks it up.
func unbroken(s *bolttest.Attacked) *broken {
	return &broken{
		Store: s, Attacker: s,
		commit: func(ctx context.Context, c events.Commit) error { return s.Commit(ctx, c) },
		history: func(ctx context.Context, st events.Stream, after uint64, limit int) ([]events.Record, error) {
			return s.History(ctx, st, after, limit)
		},
		walk: func(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
			return s.Walk(ctx, after, limit)
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
		expiring: func(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
			return s.Expiring(ctx, kind, from, to, f)
		},
		note: func(ctx context.Context, id string, seq uint64, days int) error {
			return s.NoteWarning(ctx, id, seq, days)
		},
		collect: func(ctx context.Context, now time.Time) (events.Collected, error) { return s.Collect(ctx, now) },
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

// breach is a store that breaks one promise. The named check must fail with the
// given text.
type breach struct {
	what   string
	check  string
	says   string
	breaks func(*testing.T, *broken)
}

func TestEveryBrokenPromiseIsNoticed(t *testing.T) {
	for _, breach := range slices.Concat(brokenLog, brokenWalks, brokenViews, brokenOutbox, brokenExpiries, brokenRepairs, brokenCollector) {
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
