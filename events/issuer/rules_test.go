package issuer_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

func TestCreatedTokenHasTheWishedProperties(t *testing.T) {
	s := newScene(t)
	by := person("ann")
	by.TokenID = "OfAnn123"
	wish := token.Wish{
		Name: "deploy", Description: "for CI", ExpiresIn: time.Hour, Scopes: []string{"GET /v1/*"},
		SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	made, text, err := s.Create(t.Context(), by, "", wish)
	if err != nil {
		t.Fatal(err)
	}
	want := events.View{
		ID: made.ID, Owner: "ann", Creator: "ann", Name: wish.Name, Description: wish.Description,
		CreatedAt: start, ExpiresAt: start.Add(time.Hour), Scopes: wish.Scopes, SourceIPs: wish.SourceIPs, First: 1, Seq: 1,
		Verifier: made.Verifier,
	}
	if !reflect.DeepEqual(made.View, want) || made.State != events.StateActive {
		t.Errorf("got %+v, want %+v", made, want)
	}
	if !strings.HasPrefix(text.Reveal(), "acme_"+made.ID+".") {
		t.Error("the text has neither the deployment's prefix nor the token's id")
	}
	stored, _, err := s.store.Token(t.Context(), made.ID)
	if err != nil || stored.Check(storetest.Keys) != nil {
		t.Errorf("the stored view: got %v, %v, want a sealed view", err, stored.Check(storetest.Keys))
	}
	stored.Seal = events.Verifier{}
	if !reflect.DeepEqual(stored, want) {
		t.Errorf("stored %+v, want %+v", stored, want)
	}
	r := s.checkedLog("ann")[0]
	if r.Actor != "ann" || r.TokenID != by.TokenID || len(r.Command) != 32 || !strings.Contains(string(r.Private), here.String()) {
		t.Errorf("the record has actor %s, token %s, command %q and private %s", r.Actor, r.TokenID, r.Command, r.Private)
	}
	if kept, _ := s.store.Head(t.Context(), events.UserStream("ann")); !kept.KeepUntil.Equal(start.Add(400 * 24 * time.Hour)) {
		t.Errorf("records are kept until %s, want 400 days", kept.KeepUntil)
	}
}

// TestRefusedCreateWritesNothing: no record, no view and no message, for a refusal
// by each rule.
func TestRefusedCreateWritesNothing(t *testing.T) {
	scoped, ranged, brief := person("ann"), person("ann"), person("ann")
	scoped.Scopes = []string{"GET /v1/*"}
	ranged.SourceIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	brief.ExpiresAt = start.Add(time.Hour)
	for name, test := range map[string]struct {
		by    guard.Principal
		owner string
		wish  token.Wish
		want  string
	}{
		"for another":              {person("ann"), "bob", token.Wish{}, token.CodePermissionDenied},
		"for another, at a limit":  {person("ann"), "full", token.Wish{}, token.CodePermissionDenied},
		"at the limit":             {person("full"), "", token.Wish{}, token.CodeLimitReached},
		"at another's limit":       {person("admin"), "full", token.Wish{}, token.CodeLimitReached},
		"no owner":                 {person("admin"), "local:bob", token.Wish{}, token.CodeInvalidField},
		"control character":        {person("ann"), "", token.Wish{Name: "a\nb"}, token.CodeInvalidField},
		"no scope":                 {person("ann"), "", token.Wish{Scopes: []string{"read"}}, token.CodeInvalidField},
		"two expiries":             {person("ann"), "", token.Wish{ExpiresIn: 1, ExpiresAt: start.Add(time.Microsecond)}, token.CodeInvalidField},
		"past":                     {person("ann"), "", token.Wish{ExpiresAt: start}, token.CodeExpiryInPast},
		"above the maximum":        {person("ann"), "", token.Wish{ExpiresIn: 25 * time.Hour}, token.CodeExpiryTooLate},
		"beyond its maker's scope": {scoped, "", token.Wish{Scopes: []string{"* /v1/*"}}, token.CodeScopeExceeds},
		"no scope of a scoped":     {scoped, "", token.Wish{}, token.CodeScopeExceeds},
		"no ranges of a ranged":    {ranged, "", token.Wish{}, token.CodeSourceIPsExceed},
		"outlives its maker":       {brief, "", token.Wish{ExpiresIn: time.Hour + time.Microsecond}, token.CodeExpiryOutlives},
		"above the rate":           {person("busy"), "", token.Wish{}, token.CodeRateExceeded},
		"above another's rate":     {person("admin"), "busy", token.Wish{}, token.CodeRateExceeded},
		"for a user with more":     {person("admin"), "editor", token.Wish{}, token.CodeDeniedByOwner},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.grant("admin", settings.ActionCreate)
			day := 24 * time.Hour
			s.changeSettings(settings.Change{Expiration: &day})
			s.grant("editor", settings.ActionEdit)
			for range 5 {
				s.create(person("full"), "", token.Wish{})
				s.createAndRevoke("busy")
			}
			s.createAndRevoke("busy")
			s.changeRate(6)
			before := s.snapshot("ann", "bob", "full", "admin", "busy", "editor")
			made, text, err := s.Create(t.Context(), test.by, test.owner, test.wish)
			if got := refusalCode(t, err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if made.ID != "" || text.Reveal() != "" {
				t.Error("a refusal came with a token")
			}
			if after := s.snapshot("ann", "bob", "full", "admin", "busy", "editor"); !reflect.DeepEqual(before, after) {
				t.Errorf("after a refusal the store has\n%+v\nwant\n%+v", after, before)
			}
		})
	}
}

