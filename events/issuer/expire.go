package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// Expire records the owner's expiries that have passed, in steps, and returns their
// number. Its actor is the operator. It writes nothing if there is none, so it may
// run again, also at the same time.
func (i *Issuer) Expire(ctx context.Context, owner string) (recorded int, err error) {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return 0, err
	}
	rules, step := tokenRules, 0
	rules.Decide = func(s token.State, c token.Command) ([]events.Fact, error) {
		facts, err := token.Decide(s, c)
		step = len(facts)
		return facts, err
	}
	for range maxSteps {
		m := i.meta(operator, set)
		after, err := Do(ctx, i.store, i.keys, rules, events.UserStream(owner), m, func(at time.Time) token.Command {
			return token.At(token.Expire{Owner: owner}, at)
		})
		if err != nil {
			return recorded, err
		}
		recorded += step
		if !slices.ContainsFunc(after.Tokens, func(v events.View) bool { return v.StateAt(m.At) == events.StateExpired }) {
			return recorded, nil
		}
	}
	return recorded, fmt.Errorf("user %s: after %d steps there are expiries that are not recorded: %w", owner, maxSteps, ErrBusy)
}

// WarningDays returns the days before an expiry at which the sweep warns, in
// descending order. It reads the settings consistently.
func (i *Issuer) WarningDays(ctx context.Context) ([]int, error) {
	set, err := i.readSettings(ctx)
	return set.WarningDays, err
}
