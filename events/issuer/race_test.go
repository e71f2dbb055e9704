package issuer_test

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// outcome is the answer of one of many concurrent calls.
type outcome struct {
	text secret.Secret
	err  error
}

// createConcurrently makes n tokens for ann at the same time.
func (s *scene) createConcurrently(n int) []outcome {
	var group sync.WaitGroup
	begin := make(chan struct{})
	outcomes := make([]outcome, n)
	for i := range outcomes {
		group.Go(func() {
			<-begin
			_, outcomes[i].text, outcomes[i].err = s.Create(s.Context(), person("ann"), "", token.Wish{})
		})
	}
	close(begin)
	group.Wait()
	return outcomes
}

// sortOutcomes returns the tokens, and the numbers of refusals at the limit and of
// unknown outcomes.
func (s *scene) sortOutcomes(outcomes []outcome) (tokens []secret.Token, refused, busy int) {
	s.Helper()
	for _, o := range outcomes {
		r, isRefusal := errors.AsType[*events.Refusal](o.err)
		switch {
		case o.err == nil:
			tokens = append(tokens, s.parse(o.text))
		case isRefusal && r.Code == token.CodeLimitReached:
			refused++
			if r.Limit == nil || r.Limit.TokenLimit != 5 || r.Limit.Live != 5 {
				s.Errorf("refused with %+v, want the limit 5 and 5 live tokens", r.Limit)
			}
		case errors.Is(o.err, issuer.ErrBusy):
			busy++
		default:
			s.Errorf("got %v", o.err)
		}
	}
	return tokens, refused, busy
}

func TestLimitHoldsUnderConcurrentCreates(t *testing.T) {
	s := newScene(t)
	s.create(person("ann"), "", token.Wish{})
	tokens, refused, busy := s.sortOutcomes(s.createConcurrently(200))
	if len(tokens) != 4 || refused != 196 || busy != 0 {
		t.Errorf("%d made, %d refused, %d busy; want 4, 196, 0", len(tokens), refused, busy)
	}
	for _, made := range tokens {
		if got := s.denialOf(made); got != "" {
			t.Errorf("token %s was returned and is denied: %s", made.ID, got)
		}
	}
	if rs := s.checkedLog("ann"); len(rs) != 5 {
		t.Errorf("the log has %d records, want 5", len(rs))
	}
}

// TestLimitHoldsWhileWritesFail: some writes are lost, some answers are lost, and
// some writes are applied long after their caller got an error.
func TestLimitHoldsWhileWritesFail(t *testing.T) {
	for name, faults := range map[string][]storetest.Fault{
		"lost answers":     {storetest.None, storetest.Unanswered},
		"unapplied writes": {storetest.None, storetest.Unapplied},
		"late landings":    {storetest.None, storetest.Late},
		"everything":       {storetest.None, storetest.None, storetest.Unanswered, storetest.Unapplied, storetest.Late},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.create(person("ann"), "", token.Wish{})
			f := s.useFaulty(func(op storetest.Op) storetest.Fault {
				if op != storetest.OpCommit {
					return storetest.None
				}
				return faults[mathrand.N(len(faults))]
			})
			stop, landed := landRepeatedly(t.Context(), f)
			outcomes := s.createConcurrently(200)
			stop()
			<-landed
			f.Land(t.Context())

			s.useStore(s.store)
			tokens, refused, busy := s.sortOutcomes(outcomes)
			t.Logf("%d made, %d refused, %d unknown", len(tokens), refused, busy)
			if live := s.state("ann").Live(s.now()); live != 5 {
				t.Errorf("%d tokens live, want exactly 5", live)
			}
			if created := len(s.checkedLog("ann")) - 1; created != 4 || len(tokens) > created || len(tokens)+busy < created {
				t.Errorf("%d created for %d answered and %d unknown", created, len(tokens), busy)
			}
			for _, made := range tokens {
				if got := s.denialOf(made); got != "" {
					t.Errorf("token %s was returned and is denied: %s", made.ID, got)
				}
			}
		})
	}
}

// landRepeatedly applies late writes all the time while other calls run.
func landRepeatedly(ctx context.Context, f *storetest.Faulty) (stop func(), done <-chan struct{}) {
	inner, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for inner.Err() == nil {
			f.Land(ctx)
		}
	}()
	return cancel, ended
}

func TestConcurrentRevokesAndCreatesKeepLimitAndLog(t *testing.T) {
	s := newScene(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	kept, revoked := map[string]secret.Token{}, map[string]secret.Token{}
	for range 8 {
		group.Go(func() {
			for range 10 {
				made, text, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
				if err != nil {
					if !errors.Is(err, issuer.ErrBusy) && refusalCode(t, err) != token.CodeLimitReached {
						t.Errorf("creating: %v", err)
					}
					continue
				}
				if live := s.state("ann").Live(s.now()); live > 5 {
					t.Errorf("%d tokens live, 5 are allowed", live)
				}
				mu.Lock()
				kept[made.ID] = s.parse(text)
				mu.Unlock()
				if err := s.Revoke(t.Context(), person("ann"), made.ID); err == nil {
					mu.Lock()
					revoked[made.ID] = kept[made.ID]
					delete(kept, made.ID)
					mu.Unlock()
				} else if !errors.Is(err, issuer.ErrBusy) {
					t.Errorf("revoking: %v", err)
				}
			}
		})
	}
	group.Wait()
	for id, made := range kept {
		if got := s.denialOf(made); got != "" {
			t.Errorf("token %s: got %s, want it to pass", id, got)
		}
	}
	for id, made := range revoked {
		if got := s.denialOf(made); got != guard.CodeRevoked {
			t.Errorf("token %s: got %q, want %s", id, got, guard.CodeRevoked)
		}
	}
	if len(revoked) == 0 {
		t.Error("no token was revoked, so the test has shown nothing")
	}
	s.checkedLog("ann")
}

// TestTokenIsRevokedOnlyOnce: of many concurrent revocations one succeeds, and the
// others get not_found_revoked.
func TestTokenIsRevokedOnlyOnce(t *testing.T) {
	s := newScene(t)
	made, shown := s.create(person("ann"), "", token.Wish{})
	var group sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		group.Go(func() { errs[i] = s.Revoke(t.Context(), person("ann"), made.ID) })
	}
	group.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if refusalCode(t, err) != token.CodeNotFoundRevoked {
			t.Errorf("got %v, want %s", err, token.CodeNotFoundRevoked)
		}
	}
	if done != 1 || len(s.checkedLog("ann")) != 2 || s.denialOf(shown) != guard.CodeRevoked {
		t.Errorf("%d revocations were answered, the log has %d records, the token gets %q", done, len(s.checkedLog("ann")), s.denialOf(shown))
	}
}
