package lifetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit/compare"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// Offboarding interrupts the offboarding of a user with 50 tokens at each of its
// commits: the commit is lost, or it is applied without an answer, or it is applied
// after the repeat. The repeat ends as an offboarding without an interruption does.
func Offboarding(t *testing.T, open Open) {
	t.Helper()
	want := offboarded(t, open, 0, storetest.None)
	for at := 1; at <= want.commits; at++ {
		for name, f := range map[string]storetest.Fault{"lost": storetest.Unapplied, "unanswered": storetest.Unanswered, "late": storetest.Late} {
			t.Run(fmt.Sprintf("commit %d %s", at, name), func(t *testing.T) {
				got := offboarded(t, open, at, f)
				got.commits = want.commits
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
}

// ending is what is left of an offboarded user.
type ending struct {
	commits int // of the first call
	records map[string]int
	denials map[string]int
}

// offboarded offboards a user. It interrupts the first call at a commit, after
// which the store answers nothing, and repeats the call; 0 is no interruption.
func offboarded(t *testing.T, open Open, at int, f storetest.Fault) ending {
	t.Helper()
	store := open(t)
	s, before := leaving(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	commits := 0
	faulty := storetest.NewFaulty(store, func(op storetest.Op) storetest.Fault {
		if at > 0 && commits == at {
			cancel()
			return storetest.Unapplied
		}
		if op != storetest.OpCommit {
			return storetest.None
		}
		if commits++; commits != at {
			return storetest.None
		}
		return f
	})
	first := issuer.New(issuer.Config{Store: faulty, Keys: storetest.Keys})
	if err := errorOf(first.Offboard(ctx, s.boss, "judy", "left")); (err != nil) != (at > 0) {
		t.Fatalf("the first call: got %v", err)
	}
	if at > 1 || at == 1 && f == storetest.Unanswered {
		s.expectNonePasses(t)
	}
	return s.repeat(t, before, commits, func() {
		for _, err := range faulty.Land(t.Context()) {
			if err == nil {
				t.Error("a late commit was applied after the repeat")
			}
		}
	})
}

// leaving makes a service and a user with 50 tokens. before is the version of the
// stream of this user.
func leaving(t *testing.T, store events.Store) (s *service, before uint64) {
	t.Helper()
	s = newService(t, store)
	for range token.MaxTokenLimit {
		s.learn(s.create(t, s.boss, "judy"))
	}
	s.vary(t)
	return s, s.version(t, events.UserStream("judy"))
}

// repeat offboards the user twice, and returns what is left.
func (s *service) repeat(t *testing.T, before uint64, commits int, then func()) ending {
	t.Helper()
	for range 2 {
		if err := errorOf(s.Offboard(t.Context(), s.boss, "judy", "left")); err != nil {
			t.Fatalf("the repeat: %v", err)
		}
		then()
	}
	s.expectNonePasses(t)
	s.expectSound(t, "judy")
	return s.ending(t, before, commits)
}

// KilledOffboarding kills the process of an offboarding before and after each of its
// commits. offboard runs OffboardUntil in another process on the store that open
// returned, which is closed meanwhile, and returns the store, open again.
func KilledOffboarding(t *testing.T, open Open, offboard func(t testing.TB, at int, written bool) events.Store) {
	t.Helper()
	want := offboarded(t, open, 0, storetest.None)
	for at := 1; at <= want.commits; at++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, written %v", at, written), func(t *testing.T) {
				s, before := leaving(t, open(t))
				store := offboard(t, at, written)
				again := &service{Issuer: issuer.New(issuer.Config{Store: store, Keys: storetest.Keys}), store: store, boss: s.boss, known: s.secrets()}
				if at > 1 || written {
					again.expectNonePasses(t)
				}
				if version := again.version(t, events.UserStream("judy")); (version == before) != (at == 1 && !written) {
					t.Errorf("the killed process wrote %d records", version-before)
				}
				if got := again.repeat(t, before, want.commits, func() {}); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
}

// OffboardUntil offboards the user of KilledOffboarding, and calls die at a commit:
// before it, or after it is written.
func OffboardUntil(ctx context.Context, store events.Store, at int, written bool, die func()) error {
	i := issuer.New(issuer.Config{Store: &dying{Store: store, at: at, written: written, die: die}, Keys: storetest.Keys})
	return errorOf(i.Offboard(ctx, guard.Principal{Owner: "boss"}, "judy", "left"))
}

// dying is a store in a process that dies at a commit.
type dying struct {
	events.Store
	at      int // commits until then
	written bool
	die     func()
}

// Commit implements events.Log.
func (d *dying) Commit(ctx context.Context, c events.Commit) error {
	if d.at--; d.at == 0 && !d.written {
		d.die()
	}
	err := d.Store.Commit(ctx, c)
	if d.at == 0 {
		d.die()
	}
	return err
}

// vary makes the tokens different: disabled, and rotated with an outgoing secret.
func (s *service) vary(t *testing.T) {
	t.Helper()
	for n, shown := range s.secrets() {
		var err error
		switch n % 10 {
		case 3:
			_, err = s.Update(t.Context(), s.boss, shown.ID, token.Update{Enabled: new(false)})
		case 7:
			var text secret.Secret
			if _, text, err = s.Rotate(t.Context(), s.boss, shown.ID, nil, nil); err == nil {
				s.learn(parse(t, text))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s *service) expectNonePasses(t *testing.T) {
	t.Helper()
	for _, shown := range s.secrets() {
		if code := s.denial(t, shown); code != guard.CodeRevoked && code != guard.CodeSuspended {
			t.Errorf("a secret of token %s: got %q", shown.ID, code)
		}
	}
}

// ending counts the records after a version and the denials of all secrets. No
// token may be revoked twice.
func (s *service) ending(t *testing.T, after uint64, commits int) ending {
	t.Helper()
	e := ending{commits: commits, records: map[string]int{}, denials: map[string]int{}}
	rs, err := s.store.History(t.Context(), events.UserStream("judy"), after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	revoked := map[string]bool{}
	for _, r := range rs {
		e.records[r.Type]++
		if id := r.Subject(); r.Type == "TokenRevoked" && revoked[id] {
			t.Errorf("token %s was revoked twice", id)
		} else {
			revoked[id] = true
		}
	}
	for _, shown := range s.secrets() {
		e.denials[s.denial(t, shown)]++
	}
	return e
}

// expectSound compares the log of an owner with its head and its views.
func (s *service) expectSound(t *testing.T, owner string) {
	t.Helper()
	c := compare.Comparison{Store: s.store, Copies: logged{s.store}, Keys: storetest.Keys, Now: time.Now}
	r, err := c.Stream(t.Context(), events.UserStream(owner))
	if err != nil || len(r.Findings) > 0 || r.Log == 0 {
		t.Errorf("comparing the stream of %s: got %+v, %v", owner, r, err)
	}
}
