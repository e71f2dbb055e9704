package lifetest

import (
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/scope"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// common and rare are the commands, the types of records, and the codes of refusals
// and denials that random histories must have. The code of a secret that passes is
// empty.
var (
	common = []string{
		"create", "replay", "replay for an outgoing secret", "update", "rotate", "revoke", "revoke with children", "show a current secret", "show an outgoing secret", "suspend", "reinstate",
		"grant", "change the settings", "sweep", "get the past", "list", "bootstrap", "theft",
		"sign in", "open a session", "sign out", "a call of a session", "theft of a session", "SessionOpened", "SessionClosed",
		"TokenCreated", "TokenUpdated", "TokenDisabled", "TokenEnabled", "TokenRotated", "TokenRevoked", "TokenExpired",
		"UserSuspended", "UserReinstated", "TokenExpiring",
		token.CodeLimitReached, token.CodeExpiryOutlives, token.CodeDeniedByCredential, token.CodeNotFoundRevoked,
		token.CodeRotatedRecently, token.CodeGraceTooShort, token.CodePermissionDenied, token.CodeScopeExceeds, token.CodeSourceIPsExceed,
		guard.CodeInvalid, guard.CodeRevoked, guard.CodeExpired, guard.CodeReplaced, guard.CodeSuspended, guard.CodeDisabled, guard.CodeWrongSource, "",
	}
	rare = []string{
		"offboard", "set a limit", "OwnerLimitChanged",
		token.CodeUserSuspended, token.CodeEnded, token.CodeExpiryTooLate, token.CodeDeniedByOwner, issuer.CodeTokenRotated, issuer.CodeKeyReused,
	}
)

// actions are the steps of a history. The step without a name is the check after
// each of the others.
func (w *world) actions() map[string]func(*rapid.T) {
	some := func(verb func(*rapid.T, caller)) func(*rapid.T) {
		return func(t *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(t, "commands") {
				w.by(t, w.honest(t), verb)
			}
		}
	}
	return map[string]func(*rapid.T){
		"create": some(w.drawCreate), "update": some(w.drawUpdate), "switch": some(w.drawSwitch), "rotate": some(w.drawRotate),
		"shorten": some(w.shorten), "family": some(w.drawFamily), "narrow and widen": some(w.narrow),
		"sign in": w.signIn, "use a session": w.useSession, "steal a session": w.stealSession,
		"revoke": some(w.drawRevoke), "user": some(w.drawUserCommand), "admin": some(w.drawSettingsCommand),
		"show": w.show, "recover": w.recover, "sweep": w.sweep, "read": some(w.drawRead), "steal": w.steal, "attack": w.attack, "attack again": w.attack,
		"wait": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
		},
		"wait for days": w.waitForDays, "wait for a warning": w.waitForAWarning,
		"wait a little": func(t *rapid.T) {
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40*60).Draw(t, "seconds")) * time.Second)
		},
		"": w.check,
	}
}

// caller gives a command with a secret that passes.
type caller struct {
	guard.Principal
	thief bool
}

// honest draws a caller who shows a secret that the thief does not have: mostly a
// current one, sometimes an outgoing one.
func (w *world) honest(t *rapid.T) *shown {
	outgoing := rapid.IntRange(0, 9).Draw(t, "outgoing") == 0
	return w.drawSecret(t, func(s shown) bool { return s.outgoing() == outgoing && !w.theft.knows(s.held) })
}

// shown is one secret of a token.
type shown struct {
	*held
	n int
}

func (s shown) outgoing() bool { return s.n == len(s.secrets)-2 }

