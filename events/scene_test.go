package events_test

import (
	"net/netip"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456000, time.UTC)

const (
	pepperA = "a:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
	pepperB = "b:QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
)

func keys(t testing.TB, text string) events.Keys {
	t.Helper()
	k, err := events.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var meta = events.Meta{Command: "cmd1", Actor: "ann", TokenID: "JhxND7ci", Address: "192.0.2.7", At: noon, Retention: 400 * 24 * time.Hour}

// anns is a history with each kind of fact that an owner's stream can have.
var anns = []events.Fact{
	events.TokenCreated{
		TokenID: "L7k8ljIC", Owner: "ann", Creator: "bob", Name: "ci", Description: "nightly <build>", ExpiresAt: instant.Of(noon.Add(time.Hour)),
		Scopes: []string{"GET /v1/things/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		MadeWith: "JhxND7ci",
		Verifier: events.Verifier{Kid: "a", MAC: []byte("thirty-two bytes of a verifier..")},
	},
	events.TokenUpdated{
		TokenID: "L7k8ljIC", Owner: "ann", Name: new("ci 2"), Description: new(""), ExpiresAt: instant.Of(noon.Add(2 * time.Hour)), NeverExpires: true,
		Scopes: &[]string{"GET /v1/*"}, SourceIPs: &[]netip.Prefix{}, PreviousSecretUntil: instant.Of(noon),
	},
	events.TokenDisabled{TokenID: "L7k8ljIC", Owner: "ann"},
	events.TokenEnabled{TokenID: "L7k8ljIC", Owner: "ann"},
	events.TokenRotated{
		TokenID: "L7k8ljIC", Owner: "ann", PreviousSecretUntil: instant.Of(noon.Add(time.Minute)), Self: true,
		Verifier: events.Verifier{Kid: "a", MAC: []byte("another verifier of 32 bytes....")},
	},
	events.OwnerLimitChanged{Owner: "ann", TokenLimit: new(7)},
	events.UserSuspended{Owner: "ann", Reason: "lost laptop", TokenIDs: []string{"L7k8ljIC"}},
	events.UserReinstated{Owner: "ann", Reason: "laptop found", TokenIDs: []string{"L7k8ljIC"}},
	events.TokenRevoked{TokenID: "L7k8ljIC", Owner: "ann", Cause: events.CauseUser},
	events.TokenExpired{TokenID: "zzzzzzzz", Owner: "ann", ExpiresAt: instant.Of(noon.Add(-time.Microsecond))},
}

// commit makes the commit after base, as an issuer would.
func commit(t testing.TB, k events.Keys, s events.Stream, base events.Head, m events.Meta, facts ...events.Fact) events.Commit {
	t.Helper()
	c, err := events.NewCommit(k, s, base, m, facts, 1, []byte(`{"state":"opaque"}`), events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// atPage is meta of a caller at the page.
func atPage() events.Meta {
	m := meta
	m.ActorVia, m.ActorAddress = events.ViaUI, "203.0.113.9"
	return m
}

// history returns ann's stream after two commits: its records and its head.
func history(t testing.TB, k events.Keys) ([]events.Record, events.Head) {
	t.Helper()
	first := commit(t, k, events.UserStream("ann"), events.Head{}, meta, anns...)
	second := commit(t, k, events.UserStream("ann"), first.Head(), atPage(), anns...)
	return append(first.Records(), second.Records()...), second.Head()
}
