package lifetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// AtRest makes tokens with and without a key, rotates some, and then looks for each
// secret and each key in everything that the store has written; dump returns these
// bytes. Then it shows that a stored reply opens with the pepper and the key
// together, and with neither of them alone.
func AtRest(t *testing.T, open Open, dump func(testing.TB, events.Store) []byte) {
	t.Helper()
	store := open(t)
	noted := &noted{Store: store}
	s := newService(t, noted)
	keyed := map[string]issuer.Minted{}
	for n := range 10 {
		made := s.create(t, s.boss, "ann")
		_, text, err := s.Rotate(t.Context(), s.boss, made.ID, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.learn(made)
		s.learn(parse(t, text))
		key := fmt.Sprintf("a-key-of-a-client-%02d", n)
		keyed[key] = s.once(t, s.Issuer, key)
		s.learn(parse(t, keyed[key].Text))
	}
	written := dump(t, store)
	for _, shown := range s.secrets() {
		if !bytes.Contains(written, []byte(shown.ID)) {
			t.Fatalf("the store has %d bytes without the id %s, so the search has shown nothing", len(written), shown.ID)
		}
		expectAbsent(t, written, "the secret of token "+shown.ID, shown.Secret.Reveal())
		expectAbsent(t, written, "the random part of token "+shown.ID, shown.Secret.Reveal()[:26])
	}
	for key := range keyed {
		expectAbsent(t, written, "the key "+key, key)
	}
	s.expectOpensOnlyWithBoth(t, keyed, noted.replies)
}

// once makes a token of carl with a key.
func (s *service) once(t *testing.T, i *issuer.Issuer, key string) issuer.Minted {
	t.Helper()
	made, err := i.CreateOnce(t.Context(), s.boss, issuer.RequestKey{Route: "create", Value: key}, "carl", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// expectAbsent looks for a text as it is, and in hexadecimal and base64.
func expectAbsent(t *testing.T, written []byte, what, text string) {
	t.Helper()
	for form, encoded := range encodings(text) {
		if bytes.Contains(written, []byte(encoded)) {
			t.Errorf("the store has %s, %s", what, form)
		}
	}
}

// encodings returns the forms of a text. In base64 a text inside of a longer one
// looks different at each of the three offsets, so the text is searched at each of
// them, without the characters that depend on its neighbours.
func encodings(text string) map[string]string {
	all := map[string]string{
		"as it is": text, "in hexadecimal": hex.EncodeToString([]byte(text)), "in upper-case hexadecimal": strings.ToUpper(hex.EncodeToString([]byte(text))),
	}
	for offset := range 3 {
		long := base64.StdEncoding.EncodeToString(slices.Concat(make([]byte, offset), []byte(text), make([]byte, 3)))
		from, to := (offset*4+2)/3+1, (offset+len(text))*4/3-1
		all[fmt.Sprint("in base64 at offset ", offset)] = long[from:to]
	}
	return all
}

// expectOpensOnlyWithBoth repeats each request with the pepper and the key, and then
// with only one of them. Without both, a thief does not find the reply; the thief
// here gets every stored reply under every name, and none of them opens.
func (s *service) expectOpensOnlyWithBoth(t *testing.T, keyed map[string]issuer.Minted, stored []events.Reply) {
	t.Helper()
	foreign, err := events.ParseKeys("test:" + strings.Repeat("REVG", 11))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != len(keyed) {
		t.Fatalf("the store has %d replies, want %d", len(stored), len(keyed))
	}
	for key, first := range keyed {
		if again := s.once(t, s.Issuer, key); !again.Replayed || again.Text.Reveal() != first.Text.Reveal() {
			t.Errorf("with pepper and key: got token %s, replayed %v, want the first answer", again.ID, again.Replayed)
		}
		for _, r := range stored {
			s.expectSealed(t, "with the pepper and another key", storetest.Keys, key+"x", r)
			s.expectSealed(t, "with the key and another pepper", foreign, key, r)
		}
	}
}

// expectSealed expects that a reply does not open.
func (s *service) expectSealed(t *testing.T, what string, keys events.Keys, key string, r events.Reply) {
	t.Helper()
	thief := issuer.New(issuer.Config{Store: moving{reply: r}, Keys: keys})
	_, err := thief.CreateOnce(t.Context(), s.boss, issuer.RequestKey{Route: "create", Value: key}, "boss", token.Wish{})
	if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), "opening the reply") {
		t.Errorf("%s: got %v, want that the reply does not open", what, err)
	}
}

// noted notes the replies of all commits.
type noted struct {
	events.Store
	replies []events.Reply
}

// Commit implements events.Log.
func (n *noted) Commit(ctx context.Context, c events.Commit) error {
	if r := c.Effect().Reply; r != nil {
		n.replies = append(n.replies, *r)
	}
	return n.Store.Commit(ctx, c)
}

// moving is a store of a thief: it has no streams, and one reply under every name.
type moving struct {
	events.Store
	reply events.Reply
}

func (moving) Head(context.Context, events.Stream) (events.Head, error) { return events.Head{}, nil }

func (m moving) Reply(_ context.Context, name string) (events.Reply, error) {
	m.reply.Key = name
	return m.reply, nil
}
