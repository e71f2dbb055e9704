package token

import (
	"net/netip"
	"time"
)

// Maker is the caller as the rules see it: the owner that acts, the limits of
// the token that it uses, and its permissions on the realm "security".
type Maker struct {
	Owner     string
	TokenID   string         // the token that acts; empty for an operator
	Scopes    []string       // that token's; none: everything
	SourceIPs []netip.Prefix // that token's; none: from anywhere
	ExpiresAt time.Time      // that token's; zero: never

	MayCreate, MayEdit, MayDelete bool // for other users' tokens

	// Operator acts at the store itself and not through a token: every
	// permission, no delegation. The limit and the maximum lifetime hold.
	Operator bool
}

// may reports whether the maker acts for itself, or holds the permission.
func (m Maker) may(owner string, permission bool) bool {
	return m.Operator || m.Owner == owner || permission
}

// checkBounds refuses scopes and source ranges that go beyond those of the
// token that the maker uses. So a token makes no token that may do more, or that
// may be used from more places.
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
// token of the owner, zero if it sets none. It prevents that an expiring token
// lives on in a token that it makes.
func (m Maker) latestExpiry(owner string) time.Time {
	if m.Operator || m.MayCreate || m.Owner != owner {
		return time.Time{}
	}
	return utc(m.ExpiresAt)
}
