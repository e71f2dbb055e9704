package lifetest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/events/scope"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

func (w *world) drawUpdate(t *rapid.T, by caller) {
	u := token.Update{Wish: w.drawWish(t), EndOutgoing: rapid.Bool().Draw(t, "end the outgoing secret")}
	u.Given = token.Members{
		Name: rapid.Bool().Draw(t, "a name"), Expiry: rapid.IntRange(0, 2).Draw(t, "expiry") == 0,
		Scopes: rapid.IntRange(0, 3).Draw(t, "given scopes") == 0, SourceIPs: rapid.IntRange(0, 3).Draw(t, "given ranges") == 0,
	}
	if u.Given.Expiry {
		u.ExpiresIn *= 2
	}
	w.update(t, by, w.drawToken(t, by), u)
}

// drawSwitch disables or enables a token.
func (w *world) drawSwitch(t *rapid.T, by caller) {
	h := w.drawToken(t, by)
	for _, x := range w.tokens { // otherwise few are enabled again
		if x.owner == by.Owner && x.disabled && rapid.Bool().Draw(t, "a disabled one") {
			h = x
		}
	}
	w.update(t, by, h, token.Update{Enabled: new(h.disabled)})
}

// shorten gives a token a short life, often in the grace of its outgoing secret,
// and then sometimes a longer one.
func (w *world) shorten(t *rapid.T, by caller) {
	h := w.drawToken(t, by)
	for range rapid.IntRange(1, 2).Draw(t, "moves") {
		end := w.now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "minutes")) * time.Minute)
		w.update(t, by, h, token.Update{Wish: token.Wish{ExpiresAt: end}, Given: token.Members{Expiry: true}})
	}
}

// narrow gives a token less, and then sometimes more again.
func (w *world) narrow(t *rapid.T, by caller) {
	h := w.drawToken(t, by)
	for range rapid.IntRange(1, 2).Draw(t, "changes") {
		wish := w.drawWish(t)
		w.update(t, by, h, token.Update{Wish: wish, Given: token.Members{Scopes: true, SourceIPs: true}})
	}
}

func (w *world) update(t *rapid.T, by caller, h *held, u token.Update) {
	got, err := w.Update(t.Context(), by.Principal, h.id, u)
	if w.refused(t, "update", err) != "" {
		return
	}
	w.changed(t, by, h, settings.ActionEdit)
	if u.EndOutgoing && w.now.Before(h.outgoingUntil) {
		h.outgoingUntil = w.now
	}
	if u.Given.Name {
		h.name = cmp.Or(u.Name, got.Name) // a token without a name gets one
	}
	if u.Given.Expiry {
		w.moveExpiry(t, by, h, u.Wish)
	}
	if u.Given.Scopes {
		w.widens(t, by, h, scope.Within(u.Scopes, h.scopes))
		h.scopes = u.Scopes
	}
	if u.Given.SourceIPs {
		w.widens(t, by, h, within(u.SourceIPs, h.ranges))
		h.ranges = u.SourceIPs
	}
	if u.Enabled != nil {
		if h.disabled && *u.Enabled {
			checkMakersLife(t, by, h)
		}
		h.disabled = !*u.Enabled
	}
	if !got.ExpiresAt.Equal(h.expires) || got.Disabled != h.disabled || got.Name != h.name {
		t.Fatalf("an update with %+v got %+v, want %+v", u, got, *h)
	}
	w.checkReach(t, by, got)
}

// moveExpiry gives a token another end. A lifetime begins with the creation of the
// token; no end is for ever.
func (w *world) moveExpiry(t *rapid.T, by caller, h *held, wish token.Wish) {
	end := wish.ExpiresAt
	if wish.ExpiresIn > 0 {
		end = h.created.Add(wish.ExpiresIn)
	}
	if end.Equal(h.expires) {
		return
	}
	w.widens(t, by, h, !outlives(end, h.expires))
	h.expires = end
	if !end.IsZero() && h.outgoingUntil.After(end) {
		h.outgoingUntil = end
	}
	w.checkLife(t, by, h)
	if !by.thief {
		w.theft.drop(h)
	}
}

// widens checks that a token of another user gets more only from a caller who may
// also make such a token.
func (w *world) widens(t *rapid.T, by caller, h *held, less bool) {
	if !less {
		w.accepted(t, by, h.owner, settings.ActionCreate)
	}
}

