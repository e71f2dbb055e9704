package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/token"
)

// shownTries is how often RevokeShown begins again because the token got another
// secret at the same time.
const shownTries = 5

// RevokeShown ends what a token gives to each holder of its text. Each holder of
// the text may call it, from any address: it needs no permission and no scope, and works
// for a disabled token and for a suspended owner too. The current secret ends its
// token. An outgoing secret ends only itself. A text that is no token, an unknown
// token and a secret that gives nothing any more are no errors and change nothing.
//
// RevokeShown returns nil only after it saw that the secret gives nothing any more.
// The log has the token itself as the actor. The principal names the token for the
// log line of the call. It is the zero Principal if the secret is wrong.
func (i *Issuer) RevokeShown(ctx context.Context, text string, source netip.Addr) (guard.Principal, error) {
	t, err := secret.Parse(text)
	if err != nil {
		return guard.Principal{}, nil
	}
	found, err := i.guard.Inspect(ctx, t, source)
	if err != nil {
		return guard.Principal{}, fmt.Errorf("checking a token: %w", busyUnlessDamaged(err))
	}
	by, shown := found.Principal(), found.View.Verifier
	if found.Outgoing {
		shown = found.View.Outgoing
	}
	v := found.View
	for range shownTries {
		if !works(v, shown, i.now()) {
			return by, i.closeOfShown(ctx, by, v)
		}
		if err := i.revokeShown(ctx, by, v, shown); err != nil {
			return by, err
		}
		if v, _, err = i.readView(ctx, t.ID); err != nil && !errors.Is(err, events.ErrNotFound) {
			return by, err
		}
	}
	return by, fmt.Errorf("token %s: %w: its owner's head says that a secret has ended, but its view does not", t.ID, events.ErrDamaged)
}

// closeOfShown ends the sessions of a token that has ended, also if it had ended before
// the call. See closeUnbacked.
func (i *Issuer) closeOfShown(ctx context.Context, by guard.Principal, v events.View) error {
	if v.ID == "" || v.IsSession() || v.LiveAt(i.now()) {
		return nil
	}
	set, err := i.recentSettings(ctx)
	if err != nil {
		return err
	}
	return i.closeUnbacked(ctx, i.meta(by, set), session.CloseUnbacked{Owner: v.Owner, Cause: events.CausePossession})
}

// works reports whether the secret with this verifier gives something: now, or when
// the token is enabled or its owner is reinstated. The zero view gives nothing.
func works(v events.View, shown events.Verifier, now time.Time) bool {
	return v.ID != "" && v.LiveAt(now) && (v.Verifier.Equal(shown) || v.Outgoing.Equal(shown) && v.OutgoingAt(now))
}

// revokeShown runs the command for a secret of the view. A live view that was put
// back after its token ended ends again. That is only so for a current secret: the
// end of an outgoing secret would make the token of such a view live.
func (i *Issuer) revokeShown(ctx context.Context, by guard.Principal, v events.View, shown events.Verifier) error {
	set, err := i.recentSettings(ctx)
	if err != nil {
		return err
	}
	if v.IsSession() {
		err := i.closeSession(ctx, i.meta(by, set), v, events.CausePossession, nil)
		if isNotFound(err) {
			return nil // the caller reads the view again
		}
		return err
	}
	rules, outgoing := urgentRules(), !v.Verifier.Equal(shown)
	if !outgoing {
		rules = i.revokeRules(ctx, v)
	}
	_, err = do(ctx, i, rules, events.UserStream(v.Owner), i.meta(by, set), func(at time.Time) token.Command {
		return token.RevokeShown{At: at, Now: i.now(), ID: v.ID, Owner: v.Owner, Shown: shown, Outgoing: outgoing}
	})
	return err
}
