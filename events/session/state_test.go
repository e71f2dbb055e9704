package session

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/token"
)

// full is a sign-in with the largest value in every member that a token may have, and
// with all of what only a session has.
func full(t testing.TB, n int) Open {
	t.Helper()
	c := opening(id(n), noon.Add(time.Duration(n)*time.Second), withToken("L7k8ljIC"))
	c.Owner, c.Name = strings.Repeat("o", 256), strings.Repeat("n", MaxName)
	for len(c.Scopes) < token.MaxScopes {
		c.Scopes = append(c.Scopes, "GET /"+strings.Repeat("s", 120))
	}
	for len(c.SourceIPs) < token.MaxSourceIPs {
		c.SourceIPs = append(c.SourceIPs, netip.MustParsePrefix(fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:ffff:ff%02x/128", len(c.SourceIPs))))
	}
	c.Permissions, c.MakesUntil, c.UI = []string{"view", "create", "edit", "delete"}, noon.AddDate(1, 0, 0), true
	c.Verifier = events.Verifier{Kid: strings.Repeat("k", 16), MAC: make([]byte, 32)}
	// What a token of this size could not be is not a session either.
	for c.check() != nil && len(c.Scopes) > 0 {
		c.Scopes = c.Scopes[1:]
	}
	return c
}

func TestAStateIsReadBackAsItWasWritten(t *testing.T) {
	s := given(t, full(t, 1), full(t, 2))
	s = mustRun(t, s, opening(id(3), noon.Add(time.Hour), func(c *Open) { c.Owner = s.Owner }))
	b, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeState(StateV, b)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, s)
	}
	suspended := mustRun(t, s, Suspend{At: noon.Add(time.Hour), Owner: s.Owner})
	if b, err = EncodeState(suspended); err != nil {
		t.Fatal(err)
	}
	if got, err = DecodeState(StateV, b); err != nil || !reflect.DeepEqual(got, suspended) || !got.Suspended {
		t.Errorf("got %+v, %v\nwant %+v", got, err, suspended)
	}
}

func TestAnUnknownStateIsAFault(t *testing.T) {
	for _, v := range []int{0, StateV + 1} {
		if _, err := DecodeState(v, []byte("{}")); err == nil {
			t.Errorf("the encoding %d is accepted", v)
		}
	}
	if _, err := DecodeState(StateV, []byte("{")); err == nil {
		t.Error("half a state is accepted")
	}
	if s, err := DecodeState(0, nil); err != nil || !reflect.DeepEqual(s, State{}) {
		t.Errorf("no state: got %+v, %v", s, err)
	}
}

// TestTheLargestStateFitsIntoAHead: 20 sessions at their caps, and one that was put back.
func TestTheLargestStateFitsIntoAHead(t *testing.T) {
	var s State
	for n := range MaxSessions {
		s = mustRun(t, s, full(t, n))
	}
	b, err := EncodeState(s)
	if err != nil || len(b) > events.MaxState/2 {
		t.Errorf("the largest state has %d bytes, %v; want at most half of %d", len(b), err, events.MaxState)
	}
}

// TestAFoldChangesNoOtherState: states share their slices.
func TestAFoldChangesNoOtherState(t *testing.T) {
	s := given(t, opening(id(1), noon), opening(id(2), noon))
	before := fmt.Sprintf("%+v", s)
	for _, c := range []Command{
		opening(id(3), noon), opening(id(4), noon), Close{At: noon, ID: id(1), Owner: "ann", Cause: events.CauseUser}, Suspend{At: noon, Owner: "ann"},
	} {
		run(t, s, c)
		if after := fmt.Sprintf("%+v", s); after != before {
			t.Fatalf("%T changed the state before it:\n%s\n%s", c, before, after)
		}
	}
}

// TestASessionThatWasPutBackEndsAgain: its view is live, and the state lacks it.
func TestASessionThatWasPutBackEndsAgain(t *testing.T) {
	s := given(t, opening(id(1), noon))
	v, _ := s.Find(id(1))
	s = mustRun(t, s, Close{At: noon, ID: id(1), Owner: "ann", Cause: events.CauseUser})
	v.Seal = events.Verifier{Kid: "a", MAC: []byte("m")}
	_, facts, e := run(t, PutBack(s, v), Close{At: noon, ID: id(1), Owner: "ann", Cause: events.CauseAdmin})
	same(t, "the end", closed(facts), []string{id(1) + " admin"})
	same(t, "the view", e.Changed[0].Ended, events.EndedRevoked)
	if len(s.Sessions) != 0 {
		t.Error("PutBack changed its input")
	}
}

func TestTheLastNameStays(t *testing.T) {
	s := given(t, opening(id(1), noon), opening(id(2), noon, withToken("L7k8ljIC")))
	same(t, "the name after a sign-in without one", s.Name, "Ann")
	s = mustRun(t, s, opening(id(3), noon, func(c *Open) { c.Name = "Ann B." }))
	same(t, "the name after another one", s.Name, "Ann B.")
}
