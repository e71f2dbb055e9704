package dynamo_test

import (
	"errors"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/infra/dynamo"
)

const tokenLimit = 5 // settings.Initial

// scene is the service on one table.
type scene struct {
	*issuer.Issuer
	store *dynamo.Store
}

func newScene(store *dynamo.Store, now func() time.Time) *scene {
	return &scene{issuer.New(issuer.Config{Store: store, Keys: keys, Now: now}), store}
}

// check asks the guard about the token, as for a call with it.
func (s *scene) check(t *testing.T, text secret.Secret) error {
	t.Helper()
	parsed, err := secret.Parse(text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Guard().Check(t.Context(), parsed, netip.Addr{})
	return err
}

// expectSound verifies an owner's stream: the chain, the seal and the limit,
// that the log folds to the state in the head, and that no command created two
// tokens.
func (s *scene) expectSound(t *testing.T, owner string) (token.State, []events.Record) {
	t.Helper()
	stream := events.UserStream(owner)
	h, err := s.store.Head(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := s.store.History(t.Context(), stream, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Check(keys, stream), events.Verify(events.Hash{}, rs)); err != nil {
		t.Errorf("stream %s: %v", stream, err)
	}
	if uint64(len(rs)) != h.Version || len(rs) > 0 && rs[len(rs)-1].Hash != h.Hash {
		t.Errorf("stream %s: %d records, the head has %d", stream, len(rs), h.Version)
	}
	stored, err := token.DecodeState(h.StateV, h.State)
	if err != nil {
		t.Fatal(err)
	}
	folded, made := token.State{}, map[string]bool{}
	for _, r := range rs {
		f, err := events.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		folded = token.Fold(folded, f, r.At)
		if _, creates := f.(events.TokenCreated); creates && made[r.Command] {
			t.Errorf("stream %s: command %s made two tokens", stream, r.Command)
		} else if creates {
			made[r.Command] = true
		}
		if n := folded.Live(r.At); n > tokenLimit {
			t.Errorf("stream %s: %d live tokens at record %d", stream, n, r.Seq)
		}
	}
	if len(rs) > 0 && !reflect.DeepEqual(folded, stored) {
		t.Errorf("stream %s: the log folds to\n%+v\nthe head has\n%+v", stream, folded, stored)
	}
	return stored, rs
}

// TestLimitHoldsUnderConcurrentCreates: of 200 writers exactly four get one of
// the four free slots.
func TestLimitHoldsUnderConcurrentCreates(t *testing.T) {
	const writers, slots = 200, 4
	// The engine answers one request at a time, so the last of 200 writers waits
	// longer than the time-out of our clients. This client has none.
	c := client(t)
	patient := via(c, &http.Transport{MaxIdleConnsPerHost: writers})
	s := newScene(dynamo.New(patient, newTable(t, c)), time.Now)
	ann := guard.Principal{Owner: "ann"}
	for range tokenLimit - slots {
		if _, _, err := s.Create(t.Context(), ann, "", token.Wish{}); err != nil {
			t.Fatal(err)
		}
	}
	var made, refused, busy atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for {
				_, text, err := s.Create(t.Context(), ann, "", token.Wish{})
				refusal, isRefusal := errors.AsType[*events.Refusal](err)
				switch {
				case err == nil:
					made.Add(1)
					if err := s.check(t, text); err != nil {
						t.Errorf("an answered token does not pass: %v", err)
					}
				case isRefusal && refusal.Code == "token_limit_reached":
					refused.Add(1)
				case errors.Is(err, issuer.ErrBusy):
					busy.Add(1)
					continue // the answer asks the caller to try again
				default:
					t.Errorf("Create: %v", err)
				}
				return
			}
		})
	}
	wg.Wait()
	t.Logf("%d created, %d refused, %d asked to try again", made.Load(), refused.Load(), busy.Load())
	if made.Load() != slots || refused.Load() != writers-slots {
		t.Errorf("got %d tokens and %d refusals, want %d and %d", made.Load(), refused.Load(), slots, writers-slots)
	}
	if state, _ := s.expectSound(t, "ann"); state.Live(time.Now()) != tokenLimit {
		t.Errorf("got %d live tokens, want %d", state.Live(time.Now()), tokenLimit)
	}
}
