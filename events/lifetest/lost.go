package lifetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// Lossy is a store that loses requests and answers in every way.
type Lossy struct {
	Store events.Store
	Sound events.Store // the same items without losses

	// Try returns the context of one try of a request, after n others. It ends when
	// the client of this try is gone.
	Try func(ctx context.Context, n int) (context.Context, context.CancelFunc)

	// Land lets everything arrive that is on its way.
	Land func(context.Context)

	Callers int // how many requests run at the same time
}

// LosesCommits makes a store lossy that has no network of its own: commits are not
// applied, or applied without an answer, or applied later, and mostly the client is
// gone then.
func LosesCommits(sound events.Store) Lossy {
	gone := func() {}
	faulty := storetest.NewFaulty(sound, func(op storetest.Op) storetest.Fault {
		if op != storetest.OpCommit {
			return storetest.None
		}
		fault := []storetest.Fault{storetest.None, storetest.Unanswered, storetest.Unapplied, storetest.Late}[rand.N(4)]
		if fault != storetest.None && rand.N(4) > 0 {
			gone()
		}
		return fault
	})
	try := func(ctx context.Context, _ int) (context.Context, context.CancelFunc) {
		if rand.N(2) == 0 {
			faulty.Land(ctx)
		}
		ctx, gone = context.WithCancel(ctx)
		return ctx, gone
	}
	return Lossy{Store: faulty, Sound: sound, Try: try, Land: func(ctx context.Context) { faulty.Land(ctx) }, Callers: 1}
}

// LostAnswers sends requests with a request key to a lossy store, each until it has
// an answer: this number of creates, and the same number of rotations, of which every
// second one is a self-rotation, repeated with the old secret. Each makes one token
// and one secret, also for the last slot of an owner. Another token of the owner that
// learns the key does not get the answer.
func LostAnswers(t *testing.T, requests int, open func(t *testing.T) Lossy) {
	t.Run("create", func(t *testing.T) { newLosses(t, open(t)).run(requests, func(int) lostVerb { return lostCreate }) })
	t.Run("rotate", func(t *testing.T) {
		newLosses(t, open(t)).run(requests, func(n int) lostVerb { return []lostVerb{lostRotate, lostSelfRotation}[n/2%2] })
	})
}

// losses is the service on a lossy store, and on the same store without losses.
type losses struct {
	*testing.T
	Lossy
	service, sound   *issuer.Issuer
	replayed, repeat atomic.Int64
}

func newLosses(t *testing.T, l Lossy) *losses {
	config := func(s events.Store) issuer.Config { return issuer.Config{Store: s, Keys: storetest.Keys} }
	return &losses{T: t, Lossy: l, service: issuer.New(config(l.Store)), sound: issuer.New(config(l.Sound))}
}

// lostVerb is a command with the key of its request.
type lostVerb func(ctx context.Context, i *issuer.Issuer, by guard.Principal, r lostRequest) (issuer.Minted, error)

// lostRequest is a request of an owner: about the acting token, or about the other.
type lostRequest struct {
	owner         string
	acting, other secret.Token
}

func (r lostRequest) key() issuer.RequestKey {
	return issuer.RequestKey{Route: "POST /x", Value: "the request of " + r.owner}
}

func lostCreate(ctx context.Context, i *issuer.Issuer, by guard.Principal, r lostRequest) (issuer.Minted, error) {
	return i.CreateOnce(ctx, by, r.key(), "", token.Wish{})
}

func lostRotate(ctx context.Context, i *issuer.Issuer, by guard.Principal, r lostRequest) (issuer.Minted, error) {
	return i.RotateOnce(ctx, by, r.key(), r.other.ID, nil, nil)
}

func lostSelfRotation(ctx context.Context, i *issuer.Issuer, by guard.Principal, r lostRequest) (issuer.Minted, error) {
	return i.RotateOnce(ctx, by, r.key(), r.acting.ID, nil, nil)
}

