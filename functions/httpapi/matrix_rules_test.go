package httpapi_test

import "slices"

// This file says who may do what. It is written from the design and reads nothing of
// the code: a rule that changes in the code must be changed here too.

// cell is one question: may this caller do this to that target?
type cell struct {
	verb
	caller caller
	holds  []string // the caller's actions on the realm security
	target target
}

// verdict is the expected code, "" for a success.
type verdict string

const yes verdict = ""

// statuses are the HTTP statuses of the verdicts.
var statuses = map[verdict]int{
	yes:                  200,
	"invalid_field":      400,
	"credential_missing": 401, "password_unsupported": 401, "token_invalid": 401, "token_disabled": 401, "token_expired": 401, "token_revoked": 401, "token_replaced": 401, "token_suspended": 401,
	"permission_denied": 403, "permission_denied_by_scope": 403, "permission_denied_by_source": 403, "permission_denied_by_owner": 403, "permission_denied_by_credential": 403,
	"not_found": 404, "not_found_revoked": 404,
	"token_ended": 409, "user_suspended": 409,
	"version_conflict":    412,
	"scope_exceeds_maker": 422, "source_ips_exceed_maker": 422, "expiry_outlives_maker": 422, "self_suspension": 422,
}

// want answers the question. The credential is judged first, then the scope, then
// the rule of the verb.
func want(c cell) verdict {
	switch {
	case c.open && c.rule != nil: // it refuses everybody
	case c.open:
		return yes
	case c.caller.denied != yes:
		return c.caller.denied
	case c.caller.limits == elsewhere && !c.noScope:
		return "permission_denied_by_scope"
	}
	return c.rule(c)
}

// first is the first refusal.
func first(all ...verdict) verdict {
	for _, v := range all {
		if v != yes {
			return v
		}
	}
	return yes
}

func unless(ok bool, otherwise verdict) verdict {
	if ok {
		return yes
	}
	return otherwise
}

func (c cell) has(action string) bool { return slices.Contains(c.holds, action) }

// own: users need no permission for their own tokens.
func (c cell) own() bool { return c.target.own }

// takes: for other users' tokens the caller needs the action.
func (c cell) takes(action string) verdict {
	return unless(c.own() || c.has(action), "permission_denied")
}

// current: the secret that a rotation replaced manages nothing.
func (c cell) current() verdict {
	return unless(c.caller.limits != outgoing, "permission_denied_by_credential")
}

// visible: a token that the caller may not view is a missing one.
func (c cell) visible() verdict {
	return unless(!c.target.missing && (c.own() || c.has("view")), "not_found")
}

// found: a revoked token is not found either, but who may view it learns that.
func (c cell) found() verdict {
	return first(c.visible(), unless(!c.target.revoked, "not_found_revoked"))
}

// changeable: no call changes an expired token, or a token of a suspended user.
func (c cell) changeable() verdict {
	return first(unless(!c.target.expired, "token_ended"), unless(!c.target.suspended, "user_suspended"))
}

// within: a token with scopes or ranges changes only tokens within its own bounds.
func (c cell) within() verdict {
	return unless(c.target.narrow || c.target.acting, c.beyond())
}

// beyond is the refusal of a token without any bounds: the caller's own bounds.
func (c cell) beyond() verdict {
	switch c.caller.limits {
	case covers:
		return "scope_exceeds_maker"
	case inside:
		return "source_ips_exceed_maker"
	}
	return yes
}

// outlives: used for its own user, an expiring token gives nothing a longer life.
func (c cell) outlives() verdict {
	return unless(c.caller.limits != expiring || !c.own(), "expiry_outlives_maker")
}

// handsOut: no secret, and no more power, of a user who may do what the caller may not.
func (c cell) handsOut() verdict {
	for _, action := range c.target.holds {
		if !c.own() && !c.has(action) {
			return "permission_denied_by_owner"
		}
	}
	return yes
}

// The rules of the verbs.

func allowed(cell) verdict { return yes }

func noPasswords(cell) verdict { return "password_unsupported" }

func shows(c cell) verdict { return c.found() }

func showsRevoked(c cell) verdict {
	return first(c.visible(), unless(c.target.revoked, "not_found"))
}

// showsPast: ended tokens keep their past.
func showsPast(c cell) verdict { return c.visible() }

func changes(c cell) verdict {
	return first(c.found(), c.current(), c.takes("edit"), c.changeable(), c.within())
}

// changesOld: only who may change the token learns that it has changed.
func changesOld(c cell) verdict {
	return first(c.found(), c.current(), c.takes("edit"), c.changeable(), "version_conflict")
}

func rotatesOld(c cell) verdict {
	return first(c.found(), c.current(), c.takes("create"), c.handsOut(), c.changeable(), "version_conflict")
}

// malformed: a body that is wrong for every token is refused before any is looked for.
func malformed(cell) verdict { return "invalid_field" }

// changesWrongly: a value that the rules refuse is not named if there is no such token.
func changesWrongly(c cell) verdict { return first(c.found(), c.current(), "invalid_field") }

// widens: more than narrowing is like a new secret, so it takes create too.
func widens(c cell) verdict {
	return first(changes(c), c.beyond(), c.outlives(), c.takes("create"), c.handsOut())
}

// prolongs is to widen the life only.
func prolongs(c cell) verdict {
	return first(changes(c), c.outlives(), c.takes("create"), c.handsOut())
}

func revokes(c cell) verdict { return first(c.found(), c.current(), c.takes("delete")) }

func rotates(c cell) verdict {
	longer := unless(c.target.acting, c.outlives())
	return first(c.found(), c.current(), c.takes("create"), c.handsOut(), c.changeable(), c.within(), longer)
}

// introspects: the answer about another user's token and about an unknown text is
// the same refusal.
func introspects(c cell) verdict { return c.takes("view") }

func creates(c cell) verdict {
	return first(c.current(), c.takes("create"), c.handsOut(), unless(!c.target.suspended, "user_suspended"))
}

func createsWide(c cell) verdict {
	return first(c.current(), c.takes("create"), c.handsOut(), c.beyond(), unless(!c.target.suspended, "user_suspended"), c.outlives())
}

func readsHistory(c cell) verdict { return c.takes("view") }

func readsAccount(c cell) verdict {
	return unless(c.own() || c.has("view") || c.has("edit"), "permission_denied")
}

func readsSettings(c cell) verdict {
	return unless(c.has("view") || c.has("edit"), "permission_denied")
}

// readsEvents: the events of all users take view, and edit shows none of them.
func readsEvents(c cell) verdict {
	return unless(c.has("view"), "permission_denied")
}

// governs: settings and limits take edit, for oneself too.
func governs(c cell) verdict {
	return first(c.current(), unless(c.has("edit"), "permission_denied"))
}

// grants: a holder of edit gives and takes only what it holds.
func grants(c cell) verdict {
	before := c.target.holds
	if c.own() {
		before = c.holds
	}
	for _, action := range []string{"view", "create", "edit", "delete"} {
		if slices.Contains(before, action) != slices.Contains(c.wants, action) && !c.has(action) {
			return first(governs(c), "permission_denied")
		}
	}
	return governs(c)
}

func suspends(c cell) verdict { return first(governs(c), unless(!c.own(), "self_suspension")) }

func offboards(c cell) verdict {
	return first(governs(c), unless(c.has("delete"), "permission_denied"), unless(!c.own(), "self_suspension"))
}

func managesSelf(c cell) verdict { return c.current() }
