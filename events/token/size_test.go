package token

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/instant"
)

// TestMembersThatAreTooLargeTogetherAreRefused: each member is within its own
// limit, but the view would not fit into a read unit.
func TestMembersThatAreTooLargeTogetherAreRefused(t *testing.T) {
	full := ann(func(c *Create) {
		c.Owner = strings.Repeat("n", 256)
		c.By.Owner = c.Owner
		c.Name, c.Description = strings.Repeat("n", 128), strings.Repeat("d", 512)
		c.Scopes = slices.Repeat([]string{"GET /" + strings.Repeat("s", 123)}, 16)
		c.SourceIPs = slices.Repeat(prefixes("2001:db8:1111:2222:3333:4444:5555:6666/128"), 16)
	})
	_, err := Decide(State{}, full)
	refusal(t, err, CodeStateTooLarge)
	for description := range 513 {
		full.Description, full.SourceIPs = strings.Repeat(`"`, description), nil
		facts, err := Decide(State{}, full)
		if err != nil {
			refusal(t, err, CodeStateTooLarge)
			return
		}
		if b, err := encode(viewOf(facts[0].(events.TokenCreated), 1, noon)); err != nil || len(b) > 4096 {
			t.Fatalf("a view of %d bytes passes, %v", len(b), err)
		}
	}
	t.Error("no description made the token too large")
}

// fullest is a state with 50 tokens of the largest allowed size. Each has rotated
// itself, and the owner is suspended.
func fullest(t testing.TB) (s State) {
	c := ann(func(c *Create) {
		c.Owner, c.Name, c.Policy.TokenLimit = strings.Repeat("n", 256), strings.Repeat("n", 128), 50
		c.By.Owner = c.Owner
		c.Verifier = events.Verifier{Kid: strings.Repeat("k", 16), MAC: make([]byte, 32)}
		c.Scopes = slices.Repeat([]string{"GET /" + strings.Repeat("s", 123)}, 16)
	})
	var err error
	for ; err == nil; c.Description += `"` {
		_, err = Decide(s, c)
	}
	refusal(t, err, CodeStateTooLarge)
	c.Description = c.Description[2:]
	for i := range 50 {
		c.ID = "full00" + string(rune('A'+i/26)) + string(rune('a'+i%26))
		s = Fold(s, created(t, s, c), noon)
		s = Fold(s, events.TokenRotated{TokenID: c.ID, Owner: c.Owner, PreviousSecretUntil: instant.Of(noon), Self: true, Verifier: c.Verifier}, noon)
		s = Fold(s, events.TokenDisabled{TokenID: c.ID, Owner: c.Owner}, noon)
	}
	return Fold(s, events.UserSuspended{Owner: c.Owner, TokenIDs: s.live(noon)}, noon)
}

func TestTheFullestStateIsStored(t *testing.T) {
	s := fullest(t)
	b, err := EncodeState(s)
	if err != nil || len(b) > events.MaxState || len(b) < 50*(MaxView-300) {
		t.Fatalf("50 tokens of the largest size have %d bytes without their owner, %v", len(b), err)
	}
	got, err := DecodeState(StateV, b)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("the decoded state differs, %v", err)
	}
	s.Tokens = append(s.Tokens, s.Tokens...)
	_, err = EncodeState(s)
	refusal(t, err, CodeStateTooLarge)
}