// TestDelegatedTokenStaysWithinItsMaker: a token that a limited token makes has no
// more rights than its maker, and the guard allows exactly its own scopes.
func TestDelegatedTokenStaysWithinItsMaker(t *testing.T) {
	s := newScene(t)
	_, shown := s.create(person("ann"), "", token.Wish{
		ExpiresIn: time.Hour, Scopes: []string{"* /v1/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	maker, err := s.Guard().Check(t.Context(), shown, here)
	if err != nil {
		t.Fatal(err)
	}
	child, text := s.create(maker, "", token.Wish{
		Scopes: []string{"GET /v1/things/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
	})
	if !child.ExpiresAt.Equal(maker.ExpiresAt) {
		t.Errorf("the child expires at %s, want its maker's %s", child.ExpiresAt, maker.ExpiresAt)
	}
	if r := s.checkedLog("ann")[1]; r.TokenID != maker.TokenID {
		t.Errorf("the record names token %s, want the maker's %s", r.TokenID, maker.TokenID)
	}
	p, err := s.Guard().Check(t.Context(), text, here)
	allows := func(method, path string) bool { return p.Judge(guard.Question{Method: method, Path: path}).Allowed() }
	if err != nil || !allows("GET", "/v1/things/7") || allows("GET", "/v1/others") || allows("PUT", "/v1/things/7") {
		t.Errorf("the child gives %+v %v, want its own scopes", p, err)
	}
	s.wait(time.Hour - time.Microsecond)
	if got := s.denialOf(text); got != "" {
		t.Errorf("a microsecond before: got %s, want it to pass", got)
	}
	s.wait(time.Microsecond)
	if got := s.denialOf(text); got != guard.CodeExpired {
		t.Errorf("at its expiry: got %q, want %s", got, guard.CodeExpired)
	}
}

// TestExpiringTokenOfAnAdministratorDoesNotProlongItself: a leaked token of an
// administrator must end in time, also the tokens that it makes for its own owner.
func TestExpiringTokenOfAnAdministratorDoesNotProlongItself(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.Actions()...)
	_, shown := s.create(person("admin"), "", token.Wish{ExpiresIn: time.Hour})
	for generation := range 4 {
		by, err := s.Guard().Check(t.Context(), shown, here)
		if err != nil {
			t.Fatal(err)
		}
		for _, owner := range []string{"", "admin"} {
			for _, wish := range []token.Wish{{ExpiresIn: time.Hour + time.Microsecond}, {ExpiresIn: 10 * 365 * 24 * time.Hour}, {ExpiresAt: start.Add(time.Hour + time.Microsecond)}} {
				_, _, err := s.Create(t.Context(), by, owner, wish)
				if got := refusalCode(t, err); got != token.CodeExpiryOutlives {
					t.Errorf("generation %d for %q: got %q, want %s", generation, owner, got, token.CodeExpiryOutlives)
				}
			}
		}
		var made issuer.Token
		if made, shown = s.create(by, "", token.Wish{}); !made.ExpiresAt.Equal(start.Add(time.Hour)) {
			t.Errorf("generation %d expires at %v, want the expiry of the first token", generation, made.ExpiresAt)
		}
		s.wait(time.Minute)
	}
}

func TestAdministratorMakesTokensForOthers(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.ActionCreate)
	admin := person("admin")
	admin.ExpiresAt = start.Add(time.Minute) // this does not limit tokens for other users
	made, shown := s.create(admin, "ACTIVE_DIRECTORY:bob", token.Wish{})
	if made.Owner != "ACTIVE_DIRECTORY:bob" || made.Creator != "admin" || !made.ExpiresAt.IsZero() {
		t.Errorf("got owner %s, creator %s, expiry %v", made.Owner, made.Creator, made.ExpiresAt)
	}
	if p, err := s.Guard().Check(t.Context(), shown, here); err != nil || p.Owner != made.Owner {
		t.Errorf("the token acts for %s %v, want %s", p.Owner, err, made.Owner)
	}
	if rs := s.checkedLog(made.Owner); len(rs) != 1 || rs[0].Actor != "admin" {
		t.Errorf("the owner's log is %+v, want one record by admin", rs)
	}
}

// TestExpiredTokensDoNotCountForTheLimit from the instant of their expiry on, even
// if no record says yet that they expired.
func TestExpiredTokensDoNotCountForTheLimit(t *testing.T) {
	s := newScene(t)
	for range 5 {
		s.create(person("ann"), "", token.Wish{ExpiresIn: time.Hour})
	}
	s.wait(time.Hour - time.Microsecond)
	_, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{})
	if refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("a microsecond before: got %v, want %s", err, token.CodeLimitReached)
	}
	s.wait(time.Microsecond)
	s.create(person("ann"), "", token.Wish{})
	if rs := s.checkedLog("ann"); len(rs) != 11 {
		t.Errorf("the log has %d records, want 5 created, 5 expired, 1 created", len(rs))
	}
}

