package attacktest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// notingStore notes the keys of the replies that are written.
type notingStore struct {
	Store
	keys []string
}

func (s *notingStore) Commit(ctx context.Context, c events.Commit) error {
	if r := c.Effect().Reply; r != nil && !slices.Contains(s.keys, r.Key) {
		s.keys = append(s.keys, r.Key)
	}
	return s.Store.Commit(ctx, c)
}

// once creates a token of ann with a request key.
func (x *scene) once(value string) (issuer.Minted, error) {
	by := ann
	by.TokenID = "JhxND7ci"
	return x.CreateOnce(x.Context(), by, issuer.RequestKey{Route: "POST /x", Value: value}, "", token.Wish{Name: value})
}

// replyBelongsToItsRequest: a changed reply, a reply of another request and an old
// reply never answer a request. They are faults; an old reply counts as none.
func replyBelongsToItsRequest(t *testing.T, open func(*testing.T) Store) {
	store := &notingStore{Store: open(t)}
	x := newScene(t, store)
	first, err := x.once("the first request")
	_, err2 := x.once("the second request")
	if err := errors.Join(err, err2); err != nil || len(store.keys) != 2 {
		t.Fatalf("got %v and the keys %q, want two replies", err, store.keys)
	}
	key, other := x.ReplyKey(store.keys[0]), x.ReplyKey(store.keys[1])
	x.eachMember(key, other, func(change string) {
		made, err := x.once("the first request")
		if strings.HasSuffix(change, " ttl") && err == nil {
			if made.Text.Reveal() != first.Text.Reveal() {
				t.Errorf("a request with a reply %s: got token %s, want the first answer", change, made.ID)
			}
			return // DynamoDB reads the time to live, and this service never does
		}
		x.expectFault("a request with a reply "+change, err)
	})
	old := x.Item(t, key)
	x.PutItem(t, key, x.Item(t, other))
	_, err = x.once("the first request")
	x.expectFault("a request with the reply of another request", err)
	x.PutItem(t, key, old)

	x.now = x.now.Add(24 * time.Hour)
	renewed, err := x.once("the first request")
	if err != nil || renewed.Replayed || renewed.ID == first.ID {
		t.Fatalf("a day later: got token %s, replayed %t, %v, want another token", renewed.ID, renewed.Replayed, err)
	}
	x.PutItem(t, key, old)
	if again, err := x.once("the first request"); err != nil || again.Replayed || again.ID == first.ID {
		t.Errorf("with the old reply put back: got token %s, replayed %t, %v, want another token", again.ID, again.Replayed, err)
	}
}

// forgedReplyIsAFault plants replies that the attacker made: shorter, changed and
// mixed ones, and one under a pepper of the attacker.
func forgedReplyIsAFault(t *testing.T, open func(*testing.T) Store) {
	store := &notingStore{Store: open(t)}
	x := newScene(t, store)
	first, err := x.once("the first request")
	_, err2 := x.once("the second request")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	one, err := store.Reply(t.Context(), store.keys[0])
	two, err2 := store.Reply(t.Context(), store.keys[1])
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(one.Sealed)
	flipped[len(flipped)-1] ^= 1
	const nonce = 12
	for what, sealed := range map[string][]byte{
		"without its last byte": one.Sealed[:len(one.Sealed)-1], "without its first byte": one.Sealed[1:], "with one byte only": one.Sealed[:1],
		"with the nonce only": one.Sealed[:nonce], "with a flipped bit": flipped, "with a byte more": append(bytes.Clone(one.Sealed), 0),
		"with the nonce of another": append(bytes.Clone(two.Sealed[:nonce]), one.Sealed[nonce:]...), "with the text of another": two.Sealed,
	} {
		own := open(t)
		x.PutItem(t, x.ReplyKey(one.Key), own.Item(t, x.keep(own, events.Reply{Key: one.Key, Sealed: sealed, At: one.At})))
		_, err := x.once("the first request")
		x.expectFault("a request with a reply "+what, err)
	}
	own := &notingStore{Store: open(t)}
	forger := newScene(t, own)
	keys, err := events.ParseKeys("test:" + strings.Repeat("REVG", 11))
	if err != nil {
		t.Fatal(err)
	}
	forger.Issuer = issuer.New(issuer.Config{Store: own, Keys: keys, Now: func() time.Time { return x.now }})
	if _, err := forger.once("the first request"); err != nil {
		t.Fatal(err)
	}
	x.PutItem(t, x.ReplyKey(one.Key), own.Item(t, own.ReplyKey(own.keys[0])))
	_, err = x.once("the first request")
	x.expectFault("a request with a reply under another pepper", err)

	x.PutItem(t, x.ReplyKey(one.Key), nil)
	again, err := x.once("the first request")
	if err != nil || again.Replayed || again.ID == first.ID {
		t.Errorf("with the reply removed: got token %s, replayed %t, %v, want another token", again.ID, again.Replayed, err)
	}
}

// keep writes a reply into a store of the attacker, and returns the key of its
// item.
func (x *scene) keep(own Store, r events.Reply) string {
	x.Helper()
	facts := []events.Fact{events.TokenCreated{TokenID: "FORGED01", Owner: "eve", Creator: "eve"}}
	m := events.Meta{Command: "forged", Actor: "eve", At: x.now}
	c, err := events.NewCommit(storetest.Keys, "user/eve", events.Head{}, m, facts, 1, nil, events.Effect{Reply: &r})
	if err == nil {
		err = own.Commit(x.Context(), c)
	}
	if err != nil {
		x.Fatal(err)
	}
	return own.ReplyKey(r.Key)
}

// staleReplyIsRefused: a genuine reply never returns a dead secret. The attacker
// puts the reply back, but the token has another secret, or is revoked.
func staleReplyIsRefused(t *testing.T, open func(*testing.T) Store) {
	store := &notingStore{Store: open(t)}
	x := newScene(t, store)
	made, err := x.once("the first request")
	if err != nil {
		t.Fatal(err)
	}
	genuine := x.Item(t, x.ReplyKey(store.keys[0]))
	again := func(want string) {
		t.Helper()
		x.PutItem(t, x.ReplyKey(store.keys[0]), genuine)
		_, err := x.once("the first request")
		if r, refused := errors.AsType[*events.Refusal](err); !refused || r.Code != want {
			t.Errorf("got %v, want the refusal %s", err, want)
		}
	}
	if _, _, err := x.Rotate(t.Context(), ann, made.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	again(issuer.CodeTokenRotated)
	x.revoke(ann, made.ID)
	again(token.CodeEnded)
}

// eachMember calls do while the item at key lacks a member, and while it has the
// value that the other item has there.
func (x *scene) eachMember(key, other string, do func(change string)) {
	x.Helper()
	whole, another := x.Item(x.T, key), x.Item(x.T, other)
	try := func(change string, members map[string]any) {
		x.PutItem(x.T, key, members)
		do(change)
		x.PutItem(x.T, key, whole)
	}
	for name, value := range whole {
		less, moved := maps.Clone(whole), maps.Clone(whole)
		delete(less, name)
		try("without its member "+name, less)
		if moved[name] = another[name]; !reflect.DeepEqual(value, moved[name]) {
			try("with another reply's "+name, moved)
		}
	}
}
