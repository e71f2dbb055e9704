package token

import (
	"net/netip"
	"time"
)

// Maker is the caller as the rules see it: the owner that acts, the limits of
// the token that it uses, and its permissions on the realm "security".
type Maker struct {
	Owner     string
	TokenID   string         // the acting token; empty for an operator
	Scopes    []string       // of the acting token; none: all calls
	SourceIPs []netip.Prefix // of the acting token; none: all addresses
	ExpiresAt time.Time      // of the acting token; zero: never

	MayCreate, MayEdit, MayDelete bool // for other users' tokens

	// Operator marks a maker that acts at the store itself and not through a
	// token. It has every permission, and no acting token limits what it makes.
	// The token limit and the maximum lifetime apply to it too.
	Operator bool
}

// allowed reports whether the maker acts for itself, holds the permission, or is
// an operator.
func (m Maker) allowed(owner string, permission bool) bool {
	return m.Operator || m.Owner == owner || permission
}

// CheckRevoke refuses a maker that may not revoke the owner's tokens.
func (m Maker) CheckRevoke(owner string) error {
	if m.allowed(owner, m.MayDelete) {
		return nil
	}
	return refuse(CodePermissionDenied, "", `revoking another user's token needs the permission delete on the realm "security"`)
}

// checkBounds refuses scopes and source ranges that go beyond those of the
// token that the maker uses. So a token cannot make a token that may do more, or
// that may be used from more addresses.
func (m Maker) checkBounds(scopes []string, ranges []netip.Prefix) error {
	switch {
	case m.Operator:
		return nil
	case !Within(scopes, m.Scopes):
		return refuse(CodeScopeExceeds, fieldScopes, "the scopes exceed the scopes of the token that you use; give one scope or more, each within a scope of that token")
	case !rangesWithin(ranges, m.SourceIPs):
		return refuse(CodeSourceIPsExceed, fieldSourceIPs, "the source ranges exceed the source ranges of the token that you use; give one range or more, each within a range of that token")
	}
	return nil
}

// latestExpiry is the latest expiry that the maker's own token allows for a
// token of the owner, zero if it sets no limit. Without this limit, the holder of
// an expiring token could make a token that lives longer.
func (m Maker) latestExpiry(owner string) time.Time {
	if m.Operator || m.MayCreate || m.Owner != owner {
		return time.Time{}
	}
	return utc(m.ExpiresAt)
}