// run makes the requests, each of its own owner. A half of the owners has one slot
// left.
func (l *losses) run(requests int, verb func(n int) lostVerb) {
	var all sync.WaitGroup
	owners := make([]string, requests)
	want := make([]int, requests) // records
	for caller := range l.Callers {
		all.Go(func() {
			for n := caller; n < requests && !l.Failed(); n += l.Callers {
				slots := 2
				if n%2 == 1 {
					slots = settings.Initial().TokenLimit - 1
				}
				r := l.prepare(n, slots)
				owners[n], want[n] = r.owner, slots+1
				l.request(verb(n), r)
			}
		})
	}
	all.Wait()
	l.Land(l.Context())
	for n, owner := range owners {
		if l.Failed() {
			return
		}
		s := &service{Issuer: l.sound, store: l.Sound}
		if got := s.version(l.T, events.UserStream(owner)); got != uint64(want[n]) {
			l.Errorf("%s: the log has %d records, want %d", owner, got, want[n])
		}
		s.expectSound(l.T, owner)
	}
	l.Logf("%d repeats, and %d of %d answers were replayed", l.repeat.Load(), l.replayed.Load(), requests)
	if l.replayed.Load() < int64(requests/50) {
		l.Errorf("%d of %d answers were replayed, too few to show anything", l.replayed.Load(), requests)
	}
}

// prepare makes an owner with some tokens, two at least.
func (l *losses) prepare(n, tokens int) lostRequest {
	r := lostRequest{owner: fmt.Sprintf("user%d", n)}
	for range tokens {
		_, text, err := l.sound.Create(l.Context(), guard.Principal{Owner: r.owner}, "", token.Wish{})
		if err != nil {
			l.Errorf("creating a token of %s: %v", r.owner, err)
			return r
		}
		shown, err := secret.Parse(text.Reveal())
		if err != nil {
			l.Error(err)
		}
		r.acting, r.other = shown, r.acting
	}
	return r
}

// request sends a request until there is an answer. Then a sound repeat gets it too.
func (l *losses) request(verb lostVerb, r lostRequest) {
	answer, err := l.untilAnswered(verb, r)
	if err != nil {
		l.Errorf("%s: %v", r.owner, err)
		return
	}
	again, err := l.as(l.Context(), l.sound, r.acting, verb, r)
	if err != nil || !again.Replayed || again.ID != answer.ID || again.Text.Reveal() != answer.Text.Reveal() {
		l.Errorf("%s: repeated once more: got token %s, replayed %t, %v, want the answer about token %s", r.owner, again.ID, again.Replayed, err, answer.ID)
	}
	made, err := secret.Parse(answer.Text.Reveal())
	if err == nil {
		_, err = l.sound.Guard().Check(l.Context(), made, here)
	}
	if err != nil {
		l.Errorf("%s: the secret of the answer: %v", r.owner, err)
	}
	l.expectOwn(verb, r, answer)
}

// expectOwn sends the request with another token of the owner. The store is one that
// applies nothing, so the log stays as it is.
func (l *losses) expectOwn(verb lostVerb, r lostRequest, answer issuer.Minted) {
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	reads := storetest.NewFaulty(l.Sound, func(op storetest.Op) storetest.Fault {
		if op == storetest.OpCommit || op == storetest.OpTouch {
			if op == storetest.OpCommit {
				cancel() // it waits for no other try
			}
			return storetest.Unapplied
		}
		return storetest.None
	})
	i := issuer.New(issuer.Config{Store: reads, Keys: storetest.Keys})
	got, err := l.as(ctx, i, r.other, verb, r)
	if err == nil || got.Text.Reveal() == answer.Text.Reveal() {
		l.Errorf("%s: another token got the answer about token %s", r.owner, got.ID)
	}
}

// as gives the command with a token.
func (l *losses) as(ctx context.Context, i *issuer.Issuer, shown secret.Token, verb lostVerb, r lostRequest) (issuer.Minted, error) {
	by, err := i.Guard().Check(ctx, shown, here)
	if err != nil {
		if _, denied := errors.AsType[*guard.Denial](err); denied {
			return issuer.Minted{}, err
		}
		return issuer.Minted{}, fmt.Errorf("%w: %w", issuer.ErrBusy, err)
	}
	return verb(ctx, i, by, r)
}

// maxTries is far more than a request needs.
const maxTries = 200

func (l *losses) untilAnswered(verb lostVerb, r lostRequest) (answer issuer.Minted, err error) {
	for n := range maxTries {
		ctx, cancel := l.Try(l.Context(), n)
		answer, err = l.as(ctx, l.service, r.acting, verb, r)
		cancel()
		if err == nil {
			if answer.Replayed {
				l.replayed.Add(1)
			}
			return answer, nil
		}
		if !errors.Is(err, issuer.ErrBusy) {
			return answer, err
		}
		l.repeat.Add(1)
	}
	return answer, fmt.Errorf("no answer after %d tries: %w", maxTries, err)
}