// TestTimeOfAStreamNeverRunsBackwards, even if the clock does.
func TestTimeOfAStreamNeverRunsBackwards(t *testing.T) {
	s := newScene(t)
	first, _ := s.create(person("ann"), "", token.Wish{})
	s.wait(-time.Hour)
	second, _ := s.create(person("ann"), "", token.Wish{ExpiresIn: time.Minute})
	if !second.CreatedAt.Equal(first.CreatedAt) || !second.ExpiresAt.Equal(first.CreatedAt.Add(time.Minute)) {
		t.Errorf("created at %s until %s, want from %s for a minute", second.CreatedAt, second.ExpiresAt, first.CreatedAt)
	}
}

// TestSettingsAreFreshForOthersAndCachedForOwnTokens: calls about the caller's own
// tokens use settings that are at most five seconds old.
func TestSettingsAreFreshForOthersAndCachedForOwnTokens(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.ActionCreate)
	old := s.Issuer
	if _, err := old.WhoAmI(t.Context(), person("ann")); err != nil {
		t.Fatal(err)
	}
	s.limit(0)
	s.Issuer = old
	s.create(person("ann"), "", token.Wish{}) // with cached settings, 0 s old
	s.wait(5 * time.Second)
	s.create(person("ann"), "", token.Wish{})
	s.wait(time.Microsecond)
	if _, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{}); refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("after 5s and 1ns: got %v, want %s", err, token.CodeLimitReached)
	}
	s.grant("admin")
	s.Issuer = old
	if _, _, err := s.Create(t.Context(), person("admin"), "bob", token.Wish{}); refusalCode(t, err) != token.CodePermissionDenied {
		t.Errorf("for another, immediately: got %v, want %s", err, token.CodePermissionDenied)
	}
}

// TestCachedSettingsOfTheFutureAreReadAgain: after the clock was set back, the age
// of the cache is unknown.
func TestCachedSettingsOfTheFutureAreReadAgain(t *testing.T) {
	s := newScene(t)
	old := s.Issuer
	if _, err := old.WhoAmI(t.Context(), person("ann")); err != nil {
		t.Fatal(err)
	}
	s.limit(0)
	s.Issuer = old
	s.wait(-time.Second)
	if _, _, err := s.Create(t.Context(), person("ann"), "", token.Wish{}); refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("got %v, want %s", err, token.CodeLimitReached)
	}
}
