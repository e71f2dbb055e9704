package attacktest

import (
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
