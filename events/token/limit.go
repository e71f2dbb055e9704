package token

import (
	"apitoken/events"
	"apitoken/events/name"
)

func (c SetLimit) check() error {
	if err := name.ValidOwner(c.Owner); err != nil {
		return err
	}
	if err := c.By.checkCredential(); err != nil {
		return err
	}
	switch {
	case c.Limit != nil && (*c.Limit < 0 || *c.Limit > MaxTokenLimit):
		return invalid(fieldTokenLimit, "the token_limit is %d; allowed: 0 to %d", *c.Limit, MaxTokenLimit)
	case !c.By.MayEdit && !c.By.Operator:
		return refuse(CodePermissionDenied, fieldUser, `changing a user's token limit needs the permission edit on the realm "security"`)
	}
	return nil
}

func setLimit(s State, c SetLimit) []events.Fact {
	if equal(c.Limit, s.TokenLimit) {
		return nil
	}
	return []events.Fact{events.OwnerLimitChanged{Owner: c.Owner, TokenLimit: copyOf(c.Limit)}}
}

func equal(a, b *int) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }
