package token

import (
	"net/netip"
	"time"

	"apitoken/events/scope"
)

// Operator is the owner key of an operator, who acts at the store itself and
// shows no token. No user can have this key, because its domain has no users.
const Operator = "API_OPERATOR_DOMAIN:operator"

// Maker is the caller as the rules see it: the owner that acts, the limits of
// the token that it uses, and its permissions on the realm "security". A maker is
// for commands about one owner, because LacksActions depends on that owner.
type Maker struct {
	Owner     string
	TokenID   string         // the acting token; empty for an operator
	Scopes    []string       // of the acting token; none: all calls
	SourceIPs []netip.Prefix // of the acting token; none: all addresses
	ExpiresAt time.Time      // of the acting token; zero: never

	MayCreate, MayEdit, MayDelete bool // for other users' tokens

	// LacksActions says that the owner may do an action on other users' tokens
	// that the maker may not do.
	LacksActions bool

	// Operator marks a maker that acts at the store itself and not through a
	// token. It has every permission, and no acting token limits what it makes.
	// The token limit and the maximum lifetime apply to it too, the change rate
	// does not.
	Operator bool
}

// allowed reports whether the maker acts for itself, holds the permission, or is
// an operator.
func (m Maker) allowed(owner string, permission bool) bool {
	return m.Operator || m.Owner == owner || permission
}

// checkHandOut refuses a maker that may not get a new secret of the owner. Such a
// secret acts for the owner, with all permissions of the owner. So without the
// second rule, a holder of create alone could get every permission.
func (m Maker) checkHandOut(owner string) error {
	switch {
	case !m.allowed(owner, m.MayCreate):
		return refuse(CodePermissionDenied, fieldUser, `creating a token for another user needs the permission create on the realm "security"`)
	case m.LacksActions && m.Owner != owner && !m.Operator:
		return refuse(CodeDeniedByOwner, fieldUser, `the user has a permission on the realm "security" that you do not have; you may create tokens only for users without such a permission`)
	}
	return nil
}

// checkBounds refuses scopes and source ranges that go beyond those of the
// token that the maker uses. So a token cannot make a token that may do more, or
// that may be used from more addresses.
func (m Maker) checkBounds(scopes []string, ranges []netip.Prefix) error {
	switch {
	case m.Operator:
		return nil
	case !scope.Within(scopes, m.Scopes):
		return refuse(CodeScopeExceeds, fieldScopes, "the scopes exceed the scopes of the token that you use; give one scope or more, each within a scope of that token")
	case !rangesWithin(ranges, m.SourceIPs):
		return refuse(CodeSourceIPsExceed, fieldSourceIPs, "the source ranges exceed the source ranges of the token that you use; give one range or more, each within a range of that token")
	}
	return nil
}

// latestExpiry is the latest expiry that the maker's own token allows for a
// token of the owner, zero if it sets no limit. Without this limit, the holder of
// an expiring token could make a token that lives longer. The limit applies to
// holders of permissions too: a leaked administrator's token must end in time.
func (m Maker) latestExpiry(owner string) time.Time {
	if m.Operator || m.Owner != owner {
		return time.Time{}
	}
	return utc(m.ExpiresAt)
}
