package issuer

import (
	"context"
	"errors"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
)

// A client may send the body of a request long after the guard has checked its secret. A
// token or session that ended meanwhile must change nothing, so each decision of a command
// looks at it again. Two kinds of commands do not: those that only end something, and
// those that take back what the caller has just done.

// actingRules are the rules for a command of the caller about tokens of the owner. The
// rules themselves look at an acting token of this owner, because the state has it.
func (i *Issuer) actingRules(ctx context.Context, by guard.Principal, owner string, r Rules[token.State, token.Command]) Rules[token.State, token.Command] {
	switch {
	case by.Owner != owner:
		return whileActing(ctx, i, by, r)
	case by.Kind != guard.KindSession:
		return r
	}
	decide := r.Decide
	r.Decide = func(s token.State, c token.Command) ([]events.Fact, error) {
		v, err := i.actingSession(ctx, by)
		if err != nil {
			return nil, err
		}
		if t, found := s.Find(v.From); found { // otherwise the rules refuse the session, if it has a token
			if err := i.checkBacking(ctx, v, t); err != nil {
				return nil, err
			}
		}
		return decide(s, c)
	}
	return r
}

// whileActing returns the rules with one addition: a caller whose token or session has
// ended is refused with token.CodeDeniedByCredential.
func whileActing[S, C any](ctx context.Context, i *Issuer, by guard.Principal, r Rules[S, C]) Rules[S, C] {
	decide := r.Decide
	r.Decide = func(s S, c C) ([]events.Fact, error) {
		if err := i.checkActing(ctx, by); err != nil {
			return nil, err
		}
		return decide(s, c)
	}
	return r
}

// checkActing reads what the caller shows. A caller without a token acts at the store.
func (i *Issuer) checkActing(ctx context.Context, by guard.Principal) error {
	switch {
	case by.TokenID == "":
		return nil
	case by.Kind != guard.KindSession:
		v, err := i.activeView(ctx, by.Owner, by.TokenID)
		if err != nil || v.ID != "" && v.Rotated == by.Rotated {
			return err
		}
		return noLongerActing("while this call was running, the token that you use ended, was disabled or got a new secret; it changes nothing")
	}
	v, err := i.actingSession(ctx, by)
	if err != nil || v.From == "" {
		return err
	}
	t, err := i.activeView(ctx, v.Owner, v.From)
	switch {
	case err != nil:
		return err
	case t.ID == "":
		return noLongerActing("the token that opened your session has ended or is disabled, so the session changes nothing")
	}
	return i.checkBacking(ctx, v, t)
}

// actingSession returns the view of the caller's session, which must be active.
func (i *Issuer) actingSession(ctx context.Context, by guard.Principal) (events.View, error) {
	v, err := i.activeView(ctx, by.Owner, by.TokenID)
	if err == nil && v.ID == "" {
		err = noLongerActing("while this call was running, your session ended; it changes nothing")
	}
	return v, err
}

// activeView returns the view of an active token or session of the owner, and the zero
// view if there is none.
func (i *Issuer) activeView(ctx context.Context, owner, id string) (events.View, error) {
	v, _, err := i.readView(ctx, id)
	if errors.Is(err, events.ErrNotFound) || err == nil && (v.Owner != owner || v.StateAt(i.now()) != events.StateActive) {
		return events.View{}, nil
	}
	return v, err
}

// checkBacking refuses a session that an older secret of its token t opened, unless the
// session itself gave the last rotation. Such a session ends, but by a later write than
// that of the rotation: in between, it could rotate the token once more, and the thief of
// the old secret would have the new one. The record of the rotation says who gave it; if
// it is past its retention, the session is refused. No time decides: the clocks of two
// machines may differ.
func (i *Issuer) checkBacking(ctx context.Context, session, t events.View) error {
	if t.Rotated <= session.Rotated {
		return nil
	}
	r := recordReader{log: i.store, keys: i.keys, stream: events.UserStream(t.Owner), now: i.now()}
	stale := true
	err := r.each(ctx, t.Rotated-1, t.Rotated, func(rec events.Record) (bool, error) {
		stale = rec.TokenID != session.ID
		return false, nil
	})
	if err == nil && stale {
		err = noLongerActing("the token that opened your session got a new secret, so the session changes nothing; sign in with the new secret")
	}
	return err
}

func noLongerActing(detail string) error {
	return &events.Refusal{Code: token.CodeDeniedByCredential, Detail: detail}
}