// drawSecret draws one of the secrets that pass, nil if there is none.
func (w *world) drawSecret(t *rapid.T, fits func(shown) bool) *shown {
	var all []shown
	for _, h := range w.tokens {
		for n := range h.secrets {
			if s := (shown{h, n}); w.verdict(h, n, here) == "" && fits(s) {
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &all[rapid.IntRange(0, len(all)-1).Draw(t, "secret")]
}

// by authenticates a secret as a call does, and gives a command. Sometimes the
// first write of the command is lost, or only its answer.
func (w *world) by(t *rapid.T, s *shown, verb func(*rapid.T, caller)) {
	if s == nil {
		return
	}
	if s.used.IsZero() || w.now.Sub(s.used) >= events.TouchEvery {
		s.used = w.now
	}
	p, err := w.Guard().Check(t.Context(), s.secrets[s.n], here)
	if err != nil || p.Owner != s.owner || p.TokenID != s.id || (p.Credential == guard.CredentialOutgoing) != s.outgoing() {
		t.Fatalf("a secret of token %s: got %+v, %v, want that it passes", s.id, p, err)
	}
	w.fault = rapid.SampledFrom([]storetest.Fault{storetest.None, storetest.None, storetest.None, storetest.None, storetest.Unapplied, storetest.Unanswered}).Draw(t, "fault")
	verb(t, caller{Principal: p, thief: w.theft.knows(s.held)})
	w.fault = storetest.None
}

// accepted checks what holds for every command that was not refused: the secret
// was the current one, and the caller holds the permission or is the owner.
func (w *world) accepted(t *rapid.T, by caller, owner, action string) {
	switch {
	case by.Credential != guard.CredentialCurrent:
		t.Fatalf("an outgoing secret of %s managed something of %s", by.Owner, owner)
	case owner != by.Owner && !w.may(by, action):
		t.Fatalf("%s needs the permission %s for %s, and has %v and %v", by.Owner, action, owner, w.holders[by.Owner], by.Permissions)
	}
	for _, more := range w.holders[owner] {
		if action == settings.ActionCreate && owner != by.Owner && !w.may(by, more) {
			t.Fatalf("%s has %v, and got a secret of %s, who has %v, or prolonged one", by.Owner, w.holders[by.Owner], owner, w.holders[owner])
		}
	}
}

func (w *world) drawOwner(t *rapid.T, by caller) string {
	return rapid.SampledFrom(append([]string{by.Owner, by.Owner, by.Owner, by.Owner}, users...)).Draw(t, "owner")
}

// drawLifetime draws a lifetime, sometimes one that is long enough for warnings.
// Zero is none.
func (w *world) drawLifetime(t *rapid.T) time.Duration {
	if rapid.IntRange(0, 3).Draw(t, "a long life") == 0 {
		return time.Duration(rapid.IntRange(20, 40*24).Draw(t, "hours")) * time.Hour
	}
	return time.Duration(max(0, rapid.IntRange(-5, 20).Draw(t, "hours"))) * time.Hour
}

func prefixes(texts ...string) (ps []netip.Prefix) {
	for _, p := range texts {
		ps = append(ps, netip.MustParsePrefix(p))
	}
	return ps
}

func (w *world) drawWish(t *rapid.T) token.Wish {
	return token.Wish{
		Name:      rapid.SampledFrom([]string{"", "deploy"}).Draw(t, "name"),
		ExpiresIn: w.drawLifetime(t),
		Scopes:    rapid.SampledFrom([][]string{nil, nil, nil, {"* /v1/*"}, {"GET /v1/things"}}).Draw(t, "scopes"),
		SourceIPs: rapid.SampledFrom([][]netip.Prefix{nil, nil, nil, prefixes("10.0.0.0/8"), prefixes("10.1.0.0/16"), prefixes("192.0.2.0/24")}).Draw(t, "ranges"),
	}
}

// drawCreate draws a creation. A creation with a key always has the same wish, so
// its repeats are the same request. Often its answer is lost, also that for the last
// token below the limit.
func (w *world) drawCreate(t *rapid.T, by caller) {
	key := rapid.SampledFrom(keys).Draw(t, "key")
	if key == "" {
		w.createBy(t, by, w.drawOwner(t, by), w.drawWish(t), "")
		return
	}
	if w.createBy(t, by, by.Owner, token.Wish{}, key) == "" && rapid.Bool().Draw(t, "a lost answer") {
		if code := w.createBy(t, by, by.Owner, token.Wish{}, key); code != "" {
			t.Fatalf("the repeat of a create by %+v got %s, want the first answer", by, code)
		}
	}
}

func (w *world) create(t *rapid.T, by guard.Principal, owner string, wish token.Wish, key string) {
	w.createBy(t, caller{by, w.theft.knows(w.find(by.TokenID))}, owner, wish, key)
}

// createBy creates a token, and returns the code of the refusal.
func (w *world) createBy(t *rapid.T, by caller, owner string, wish token.Wish, key string) string {
	live, limit := w.live(owner), w.limitOf(owner)
	earlier, again := w.earlier(by, "create", key)
	made, err := w.CreateOnce(t.Context(), by.Principal, issuer.RequestKey{Route: "create", Value: key}, owner, wish)
	code := w.refused(t, "create", err)
	switch {
	case code == token.CodeLimitReached && live < limit:
		t.Fatalf("%d tokens of %s are live and %d are allowed, but the limit refused a token", live, owner, limit)
	case code != "":
		return code
	case made.Replayed != again:
		t.Fatalf("a create with the key %q: replayed is %v, want %v", key, made.Replayed, again)
	}
	w.accepted(t, by, owner, settings.ActionCreate)
	if made.Replayed {
		w.replayed(t, by, made, earlier)
		return ""
	}
	switch {
	case live >= limit:
		t.Fatalf("%d tokens of %s are live and %d are allowed, but a token was made", live, owner, limit)
	case w.suspended[owner]:
		t.Fatalf("%s is suspended, but a token was made", owner)
	case made.Owner != owner || wish.Name != "" && made.Name != wish.Name || !made.CreatedAt.Equal(w.now) || !made.ExpiresAt.Equal(w.wantExpiry(by, owner, wish)):
		t.Fatalf("%s asked for %+v for %s, and got %+v", by.Owner, wish, owner, made.Token)
	}
	h := w.hold(t, made.Token, made.Text)
	h.creator = by.Owner
	if owner == by.Owner {
		h.madeWith = by.parent()
	}
	w.checkLife(t, by, h)
	w.checkReach(t, by, made.Token)
	w.answered(by, "create", key, "", made)
	w.handOut(by, h)
	return ""
}

// wantExpiry is the end of a new token: what the wish says, or else the maximum or
// the end of the maker's token, whichever is earlier.
func (w *world) wantExpiry(by caller, owner string, wish token.Wish) (end time.Time) {
	if wish.ExpiresIn > 0 {
		return w.now.Add(wish.ExpiresIn)
	}
	if w.set.Expiration > 0 {
		end = w.now.Add(w.set.Expiration)
	}
	if own := by.life(); owner == by.Owner && !own.IsZero() && (end.IsZero() || own.Before(end)) {
		end = own
	}
	return end
}

// checkLife: no life becomes longer than the maximum, or than that of the acting
// token.
func (w *world) checkLife(t *rapid.T, by caller, h *held) {
	if w.set.Expiration > 0 && outlives(h.expires, h.created.Add(w.set.Expiration)) {
		t.Fatalf("the maximum lifetime is %v, but the token made at %v ends at %v", w.set.Expiration, h.created, h.expires)
	}
	checkMakersLife(t, by, h)
}

func checkMakersLife(t *rapid.T, by caller, h *held) {
	if h.owner == by.Owner && outlives(h.expires, by.life()) {
		t.Fatalf("a %s of %s that may give lives until %v gave one until %v", by.Kind, by.Owner, by.life(), h.expires)
	}
}

// checkReach: a token gives another one no scopes and ranges beyond its own.
func (w *world) checkReach(t *rapid.T, by caller, got issuer.Token) {
	if !scope.Within(got.Scopes, by.Scopes) || !within(got.SourceIPs, by.SourceIPs) {
		t.Fatalf("a token with the scopes %v and the ranges %v gave %+v", by.Scopes, by.SourceIPs, got)
	}
}

// outlives reports whether an end is later than another one. Zero is never.
func outlives(end, than time.Time) bool {
	return !than.IsZero() && (end.IsZero() || end.After(than))
}

// drawToken draws a token, mostly a live one of the caller's owner.
func (w *world) drawToken(t *rapid.T, by caller) *held {
	all := w.tokens
	switch rapid.IntRange(0, 6).Draw(t, "whose") {
	case 0:
	case 1:
		if live := w.liveTokens(func(*held) bool { return true }); len(live) > 0 {
			all = live // in a long history every token may have ended
		}
	case 2:
		if own := w.find(by.parent()); own != nil {
			all = []*held{own}
		}
	default:
		if own := w.liveTokens(func(h *held) bool { return h.owner == by.Owner }); len(own) > 0 {
			all = own // a session may act for an owner without a live token
		}
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(t, "token")]
}

func (w *world) liveTokens(fit func(*held) bool) (all []*held) {
	for _, h := range w.tokens {
		if w.liveAt(h) && fit(h) {
			all = append(all, h)
		}
	}
	return all
}

// changed checks what holds for every change of a token that was not refused.
func (w *world) changed(t *rapid.T, by caller, h *held, action string) {
	w.accepted(t, by, h.owner, action)
	if !w.liveAt(h) || w.suspended[h.owner] {
		t.Fatalf("a command of %s changed a token that has ended or whose owner is suspended: %+v", by.Owner, *h)
	}
}

// holdersOf are the users with an action, in a fixed order.
func (w *world) holdersOf(action string) (names []string) {
	for user := range w.holders {
		if w.holds(user, action) {
			names = append(names, user)
		}
	}
	slices.Sort(names)
	return names
}
