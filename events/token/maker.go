package token

import (
	"net/netip"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
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
	ExpiresAt time.Time      // of the acting token; of a session the end of what it may make; zero: never
	Outgoing  bool           // the acting token showed its outgoing secret, which manages no tokens

	// Own says that the acting token is a token of the owner of the command, so the
	// owner's state has it as it is at the time of the command. Rotated is the sequence
	// of its last rotation when its secret was checked.
	Own     bool
	Rotated uint64

	// Session says that the acting token is a session. OpenedWith is the token of the
	// owner that the session was opened with: the owner's state must have it, and it
	// made what the session makes. Empty: none.
	Session    bool
	OpenedWith string

	Permissions []string // actions of the session, which are among those below

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

// Cause is why the maker ends a token of the owner.
func (m Maker) Cause(owner string) events.Cause {
	if !m.Operator && m.Owner == owner {
		return events.CauseUser
	}
	return events.CauseAdmin
}

// checkHandOut refuses a maker that may not get a new secret of the owner. Such a
// secret acts for the owner, with all permissions of the owner. So without the
// second rule, a holder of create alone could get every permission.
// field is the member of the request that names the owner; empty if none does.
func (m Maker) checkHandOut(owner, field string) error {
	switch {
	case !m.allowed(owner, m.MayCreate):
		return refuse(CodePermissionDenied, field, `creating or rotating a token of another user needs the permission create on the realm "security"`)
	case m.LacksActions && m.Owner != owner && !m.Operator:
		return refuse(CodeDeniedByOwner, field, `the user has a permission on the realm "security" that you do not have; you may create, rotate and extend tokens only of users without such a permission`)
	}
	return nil
}

// checkWiden refuses a maker that may not let a token of the owner do more. The
// maker may know the secret of that token, so this is like a new secret.
func (m Maker) checkWiden(owner string) error {
	if !m.allowed(owner, m.MayCreate) {
		return refuse(CodePermissionDenied, "", `without the permission create on the realm "security" you may only narrow the scopes, the source ranges and the lifetime of another user's token`)
	}
	return m.checkHandOut(owner, "")
}

// checkCredential refuses a maker with an outgoing secret. So a rotation ends
// what a leaked secret can do to the tokens of its owner, grace or not.
func (m Maker) checkCredential() error {
	if m.Outgoing {
		return refuse(CodeDeniedByCredential, "", "a secret that a rotation has replaced manages no tokens; use the new secret")
	}
	return nil
}

// checkActing refuses a maker whose own token has ended, was disabled or got another
// secret since its secret was checked. Otherwise a call that began before a
// revocation with children could make a child after it, and a call that began before
// a rotation could replace the new secret. The state of another owner does not have
// the acting token.
//
// A session that was opened with a token of the owner ends with that token. The owner's
// state does not have the session itself.
func (m Maker) checkActing(s State, at time.Time) error {
	if m.OpenedWith != "" {
		if v, found := s.Find(m.OpenedWith); found && v.StateAt(at) == events.StateActive {
			return nil
		}
		return refuse(CodeDeniedByCredential, "", "the token that opened your session has ended or is disabled, so the session manages no tokens")
	}
	if !m.Own {
		return nil
	}
	v, found := s.Find(m.TokenID)
	if found && v.StateAt(at) == events.StateActive && v.Rotated == m.Rotated {
		return nil
	}
	return refuse(CodeDeniedByCredential, "", "while this call was running, the token that you use ended, was disabled or got a new secret; it manages no tokens")
}

// checkToken refuses a maker that may not change this token, because the token
// goes beyond the bounds of the maker's own token.
func (m Maker) checkToken(v events.View) error { return m.checkBounds(v.Scopes, v.SourceIPs) }

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

// checkSecret refuses a maker that may not get a secret of the token with this
// view: one beyond the bounds of the maker's own token, or one that outlives it.
func (m Maker) checkSecret(v events.View) error {
	if err := m.checkToken(v); err != nil {
		return err
	}
	return m.checkLife(v)
}

// checkLife refuses a maker whose own token ends before the token with this view. Such a
// maker gets no secret of the token, does not let it do more and does not enable it:
// whoever knows the secret of a narrow or disabled token could otherwise keep for ever
// what the maker may do for a while.
func (m Maker) checkLife(v events.View) error {
	if makers := m.latestExpiry(v.Owner); outlives(v.ExpiresAt, makers) {
		return refuse(CodeExpiryOutlives, "", "the token expires later than the token that you use, at %s; use a token that lives as long", instant.Format(makers))
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
	return instant.Cut(m.ExpiresAt)
}
