package events_test

import (
	"testing"
	"time"

	"apitoken/events"
)

func TestTimeDecidesTheStateOfAToken(t *testing.T) {
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	for name, c := range map[string]struct {
		view  events.View
		now   time.Time
		state events.TokenState
		live  bool
	}{
		"no expiry":                       {events.View{}, at(1e9), events.StateActive, true},
		"a microsecond before its expiry": {events.View{ExpiresAt: noon}, at(-time.Microsecond), events.StateActive, true},
		"at its expiry":                   {events.View{ExpiresAt: noon}, noon, events.StateExpired, false},
		"a microsecond after it":          {events.View{ExpiresAt: noon}, at(time.Microsecond), events.StateExpired, false},
		"disabled":                        {events.View{Disabled: true}, noon, events.StateDisabled, true},
		"disabled and expired":            {events.View{Disabled: true, ExpiresAt: noon}, noon, events.StateExpired, false},
		"suspended":                       {events.View{Suspended: true}, noon, events.StateDisabled, true},
		"suspended and expired":           {events.View{Suspended: true, ExpiresAt: noon}, noon, events.StateExpired, false},
		"suspended and revoked":           {events.View{Suspended: true, Ended: events.EndedRevoked}, noon, events.StateRevoked, false},
		"revoked":                         {events.View{Ended: events.EndedRevoked}, noon, events.StateRevoked, false},
		"revoked, then past its expiry":   {events.View{Ended: events.EndedRevoked, ExpiresAt: noon}, at(time.Microsecond), events.StateRevoked, false},
		"recorded as expired":             {events.View{Ended: events.EndedExpired}, noon, events.StateExpired, false},
		"kept a microsecond more":         {events.View{Ended: events.EndedRevoked, KeepUntil: noon}, at(-time.Microsecond), events.StateRevoked, false},
		"past its retention":              {events.View{Ended: events.EndedRevoked, KeepUntil: noon}, noon, events.StateGone, false},
		"not ended, with retention":       {events.View{KeepUntil: noon}, at(time.Microsecond), events.StateActive, true},
	} {
		if got := c.view.StateAt(c.now); got != c.state || c.view.LiveAt(c.now) != c.live {
			t.Errorf("%s: got %s, live %v, want %s, %v", name, got, c.view.LiveAt(c.now), c.state, c.live)
		}
	}
}

func TestAnOutgoingSecretEndsByTime(t *testing.T) {
	v := events.View{Outgoing: events.Verifier{Kid: "a", MAC: []byte("m")}, OutgoingUntil: noon}
	for now, want := range map[time.Time]bool{noon.Add(-time.Microsecond): true, noon: false, noon.Add(time.Microsecond): false} {
		if got := v.OutgoingAt(now); got != want {
			t.Errorf("at %s: got %v, want %v", now, got, want)
		}
	}
	v.Outgoing = events.Verifier{}
	if v.OutgoingAt(noon.Add(-time.Microsecond)) {
		t.Error("a token without an outgoing secret has one that passes")
	}
}

func TestQueriesMatchByOwnerStateAndPosition(t *testing.T) {
	v := events.View{ID: "L7k8ljIC", Owner: "ann", CreatedAt: noon}
	gone := v
	gone.Ended, gone.KeepUntil = events.EndedRevoked, noon
	for name, c := range map[string]struct {
		query events.Query
		view  events.View
		want  bool
	}{
		"everything":             {events.Query{Now: noon}, v, true},
		"its owner":              {events.Query{Now: noon, Owners: []string{"bob", "ann"}}, v, true},
		"another owner":          {events.Query{Now: noon, Owners: []string{"bob"}}, v, false},
		"its state":              {events.Query{Now: noon, States: []events.TokenState{events.StateActive}}, v, true},
		"another state":          {events.Query{Now: noon, States: []events.TokenState{events.StateRevoked}}, v, false},
		"after an earlier token": {events.Query{Now: noon, After: events.Position{At: noon.Add(-time.Microsecond), ID: "zzzzzzzz"}}, v, true},
		"after a lower id":       {events.Query{Now: noon, After: events.Position{At: noon, ID: "L7k8ljIB"}}, v, true},
		"after itself":           {events.Query{Now: noon, After: v.Position()}, v, false},
		"after a later token":    {events.Query{Now: noon, After: events.Position{At: noon.Add(time.Microsecond)}}, v, false},
		"gone, without a state":  {events.Query{Now: noon}, gone, false},
		"gone, as wanted":        {events.Query{Now: noon, States: []events.TokenState{events.StateGone}}, gone, true},
	} {
		if got := c.query.Matches(c.view); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestStreamsKnowTheirOwners(t *testing.T) {
	for stream, want := range map[events.Stream]string{"user/ann": "ann", "user/a/b": "a/b"} {
		if got, ok := stream.Owner(); got != want || !ok || events.UserStream(want) != stream {
			t.Errorf("%s: got %q, %v, want %q", stream, got, ok, want)
		}
	}
	if got, ok := events.SettingsStream.Owner(); ok {
		t.Errorf("the stream of the settings has the owner %q", got)
	}
}
