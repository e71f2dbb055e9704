package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/session"
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
		after, err := do(ctx, i, rules, events.UserStream(owner), m, func(at time.Time) token.Command {
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

// ExpireSessions records the expiries of the owner's sessions that have passed, and
// returns their number, as Expire does for tokens.
func (i *Issuer) ExpireSessions(ctx context.Context, owner string) (recorded int, err error) {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return 0, err
	}
	rules := sessionRules
	rules.Decide = func(s session.State, c session.Command) ([]events.Fact, error) {
		facts, err := session.Decide(s, c)
		recorded = len(facts)
		return facts, err
	}
	_, err = do(ctx, i, rules, events.SessionStream(owner), i.meta(operator, set), func(at time.Time) session.Command {
		return session.At(session.Expire{Owner: owner}, at)
	})
	if err != nil {
		return 0, err
	}
	return recorded, nil
}

// WarningDays returns the days before an expiry at which the sweep warns, in
// descending order. It reads the settings consistently.
func (i *Issuer) WarningDays(ctx context.Context) ([]int, error) {
	set, err := i.readSettings(ctx)
	return set.WarningDays, err
}
