package session

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 123456000, time.UTC)

// opening is a valid sign-in of ann.
func opening(id string, at time.Time, change ...func(*Open)) Open {
	c := Open{
		At: at, ID: id, Owner: "ann", Via: events.ViaOIDC, Issuer: "https://id.example.com", SubjectDigest: "5d", Name: "Ann",
		Verifier: events.Verifier{Kid: "a", MAC: []byte("thirty-two bytes of a verifier..")},
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func withToken(id string) func(*Open) {
	return func(c *Open) {
		c.Via, c.Issuer, c.SubjectDigest, c.Name, c.OpenedWith = events.ViaToken, "", "", "", id
	}
}

// run applies a command, and checks that the effect follows the state.
func run(t testing.TB, s State, c Command) (State, []events.Fact, events.Effect) {
	t.Helper()
	facts, err := Decide(s, c)
	if err != nil {
		t.Fatalf("%T is refused: %v", c, err)
	}
	after := s
	for _, f := range facts {
		after = Fold(after, f, timeOf(c))
	}
	e := Effect(s, after, facts, timeOf(c), 400*24*time.Hour)
	if n := len(facts) + len(e.Minted) + len(e.Changed) + 1; n > 100 {
		t.Fatalf("%T needs %d items in one transaction, at most 100 are allowed", c, n)
	}
	return after, facts, e
}

func timeOf(c Command) time.Time {
	return reflect.ValueOf(c).FieldByName("At").Interface().(time.Time)
}

// given runs commands one after the other.
func given(t testing.TB, cs ...Command) (s State) {
	t.Helper()
	for _, c := range cs {
		s, _, _ = run(t, s, c)
	}
	return s
}

// closed are the causes of the closings among the facts, by id, in order.
func closed(facts []events.Fact) (all []string) {
	for _, f := range facts {
		if c, ok := f.(events.SessionClosed); ok {
			all = append(all, c.TokenID+" "+string(c.Cause))
		}
	}
	return all
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func refusal(t testing.TB, s State, c Command, code string) *events.Refusal {
	t.Helper()
	facts, err := Decide(s, c)
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok || r.Code != code || len(facts) > 0 {
		t.Fatalf("%+v: got %v, %v, want the refusal %s", c, facts, err, code)
	}
	return r
}

func id(n int) string { return fmt.Sprintf("S%07d", n) }

var (
	net = netip.MustParsePrefix("192.0.2.0/24")
)
