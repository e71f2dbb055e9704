package issuer

import (
	"context"
	"net/netip"
	"time"

	"apitoken/events/guard"
)

// Description is the answer about one token to a service that compares the scopes
// itself. Only Active is set if the token does not pass.
type Description struct {
	Active    bool
	ID        string
	Owner     string
	Scopes    []string // none: all that the owner may do
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never; of an outgoing secret the end of its grace, if that is earlier
}

// Describe answers whether a token passes for a client at the address source, and
// what it allows. It is Introspect without a call: the scopes do not decide. Callers
// may ask about the same tokens as there, and get the same refusals. It never says
// why a token does not pass. A token that passes counts as used.
func (i *Issuer) Describe(ctx context.Context, by guard.Principal, text string, source netip.Addr) (Description, error) {
	answer, reason, err := i.describe(ctx, by, text, source)
	if err == nil {
		i.introspected(reason)
	}
	return answer, err
}

// describe also returns why the token does not pass, for the one who counts.
func (i *Issuer) describe(ctx context.Context, by guard.Principal, text string, source netip.Addr) (Description, string, error) {
	found, reason, err := i.inspectFor(ctx, by, text, source)
	if err != nil || reason != "" {
		return Description{}, reason, err
	}
	v := found.Judge(guard.Question{Unscoped: true})
	switch {
	case v.Denial != nil:
		return Description{}, v.Denial.Code, nil
	case !v.Allowed():
		return Description{}, guard.CodeInvalid, nil
	}
	i.guard.StoreUse(ctx, found)
	p := v.Principal
	return Description{
		Active: true, ID: p.TokenID, Owner: p.Owner, Scopes: p.Scopes, CreatedAt: found.View.CreatedAt, ExpiresAt: p.ExpiresAt,
	}, "", nil
}
