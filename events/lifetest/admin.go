package lifetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// drawUserCommand draws a command about a whole user.
func (w *world) drawUserCommand(t *rapid.T, by caller) {
	owner := rapid.SampledFrom(users).Draw(t, "user")
	switch rapid.IntRange(0, 5).Draw(t, "command") {
	case 0, 1:
		w.suspend(t, by, owner)
	case 2, 3:
		for _, user := range users { // otherwise a history stops early
			if w.suspended[user] {
				owner = user
			}
		}
		if w.refused(t, "reinstate", errorOf(w.Reinstate(t.Context(), by.Principal, owner, "found"))) == "" {
			w.accepted(t, by, owner, settings.ActionEdit)
			delete(w.suspended, owner)
		}
	case 4:
		w.offboard(t, by, owner)
	case 5:
		w.setLimit(t, by, owner)
	}
}

func (w *world) suspend(t *rapid.T, by caller, owner string) {
	if w.refused(t, "suspend", errorOf(w.Suspend(t.Context(), by.Principal, owner, "lost a laptop"))) == "" {
		w.suspends(t, by, owner)
	}
}

// suspends adds a suspension to the truth. Users cannot suspend themselves.
func (w *world) suspends(t *rapid.T, by caller, owner string) {
	w.accepted(t, by, owner, settings.ActionEdit)
	w.suspended[owner] = true
	if by.Owner == owner {
		t.Fatalf("%s suspended itself", owner)
	}
}

func (w *world) offboard(t *rapid.T, by caller, owner string) {
	if rapid.IntRange(0, 1).Draw(t, "really") > 0 || w.refused(t, "offboard", errorOf(w.Offboard(t.Context(), by.Principal, owner, "left"))) != "" {
		return
	}
	w.suspends(t, by, owner)
	w.accepted(t, by, owner, settings.ActionDelete)
	for _, h := range w.tokens {
		if h.owner == owner && w.liveAt(h) {
			h.revoked = true
		}
	}
}

func (w *world) setLimit(t *rapid.T, by caller, owner string) {
	var limit *int
	if rapid.Bool().Draw(t, "own") {
		limit = new(rapid.IntRange(0, 8).Draw(t, "limit"))
	}
	if w.refused(t, "set a limit", errorOf(w.SetLimit(t.Context(), by.Principal, owner, limit))) != "" {
		return
	}
	if by.Credential != guard.CredentialCurrent || !w.holds(by.Owner, settings.ActionEdit) {
		t.Fatalf("%s with a secret that is %s set the limit of %s", by.Owner, by.Credential, owner)
	}
	if delete(w.limits, owner); limit != nil {
		w.limits[owner] = *limit
	}
}

// drawSettingsCommand draws a change of permissions or of settings.
func (w *world) drawSettingsCommand(t *rapid.T, by caller) {
	if rapid.Bool().Draw(t, "permissions") {
		actions := rapid.SliceOfNDistinct(rapid.SampledFrom(settings.Actions()), 0, 4, rapid.ID).Draw(t, "actions")
		w.grant(t, by.Principal, rapid.SampledFrom(users).Draw(t, "user"), actions)
		return
	}
	c := settings.Change{TokenLimit: new(rapid.IntRange(2, 8).Draw(t, "limit")), Expiration: new(24 * time.Hour * time.Duration(rapid.SampledFrom([]int{0, 1, 50}).Draw(t, "days")))}
	c.RotationGrace = new(time.Duration(rapid.IntRange(0, 120).Draw(t, "minutes")) * time.Minute)
	c.WarningDays = new(rapid.SampledFrom([][]int{{30, 7, 1}, {30, 7, 1}, {3}, {10, 2}}).Draw(t, "warning days"))
	got, err := w.ChangeSettings(t.Context(), by.Principal, c)
	if w.refused(t, "change the settings", err) != "" {
		return
	}
	w.edits(t, by.Principal)
	w.set.TokenLimit, w.set.Expiration, w.set.RotationGrace, w.set.WarningDays = *c.TokenLimit, *c.Expiration, *c.RotationGrace, *c.WarningDays
	if got.TokenLimit != w.set.TokenLimit || got.Expiration != w.set.Expiration || got.RotationGrace != w.set.RotationGrace {
		t.Fatalf("changing the settings to %+v: got %+v", w.set, got)
	}
}

// edits checks that a caller may change the settings.
func (w *world) edits(t *rapid.T, by guard.Principal) {
	if by.Credential != guard.CredentialCurrent || !w.holds(by.Owner, settings.ActionEdit) {
		t.Fatalf("%s with a secret that is %s changed the settings", by.Owner, by.Credential)
	}
}

func (w *world) grant(t *rapid.T, by guard.Principal, user string, actions []string) {
	_, err := w.SetPermissions(t.Context(), by, user, actions)
	if w.refused(t, "grant", err) != "" {
		return
	}
	w.edits(t, by)
	for _, action := range settings.Actions() {
		if slices.Contains(actions, action) != w.holds(user, action) && !w.holds(by.Owner, action) {
			t.Fatalf("%s has %v, and changed the permissions of %s from %v to %v", by.Owner, w.holders[by.Owner], user, w.holders[user], actions)
		}
	}
	if delete(w.holders, user); len(actions) > 0 {
		w.holders[user] = slices.DeleteFunc(settings.Actions(), func(a string) bool { return !slices.Contains(actions, a) })
	}
	if len(w.holdersOf(settings.ActionEdit)) == 0 {
		t.Fatal("nobody has the permission edit")
	}
}

// recover gives boss a new token, as an operator at the store does.
func (w *world) recover(t *rapid.T) {
	replace := rapid.Bool().Draw(t, "replace")
	live := w.live("boss")
	made, text, err := w.Bootstrap(t.Context(), "boss", replace)
	code := w.refused(t, "bootstrap", err)
	w.holders["boss"] = settings.Actions() // the first step, which may be done before a refusal
	switch {
	case code == token.CodeUserSuspended && w.suspended["boss"] && !replace:
		return
	case code == token.CodeLimitReached && live > token.MaxTokenLimit && !replace:
		return
	case code != "":
		t.Fatalf("a recovery with %d live tokens, suspended %v, replace %v: got %s", live, w.suspended["boss"], replace, code)
	}
	if replace {
		delete(w.suspended, "boss")
		for _, h := range w.tokens {
			h.revoked = h.revoked || h.owner == "boss" && w.liveAt(h)
		}
		w.closeWhere(func(s *signedIn) bool { return s.owner == "boss" && w.passes(s) })
	}
	w.hold(t, made, text)
}
