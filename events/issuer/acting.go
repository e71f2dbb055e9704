package issuer

import (
	"context"
	"errors"

	"apitoken/events"
	"apitoken/events/token"
)

// rulesFor returns the rules for tokens, with one addition: they refuse a command of
// a maker whose own token was ended after the guard accepted it. A revocation would
// otherwise not stop the calls that had begun, and each of them could still hand out
// a secret. The commit of a revocation changes the head of the maker's owner, so the
// version check of the command makes this exact. It can only be known for commands
// about the maker's owner.
//
// It reads the maker's view only if the owner's state lacks the token, so other
// commands cost no read. An id without a view is that of a credential which this
// store does not have: the gateway has checked it. id is the token that the command
// changes, if any: the rules know whether that one has ended.
func (i *Issuer) rulesFor(ctx context.Context, by token.Maker, owner, id string) Rules[token.State, token.Command] {
	r := tokenRules
	if by.Operator || by.Owner != owner || by.TokenID == "" || by.TokenID == id {
		return r
	}
	r.Decide = func(s token.State, c token.Command) ([]events.Fact, error) {
		if _, found := s.Find(by.TokenID); !found {
			if err := i.checkActing(ctx, by.TokenID); err != nil {
				return nil, err
			}
		}
		return token.Decide(s, c)
	}
	return r
}

func (i *Issuer) checkActing(ctx context.Context, id string) error {
	v, _, err := i.readView(ctx, id)
	switch {
	case errors.Is(err, events.ErrNotFound):
		return nil
	case err != nil:
		return err
	case v.Ended != "":
		return token.ActingEnded()
	}
	return nil
}
