package token

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

// TestRevokeShownEndsWhatTheSecretGives: a current secret ends its token, and an
// outgoing one only itself, in the state that the token has when the command runs.
// No limit, no rate and no suspension refuses it.
func TestRevokeShownEndsWhatTheSecretGives(t *testing.T) {
	first, second, third := limited.Verifier, events.Verifier{Kid: "b", MAC: []byte("second")}, events.Verifier{Kid: "b", MAC: []byte("third")}
	rotation := func(v events.Verifier) events.Fact {
		return events.TokenRotated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(time.Hour)), Verifier: v}
	}
	made, once := given(noon, limited), given(noon, limited, rotation(second))
	revoked := []events.Fact{events.TokenRevoked{TokenID: "AAAAAAAA", Owner: "ann", Cause: events.CausePossession}}
	ended := func(at time.Time) []events.Fact {
		return []events.Fact{events.TokenUpdated{TokenID: "AAAAAAAA", Owner: "ann", PreviousSecretUntil: instant.Of(at)}}
	}
	soon := noon.Add(time.Minute)
	for name, c := range map[string]struct {
		given    State
		shown    events.Verifier
		outgoing bool
		at, now  time.Time
		want     []events.Fact
	}{
		"the current secret":                   {made, first, false, soon, time.Time{}, revoked},
		"of a disabled token":                  {Fold(made, events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"}, noon), first, false, soon, time.Time{}, revoked},
		"of a suspended owner":                 {Fold(made, events.UserSuspended{Owner: "ann", TokenIDs: []string{"AAAAAAAA"}}, noon), first, false, soon, time.Time{}, revoked},
		"the current secret in the grace":      {once, second, false, soon, time.Time{}, revoked},
		"the outgoing secret":                  {once, first, true, soon, time.Time{}, ended(soon)},
		"the outgoing one of a disabled token": {Fold(once, events.TokenDisabled{TokenID: "AAAAAAAA", Owner: "ann"}, noon), first, true, soon, time.Time{}, ended(soon)},
		"by the clock":                         {once, first, true, noon.Add(2 * time.Hour), soon, ended(soon)}, // the time of the stream is late
		"after its grace":                      {once, first, true, noon.Add(time.Hour), time.Time{}, nil},
		"rotated meanwhile":                    {once, first, false, soon, time.Time{}, nil},
		"rotated twice meanwhile":              {Fold(once, rotation(third), noon), first, true, soon, time.Time{}, nil},
		"current, shown as outgoing":           {once, second, true, soon, time.Time{}, nil},
		"never rotated, shown as outgoing":     {made, events.Verifier{}, true, soon, time.Time{}, nil},
		"of an expired token":                  {made, first, false, noon.Add(day), time.Time{}, nil},
		"of a revoked token":                   {Fold(made, revoked[0], noon), first, false, soon, time.Time{}, nil},
		"of another token":                     {given(noon, owned("BBBBBBBB", time.Time{})), first, false, soon, time.Time{}, nil},
	} {
		got, err := Decide(c.given, RevokeShown{At: c.at, Now: c.now, ID: "AAAAAAAA", Owner: "ann", Shown: c.shown, Outgoing: c.outgoing})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// TestRevokeShownRecordsExpiriesFirst, as every command that changes something.
func TestRevokeShownRecordsExpiriesFirst(t *testing.T) {
	s := given(noon, limited, owned("BBBBBBBB", noon.Add(tick)))
	got, err := Decide(s, RevokeShown{At: noon.Add(time.Minute), ID: "AAAAAAAA", Owner: "ann", Shown: limited.Verifier})
	if err != nil || len(got) != 2 || !reflect.DeepEqual(revokedIDs(got), []string{"AAAAAAAA"}) {
		t.Errorf("got %+v, %v, want an expiry and a revocation", got, err)
	}
}
