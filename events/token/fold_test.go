package token

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

func TestFoldKeepsUnendedTokensOnly(t *testing.T) {
	f := events.TokenCreated{
		TokenID: "L7k8ljIC", Owner: "ann", Creator: "bob", Name: "ci", Description: "d", ExpiresAt: instant.Of(noon.Add(day)),
		Scopes: []string{"GET /"}, SourceIPs: prefixes("192.0.2.0/24"), Verifier: events.Verifier{Kid: "a", MAC: []byte("m")},
	}
	s := given(noon, owned("AAAAAAAA", noon), f, events.TokenExpired{TokenID: "AAAAAAAA", Owner: "ann", ExpiresAt: instant.Of(noon)})
	want := State{Owner: "ann", Version: 3, Tokens: []events.View{{
		ID: "L7k8ljIC", Owner: "ann", Creator: "bob", Name: "ci", Description: "d", Verifier: f.Verifier, CreatedAt: noon, ExpiresAt: noon.Add(day),
		Scopes: f.Scopes, SourceIPs: f.SourceIPs, First: 2, Seq: 2,
	}}, Hour: hour, Changes: 2}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	s = Fold(s, events.TokenRevoked{TokenID: "L7k8ljIC", Owner: "ann"}, noon)
	if want := (State{Owner: "ann", Version: 4, Hour: hour, Changes: 2}); !reflect.DeepEqual(s, want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func TestFoldDoesNotChangeItsInput(t *testing.T) {
	before := given(noon, owned("AAAAAAAA", noon), owned("BBBBBBBB", noon), owned("CCCCCCCC", noon))
	before.Tokens = before.Tokens[:2] // with room for one more, which Fold must not use
	kept, err := EncodeState(before)
	if err != nil {
		t.Fatal(err)
	}
	one := Fold(before, owned("DDDDDDDD", noon), noon)
	two := Fold(before, owned("EEEEEEEE", noon), noon)
	three := Fold(before, events.TokenRevoked{TokenID: "AAAAAAAA"}, noon)
	three.Tokens[0].Name = "changed"
	Fold(before, events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA", "BBBBBBBB"}}, noon)
	Fold(before, events.TokenUpdated{TokenID: "AAAAAAAA", Name: new("changed")}, noon)
	Fold(before, events.TokenRotated{TokenID: "AAAAAAAA", Self: true}, noon)
	if one.Tokens[2].ID != "DDDDDDDD" || two.Tokens[2].ID != "EEEEEEEE" {
		t.Errorf("two states folded from one state share memory: %v and %v", one.Tokens[2].ID, two.Tokens[2].ID)
	}
	if b, err := EncodeState(before); err != nil || !bytes.Equal(b, kept) {
		t.Errorf("the state was\n%s\nand is now\n%s", kept, b)
	}
}

func TestFactsOfOtherStreamsPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"folding settings":         func() { Fold(State{}, events.SettingsChanged{}, noon) },
		"folding permissions":      func() { Fold(State{}, events.PermissionsChanged{}, noon) },
		"folding nothing":          func() { Fold(State{}, nil, noon) },
		"the effect of settings":   func() { Effect(State{}, State{}, []events.Fact{events.SettingsChanged{}}, noon, 0) },
		"the effect of nothing":    func() { Effect(State{}, State{}, []events.Fact{nil}, noon, 0) },
		"a change of an unknown":   func() { Fold(State{}, events.TokenDisabled{TokenID: "AAAAAAAA"}, noon) },
		"the end of an unknown":    func() { Effect(State{}, State{}, []events.Fact{events.TokenRevoked{}}, noon, 0) },
		"deciding on no command":   func() { _, _ = Decide(State{}, nil) },
		"deciding on another kind": func() { _, _ = Decide(State{}, struct{ Command }{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			call()
		}()
	}
}

func TestEffectsOnViews(t *testing.T) {
	before := given(noon.Add(-2*day), owned("AAAAAAAA", noon.Add(-day)), owned("BBBBBBBB", time.Time{}), owned("CCCCCCCC", time.Time{}))
	facts := []events.Fact{
		events.TokenExpired{TokenID: "AAAAAAAA", Owner: "ann", ExpiresAt: instant.Of(noon.Add(-day))},
		events.TokenRevoked{TokenID: "BBBBBBBB", Owner: "ann"},
		owned("DDDDDDDD", noon.Add(day)),
	}
	after := before
	for _, f := range facts {
		after = Fold(after, f, noon)
	}
	for retention, keep := range map[time.Duration]func(time.Time) time.Time{
		0:         func(time.Time) time.Time { return time.Time{} },
		400 * day: func(end time.Time) time.Time { return end.Add(400 * day) },
	} {
		expired, revoked := before.Tokens[0], before.Tokens[1]
		expired.Seq, expired.Ended, expired.EndedAt, expired.KeepUntil = 4, events.EndedExpired, noon.Add(-day), keep(noon.Add(-day))
		revoked.Seq, revoked.Ended, revoked.EndedAt, revoked.KeepUntil = 5, events.EndedRevoked, noon, keep(noon)
		want := events.Effect{Minted: []events.View{after.Tokens[1]}, Changed: []events.View{expired, revoked}}
		if got := Effect(before, after, facts, noon, retention); !reflect.DeepEqual(got, want) {
			t.Errorf("the effect has the view of each new and of each changed token; kept for %v:\ngot  %+v\nwant %+v", retention, got, want)
		}
	}
	if minted := after.Tokens[1]; minted.ID != "DDDDDDDD" || minted.First != 6 || minted.Seq != 6 {
		t.Errorf("the minted view is %+v, want DDDDDDDD with sequence 6", minted)
	}
}

func TestStatesRoundTrip(t *testing.T) {
	s := given(noon, owned("AAAAAAAA", noon.Add(day)), events.TokenCreated{
		TokenID: "BBBBBBBB", Owner: "ann", Creator: `b"<ø>&` + "\u2028", Name: "n", Scopes: []string{"* /*"}, SourceIPs: prefixes("::/0"), Verifier: events.Verifier{Kid: "a", MAC: []byte{0, 255}},
	})
	s.Tokens[1].Disabled = true
	s = Fold(s, events.TokenRotated{TokenID: "BBBBBBBB", Owner: "ann", PreviousSecretUntil: instant.Of(noon), Self: true, Verifier: events.Verifier{Kid: "b", MAC: []byte{1}}}, noon)
	s = Fold(s, events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA"}}, noon)
	s = Fold(s, events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(0)}, noon)
	b, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeState(StateV, b)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, s)
	}
	if n := bytes.Count(b, []byte(`"o"`)); n != 1 {
		t.Errorf("the owner is written %d times in %s, want once", n, b)
	}
	if s.Tokens[0].Owner != "ann" {
		t.Error("encoding changed the state")
	}
}

// TestStatesOfEveryEncodingDecode has a stored state for each encoding.
func TestStatesOfEveryEncodingDecode(t *testing.T) {
	samples := map[int]string{
		1: `{"o":"ann","n":7,"t":[{"id":"L7k8ljIC","c":"bob","n":"ci","d":"x","v":{"kid":"a","mac":"bQ=="},"t":"2026-11-21T12:00:00.123456Z","e":"2026-11-22T12:00:00.123456Z","x":true,"s":["GET /"],"a":["192.0.2.0/24"],"f":5,"q":6}]}`,
		2: `{"o":"ann","n":7,"t":[{"id":"L7k8ljIC","c":"bob","n":"ci","d":"x","v":{"kid":"a","mac":"bQ=="},"t":"2026-11-21T12:00:00.123456Z","e":"2026-11-22T12:00:00.123456Z","x":true,"s":["GET /"],"a":["192.0.2.0/24"],"f":5,"q":6}],"h":"2026-11-21T12:00:00Z","c":3}`,
		3: `{"o":"ann","n":7,"t":[{"id":"L7k8ljIC","c":"bob","n":"ci","d":"x","v":{"kid":"a","mac":"bQ=="},"t":"2026-11-21T12:00:00.123456Z","e":"2026-11-22T12:00:00.123456Z","x":true,"s":["GET /"],"a":["192.0.2.0/24"],"f":5,"q":6,"z":true,"w":{"kid":"b","mac":"bg=="},"u":"2026-11-21T12:00:00.123456Z","k":6,"p":"JhxND7ci","r":"2026-11-21T12:00:00.000000Z"}],"h":"2026-11-21T12:00:00Z","c":3,"l":7,"s":true}`,
	}
	want := State{Owner: "ann", Version: 7, Tokens: []events.View{{
		ID: "L7k8ljIC", Owner: "ann", Creator: "bob", Name: "ci", Description: "x", Verifier: events.Verifier{Kid: "a", MAC: []byte("m")},
		CreatedAt: noon, ExpiresAt: noon.Add(day), Disabled: true, Scopes: []string{"GET /"}, SourceIPs: prefixes("192.0.2.0/24"), First: 5, Seq: 6,
	}}}
	for v := 1; v <= StateV; v++ {
		if v == 2 {
			want.Hour, want.Changes = hour, 3
		}
		if v == 3 {
			want.TokenLimit, want.Suspended, want.Notes = new(7), true, map[string]Note{"L7k8ljIC": {"JhxND7ci", hour}}
			token := &want.Tokens[0]
			token.Suspended, token.Outgoing, token.OutgoingUntil, token.Rotated = true, events.Verifier{Kid: "b", MAC: []byte("n")}, noon, 6
		}
		if got, err := DecodeState(v, []byte(samples[v])); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("encoding %d: got %+v, %v\nwant %+v", v, got, err, want)
		}
	}
	if got, err := DecodeState(0, nil); err != nil || !reflect.DeepEqual(got, State{}) {
		t.Errorf("no bytes: got %+v, %v, want the zero state", got, err)
	}
	for _, bad := range []struct {
		v    int
		text string
	}{{StateV + 1, samples[1]}, {0, samples[1]}, {-1, samples[1]}, {1, "{"}, {1, `{"t":7}`}, {2, `{"c":"3"}`}} {
		if _, err := DecodeState(bad.v, []byte(bad.text)); err == nil {
			t.Errorf("encoding %d: %s passes", bad.v, bad.text)
		}
	}
}

func TestStatesCountByTime(t *testing.T) {
	s := given(noon.Add(-day), owned("AAAAAAAA", noon), owned("BBBBBBBB", noon.Add(tick)), owned("CCCCCCCC", time.Time{}))
	for now, want := range map[time.Time]struct {
		live    int
		soonest time.Time
	}{
		noon.Add(-tick): {3, noon},
		noon:            {2, noon.Add(tick)},
		noon.Add(tick):  {1, time.Time{}},
	} {
		if live, soonest := s.Live(now), s.SoonestExpiry(now); live != want.live || !soonest.Equal(want.soonest) {
			t.Errorf("at %v: got %d live, the next expiry at %v, want %d and %v", now, live, soonest, want.live, want.soonest)
		}
	}
	if v, ok := s.Find("AAAAAAAA"); !ok || v.ID != "AAAAAAAA" {
		t.Error("an expired token without a recorded end is not found")
	}
	if _, ok := s.Find("XXXXXXXX"); ok {
		t.Error("Find returns a token for an unknown id")
	}
}