func (w *world) drawRevoke(t *rapid.T, by caller) {
	if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		return
	}
	h := w.drawToken(t, by)
	for _, x := range w.tokens {
		if x.owner == by.Owner && !x.revoked && !w.liveAt(x) && rapid.IntRange(0, 3).Draw(t, "an expired one") == 0 {
			h = x
		}
	}
	if rapid.Bool().Draw(t, "with children") {
		w.revokeFamily(t, by, h)
		return
	}
	if w.refused(t, "revoke", w.Revoke(t.Context(), by.Principal, h.id)) == "" {
		w.accepted(t, by, h.owner, settings.ActionDelete)
		h.revoked = h.revoked || w.liveAt(h)
	}
}

// show lets somebody who has a secret end what the secret gives, if it still gives
// something. Sometimes the first write is lost, or only its answer.
func (w *world) show(t *rapid.T) {
	h := w.tokens[rapid.IntRange(0, len(w.tokens)-1).Draw(t, "token")]
	s := shown{h, rapid.IntRange(0, len(h.secrets)-1).Draw(t, "secret")}
	if o := w.drawSecret(t, shown.outgoing); o != nil && rapid.IntRange(0, 3).Draw(t, "an outgoing one") > 0 {
		s, h = *o, o.held
	}
	code := w.verdict(h, s.n, here)
	w.fault = rapid.SampledFrom([]storetest.Fault{storetest.None, storetest.None, storetest.Unapplied, storetest.Unanswered}).Draw(t, "fault")
	p, err := w.RevokeShown(t.Context(), s.secrets[s.n].Text().Reveal(), here)
	w.fault = storetest.None
	if err != nil || (p.TokenID == h.id) != (code != guard.CodeInvalid) {
		t.Fatalf("showing secret %d of %d of token %s, which gets %q: got %+v, %v", s.n+1, len(h.secrets), h.id, code, p, err)
	}
	switch {
	case slices.Contains([]string{guard.CodeInvalid, guard.CodeRevoked, guard.CodeExpired, guard.CodeReplaced}, code):
		w.seen["show a useless secret"]++
	case s.outgoing():
		w.seen["show an outgoing secret"]++
		h.outgoingUntil = w.now
	default:
		w.seen["show a current secret"]++
		h.revoked = true
	}
}

// drawFamily makes tokens with each other, revokes one of them, and then the first
// one with its children.
func (w *world) drawFamily(t *rapid.T, by caller) {
	maker, family := by, []*held{w.find(by.TokenID)}
	for range rapid.IntRange(1, 3).Draw(t, "generations") {
		tokens := len(w.tokens)
		w.createBy(t, maker, by.Owner, token.Wish{}, "")
		if len(w.tokens) == tokens {
			return
		}
		child := w.tokens[tokens]
		family = append(family, child)
		maker = caller{w.principal(t, child), by.thief}
	}
	n := rapid.IntRange(1, len(family)-1).Draw(t, "revoked")
	if w.refused(t, "revoke", w.Revoke(t.Context(), by.Principal, family[n].id)) == "" {
		family[n].revoked = true
		w.revokeFamily(t, by, family[rapid.IntRange(1, len(family)-1).Draw(t, "with children")])
	}
}

// revokeFamily revokes a token with its children. If the token was live, each live
// token that was made with it, or with its children, must end. A token that had
// ended may have lost the children of its children to a token that is live.
func (w *world) revokeFamily(t *rapid.T, by caller, h *held) {
	was := w.liveAt(h)
	if w.refused(t, "revoke with children", w.RevokeWithChildren(t.Context(), by.Principal, h.id)) != "" {
		return
	}
	w.accepted(t, by, h.owner, settings.ActionDelete)
	for _, member := range w.family(h) {
		if !w.liveAt(member) {
			continue
		}
		v, _, err := w.store.Token(t.Context(), member.id)
		if err != nil {
			t.Fatal(err)
		}
		if was && v.Ended == "" {
			t.Fatalf("token %s was revoked with its children, but its child %s is live", h.id, member.id)
		}
		member.revoked = v.Ended != ""
	}
}

// family is a token and all that were made with it or with one of its family.
func (w *world) family(h *held) []*held {
	all := []*held{h}
	for i := 0; i < len(all); i++ {
		for _, x := range w.tokens {
			if x.madeWith == all[i].id && !slices.Contains(all, x) {
				all = append(all, x)
			}
		}
	}
	return all
}
