package guard_test

import (
	"reflect"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
)

// asSession turns a view into one of a session at the page.
func asSession(v *events.View) {
	v.Kind, v.Via, v.Permissions, v.From, v.UI = events.KindSession, events.ViaToken, []string{"view"}, "L7k8ljIC", true
	v.MakesUntil, v.ExpiresAt, v.Name = now.Add(time.Hour), now.Add(time.Minute), "Ann"
}

// TestASessionPassesAsWhatItIs: with one read, like a token.
func TestASessionPassesAsWhatItIs(t *testing.T) {
	s := open(t)
	shown := put(t, s, asSession)
	p, err := guardAt(s, now).Check(t.Context(), shown, here)
	if err != nil {
		t.Fatal(err)
	}
	want := guard.Principal{
		Owner: p.Owner, TokenID: shown.ID, Kind: guard.KindSession, Credential: guard.CredentialCurrent, Via: guard.ViaToken,
		Permissions: []string{"view"}, From: "L7k8ljIC", UI: true, MakesUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Minute), Name: "Ann",
		Scopes: p.Scopes, SourceIPs: p.SourceIPs, Address: here,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v\nwant %+v", p, want)
	}
	if _, err := guardAt(s, now.Add(time.Minute)).Check(t.Context(), shown, here); err == nil {
		t.Error("the session passes at its end")
	}
}

// TestTheUseOfASessionAtThePageIsStoredEvery5Minutes, because the page ends an idle one.
func TestTheUseOfASessionAtThePageIsStoredEvery5Minutes(t *testing.T) {
	for ui, every := range map[bool]time.Duration{true: 5 * time.Minute, false: 15 * time.Minute} {
		s := open(t)
		change := func(v *events.View) { asSession(v); v.UI, v.ExpiresAt = ui, now.Add(time.Hour) }
		shown := put(t, s, change)
		for n, after := range []time.Duration{0, every - 1, every} {
			if _, err := guardAt(s, now.Add(after)).Check(t.Context(), shown, here); err != nil {
				t.Fatal(err)
			}
			if got, want := s.touches.Load(), int64(1+n/2); got != want {
				t.Errorf("at the page %v, after %s: %d uses were stored, want %d", ui, after, got, want)
			}
			put(t, s, nil) // the store writes the uses before this commit
		}
	}
}
