package lifetest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// keys are the idempotency keys that callers send. They are few, so callers use the
// keys of each other, and repeat requests of long ago.
var keys = []string{"", "", "key-of-sixteen-1", "key-of-sixteen-2"}

// rotation is a request to rotate a token.
type rotation struct {
	*held
	key   string
	grace *time.Duration
}

// form is the request as text. Two requests with one form are the same.
func (r rotation) form() string {
	if r.grace == nil {
		return r.id
	}
	return fmt.Sprint(r.id, *r.grace)
}

// drawRotate draws a rotation. A rotation with a key is often one of the acting
// token itself, and often its answer is lost. A caller with an outgoing secret
// mostly tries what may get it another one.
func (w *world) drawRotate(t *rapid.T, by caller) {
	r := rotation{held: w.drawToken(t, by), key: rapid.SampledFrom(keys).Draw(t, "key")}
	if by.Credential == guard.CredentialOutgoing {
		r.key = keys[2+rapid.IntRange(0, 1).Draw(t, "outgoing key")]
	}
	if own := w.find(by.parent()); own != nil && r.key != "" && rapid.IntRange(0, 2).Draw(t, "itself") > 0 {
		r.held = own
	}
	if r.key == "" && rapid.Bool().Draw(t, "a grace") || r.key != "" && rapid.IntRange(0, 5).Draw(t, "another grace") == 0 {
		r.grace = new(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
	}
	if code, again := w.rotate(t, by, r); code == "" && !again && r.key != "" && rapid.Bool().Draw(t, "a lost answer") {
		w.repeatRotation(t, by, r)
	}
}

// repeatRotation sends a rotation again whose answer was lost. A token that has
// rotated itself shows the secret that it has, which is the outgoing one now.
func (w *world) repeatRotation(t *rapid.T, by caller, r rotation) {
	repeat := func(t *rapid.T, by caller) {
		if code, again := w.rotate(t, by, r); code != "" || !again {
			t.Fatalf("the repeat of a rotation of token %s by %+v got %q, replayed %v, want the first answer", r.id, by, code, again)
		}
	}
	if by.TokenID != r.id {
		repeat(t, by)
	} else if old := (shown{r.held, len(r.secrets) - 2}); w.verdict(r.held, old.n, here) == "" {
		w.by(t, &old, repeat)
	}
}

// rotate sends a rotation, and returns the code of its refusal and whether it was
// answered with the answer of an earlier one.
func (w *world) rotate(t *rapid.T, by caller, r rotation) (code string, replayed bool) {
	earlier, known := w.earlier(by, "rotate", r.key)
	again := known && earlier.request == r.form()
	mayReplay := again && by.TokenID == r.id && r.current().Text().Reveal() == earlier.text
	live := w.live(r.owner)
	made, err := w.RotateOnce(t.Context(), by.Principal, issuer.RequestKey{Route: "rotate", Value: r.key}, r.id, nil, r.grace)
	code = w.refused(t, "rotate", err)
	switch {
	case code == token.CodeLimitReached:
		t.Fatal("a rotation was refused by the token limit")
	case code == issuer.CodeKeyReused && (!known || again):
		t.Fatalf("a rotation of token %s with the key %q: got %s, but it had no other request", r.id, r.key, code)
	case code != "" && by.Credential == guard.CredentialOutgoing && mayReplay:
		t.Fatalf("token %s rotated itself and lost the answer; its repeat got %s", r.id, code)
	case code != "":
		return code, false
	case known && !again:
		t.Fatalf("a rotation of token %s was accepted with the key of another request", r.id)
	case made.Replayed != again:
		t.Fatalf("a rotation of token %s with the key %q: replayed is %v, want %v", r.id, r.key, made.Replayed, again)
	case again && by.Credential == guard.CredentialOutgoing:
		w.replayedToOutgoing(t, by, made, earlier, mayReplay)
	case again:
		w.accepted(t, by, r.owner, settings.ActionCreate)
		w.replayed(t, by, made, earlier)
	default:
		w.rotated(t, by, r, made, live)
	}
	return "", again
}

// replayedToOutgoing checks the one answer that an outgoing secret gets.
func (w *world) replayedToOutgoing(t *rapid.T, by caller, made issuer.Minted, earlier reply, may bool) {
	w.seen["replay for an outgoing secret"]++
	if !may {
		t.Fatalf("an outgoing secret of token %s got the secret of token %s, without the key of its own rotation", by.TokenID, made.ID)
	}
	w.replayed(t, by, made, earlier)
}

// rotated adds a new secret to the truth. live is the number of live tokens of the
// owner before.
func (w *world) rotated(t *rapid.T, by caller, r rotation, made issuer.Minted, live int) {
	w.changed(t, by, r.held, settings.ActionCreate)
	h, shown, self := r.held, parsed(t, made.Text), by.TokenID == r.id
	length := w.set.RotationGrace
	if r.grace != nil {
		length = *r.grace
	}
	if self {
		length = max(length, 5*time.Minute)
	}
	h.secrets, h.outgoingUntil = append(h.secrets, shown), w.now.Add(length)
	for _, s := range w.sessions {
		if s.id == by.TokenID && s.from == h { // it has the new secret
			s.secrets = len(h.secrets)
		}
	}
	if outlives(h.outgoingUntil, h.expires) {
		h.outgoingUntil = h.expires
	}
	switch {
	case shown.ID != h.id || !made.ExpiresAt.Equal(h.expires) || !made.OutgoingUntil.Equal(h.outgoingUntil):
		t.Fatalf("a rotation of %+v got %+v", *h, made.Token)
	case w.live(h.owner) != live:
		t.Fatalf("a rotation changed the number of live tokens of %s from %d to %d", h.owner, live, w.live(h.owner))
	case self && r.grace != nil && *r.grace < 5*time.Minute, self && !h.selfRotated.IsZero() && w.now.Before(h.selfRotated.Add(5*time.Minute)):
		t.Fatalf("token %s rotated itself with the grace %v, and the last time at %v", h.id, r.grace, h.selfRotated)
	}
	if self {
		h.selfRotated = w.now
	}
	checkMakersLife(t, by, h)
	w.checkReach(t, by, made.Token)
	w.answered(by, "rotate", r.key, r.form(), made)
	w.handOut(by, h)
}

// earlier returns the answer that the acting token got for the key, if the key is
// not free again.
func (w *world) earlier(by caller, route, key string) (reply, bool) {
	r, found := w.replies[route+" "+by.TokenID+" "+key]
	return r, found && key != "" && w.now.Before(r.at.Add(24*time.Hour))
}

// answered adds an answer to the truth.
func (w *world) answered(by caller, route, key, request string, made issuer.Minted) {
	w.replies[route+" "+by.TokenID+" "+key] = reply{request: request, text: made.Text.Reveal(), at: w.now}
}

// replayed checks the answer of a repeat: the same secret, which still is the
// current one of a live token.
func (w *world) replayed(t *rapid.T, by caller, made issuer.Minted, earlier reply) {
	w.seen["replay"]++
	h := w.find(made.ID)
	if h == nil || made.Text.Reveal() != earlier.text || h.current().Text().Reveal() != earlier.text || !w.liveAt(h) {
		t.Fatalf("a repeat got token %s, whose truth is %+v, want the secret of the first answer", made.ID, h)
	}
	if !outlives(h.expires, w.theft.until) { // otherwise its owner prolonged the token since
		w.handOut(by, h)
	}
}
