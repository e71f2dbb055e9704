// Package sweep records the expiries that have passed, and warns before an expiry.
//
// A run looks at the tokens that expire before the earliest warning, from
// events.Expiries. It keeps no position between runs, so the next run catches up
// with missed ones. It promises that each warning is put into the outbox once for
// an expiry and a number of days, and each expiry into the log once; also if runs
// overlap or end in the middle. The notice's id and the rules of package token
// ensure that. The notes in the index only save work.
//
// A token or an owner with damaged data is a fault, which is logged; a run logs its
// first 100 faults. The run goes on with the others. Memory does not grow with the
// number of tokens.
//
// Time alone decides about expiry, so nothing depends on when a run comes.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// Store has the ports that a sweep needs.
type Store interface {
	events.Views
	events.Expiries
	Notify(context.Context, events.Message) error
}

// Issuer is the part of issuer.Issuer that a sweep needs. Its methods are described
// there.
type Issuer interface {
	WarningDays(context.Context) ([]int, error)
	Expire(ctx context.Context, owner string) (recorded int, err error)
	ExpireSessions(ctx context.Context, owner string) (recorded int, err error)
}

// Config has the parts of a sweep. Store, Issuer and Keys are required.
type Config struct {
	Store    Store
	Issuer   Issuer
	Keys     events.Keys
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger     // for faults; default: none
	Parallel int              // tokens or owners at the same time; default 4
}

// Sweep runs over the tokens that expire. Several sweeps of one store may run at the
// same time.
type Sweep struct{ c Config }

// defaultParallel lets the embedded store write several notices with one sync. All of
// them are ready again at the same moment, so a request waits for the work of so many.
const defaultParallel = 4

// New returns a sweep.
func New(c Config) *Sweep {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Parallel < 1 {
		c.Parallel = defaultParallel
	}
	return &Sweep{c}
}

// Result counts what one run did.
type Result struct {
	Warned  int // warnings that were put into the outbox, or were there already
	Expired int // expiries that were recorded
	Faults  int // tokens and owners that could not be handled
}

// ErrFaults: some tokens could not be handled, and the others were.
var ErrFaults = errors.New("some tokens could not be handled")

// Run warns, and then records expiries: a late record decides nothing, and a late
// warning is worth less. If ctx ends, Run stops soon, and its error wraps that of
// ctx; the next run goes on. An error that wraps ErrFaults names the first fault.
func (s *Sweep) Run(ctx context.Context) (Result, error) {
	r := &run{Config: s.c, now: instant.Cut(s.c.Now())}
	err := r.all(ctx)
	if ctx.Err() != nil {
		err = ctx.Err() // the faults of a run that was stopped are those of its context
	} else if r.result.Faults > 0 {
		err = errors.Join(fmt.Errorf("%w: %d; the first: %w", ErrFaults, r.result.Faults, r.first), err)
	}
	if err != nil {
		return r.result, fmt.Errorf("sweeping: %w", err)
	}
	return r.result, nil
}

// run is one run.
type run struct {
	Config
	now  time.Time
	days []int

	mu     sync.Mutex
	result Result
	first  error
}

// all does both parts, the second one also after an error of the first.
func (r *run) all(ctx context.Context) (err error) {
	if r.days, err = r.Issuer.WarningDays(ctx); err != nil {
		return fmt.Errorf("reading the days of warnings: %w", err)
	}
	return errors.Join(r.warnAll(ctx), r.expireAll(ctx))
}

// expireAll records the expiries of each owner with a token or a session whose expiry
// has passed. An entry names an owner that may be wrong. Expire decides from the sealed
// head of that owner, so a wrong owner does no harm.
func (r *run) expireAll(ctx context.Context) (err error) {
	var began time.Time
	for kind, record := range map[string]func(context.Context, string) (int, error){
		"": r.Issuer.Expire, events.KindSession: r.Issuer.ExpireSessions,
	} {
		err = errors.Join(err, r.Store.Expiring(ctx, kind, began, r.now.Add(time.Microsecond), func(page []events.Expiring) error {
			seen := map[string]bool{}
			var owners []events.Expiring
			for _, e := range page {
				if !seen[e.Owner] {
					seen[e.Owner] = true
					owners = append(owners, e)
				}
			}
			return r.each(ctx, owners, func(ctx context.Context, e events.Expiring) error {
				n, err := record(ctx, e.Owner)
				r.count(func(c *Result) { c.Expired += n })
				return err
			})
		}))
	}
	return err
}

// each handles all entries, some of them at the same time. It stops when ctx ends.
func (r *run) each(ctx context.Context, entries []events.Expiring, handle func(context.Context, events.Expiring) error) error {
	free := make(chan struct{}, r.Parallel)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, e := range entries {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case free <- struct{}{}:
		}
		wg.Go(func() {
			defer func() { <-free }()
			if err := handle(ctx, e); err != nil {
				r.fault(ctx, e, err)
			}
		})
	}
	return nil
}

func (r *run) count(add func(*Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.result)
}

// maxLogged is the largest number of faults that one run logs. A store that does not
// answer, or a writer of the index, could otherwise fill the log with a line for each
// of a million tokens, again in each run. The result counts all faults.
const maxLogged = 100

// fault logs a fault and keeps the first one. The end of ctx is not a fault of a
// token.
func (r *run) fault(ctx context.Context, e events.Expiring, err error) {
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.Faults++; r.result.Faults == 1 {
		r.first = fmt.Errorf("token %s of user %s: %w", e.TokenID, e.Owner, err)
	}
	if r.result.Faults <= maxLogged {
		r.Logger.ErrorContext(ctx, "a token that expires could not be handled", "token_id", e.TokenID, "owner", e.Owner, "error", err)
	}
}
