package issuer_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

var elsewhere = netip.MustParseAddr("198.51.100.7")

// ann is the owner key of a person at an identity provider.
var ann = name.OwnerOf("corp", "https://id.example.com", "ann")

// asAnn is the sign-in of ann at an identity provider.
func asAnn(change ...func(*issuer.SignIn)) issuer.SignIn {
	in := issuer.SignIn{
		Owner: ann, Name: "Ann Ö.", Via: guard.ViaOIDC, Alias: "corp", Issuer: "https://id.example.com", Subject: "ann", Address: here,
	}
	for _, f := range change {
		f(&in)
	}
	return in
}

func byExchange(in *issuer.SignIn) { in.Via, in.Name = guard.ViaExchange, "" }

// open opens a session, and returns it with the caller that shows it.
func (s *scene) open(in issuer.SignIn) (issuer.Token, guard.Principal, secret.Token) {
	s.Helper()
	opened, text, err := s.OpenSession(s.Context(), in)
	if err != nil {
		s.Fatalf("opening a session: %v", err)
	}
	shown := s.parse(text)
	return opened, s.caller(shown), shown
}

// openWith opens a session with a token.
func (s *scene) openWith(t secret.Token) (issuer.Token, guard.Principal, secret.Token) {
	s.Helper()
	opened, text, err := s.OpenSessionWith(s.Context(), s.caller(t), false)
	if err != nil {
		s.Fatalf("opening a session with a token: %v", err)
	}
	shown := s.parse(text)
	return opened, s.caller(shown), shown
}

// caller is the principal of a token or session that passes.
func (s *scene) caller(t secret.Token) guard.Principal {
	s.Helper()
	p, err := s.Guard().Check(s.Context(), t, here)
	if err != nil {
		s.Fatalf("checking %s: %v", t.ID, err)
	}
	return p
}

// sessions are the ids of the live sessions of an owner.
func (s *scene) sessions(owner string) (ids []string) {
	s.Helper()
	page, err := s.List(s.Context(), person(owner), issuer.ListQuery{Kind: events.KindSession, Owners: []string{owner}})
	if err != nil {
		s.Fatal(err)
	}
	for _, t := range page.Tokens {
		ids = append(ids, t.ID)
	}
	return ids
}

// sessionLog returns the records of an owner's sessions, after a check of their chain.
func (s *scene) sessionLog(owner string) []events.Record {
	s.Helper()
	rs, err := s.store.History(s.Context(), events.SessionStream(owner), 0, 10_000)
	if err == nil {
		err = events.Verify(events.Hash{}, rs)
	}
	if err != nil {
		s.Fatal(err)
	}
	return rs
}

// causes are the ends of sessions in the log, as "ID cause".
func (s *scene) causes(owner string) (all []string) {
	s.Helper()
	for _, r := range s.sessionLog(owner) {
		f, err := events.Decode(r)
		if err != nil {
			s.Fatal(err)
		}
		if c, ok := f.(events.SessionClosed); ok {
			all = append(all, c.TokenID+" "+string(c.Cause))
		}
	}
	return all
}

// putBack writes a view as it was, with its seal, as a thief does who kept a copy of it.
func (s *scene) putBack(v events.View) {
	s.Helper()
	stream := events.UserStream("thief")
	head, err := s.store.Head(s.Context(), stream)
	if err != nil {
		s.Fatal(err)
	}
	fact := events.OwnerLimitChanged{Owner: "thief"}
	c, err := events.NewCommit(storetest.Keys, stream, head, events.Meta{Command: randomID(), At: s.now()}, []events.Fact{fact}, 1, nil, events.Effect{Changed: []events.View{v}})
	if err == nil {
		err = s.store.Commit(s.Context(), c)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// TestASignInOpensASessionThatPasses: its view has all that the guard needs, and the log
// says how the person was known.
func TestASignInOpensASessionThatPasses(t *testing.T) {
	s := newScene(t)
	opened, by, shown := s.open(asAnn(func(in *issuer.SignIn) { in.UI = true }))
	if by.Kind != guard.KindSession || by.Via != guard.ViaOIDC || by.Owner != ann || !by.UI || !by.MakesUntil.IsZero() || !by.ExpiresAt.Equal(start.Add(session.MaxLife)) {
		t.Errorf("the principal is %+v", by)
	}
	v, _, err := s.store.Token(t.Context(), opened.ID)
	if err != nil || v.Check(storetest.Keys) != nil || v.Name != "Ann Ö." {
		t.Errorf("the view is %+v, %v", v, err)
	}
	rs := s.sessionLog(ann)
	f, err := events.Decode(rs[0])
	if o, ok := f.(events.SessionOpened); err != nil || !ok || o.Issuer != "https://id.example.com" || len(o.SubjectDigest) != 64 || o.Via != "oidc" || strings.Contains(string(rs[0].Public), `"ann"`) {
		t.Errorf("the first fact is %+v, %v", f, err)
	}
	s.nanos.Store(int64(session.MaxLife))
	if got := s.denialOf(shown); got != guard.CodeExpired {
		t.Errorf("after 12 hours: got %q, want %s", got, guard.CodeExpired)
	}
}

// TestASessionIsShownOnlyWhenAskedFor: no list of tokens has it, whatever its filters.
func TestASessionIsShownOnlyWhenAskedFor(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	made, _ := s.create(person(ann), "", token.Wish{ExpiresIn: time.Hour})
	opened, _, _ := s.open(asAnn())
	never := false
	for what, q := range map[string]issuer.ListQuery{
		"own": {}, "of the owner": {Owners: []string{ann}}, "in each state": {States: []events.TokenState{events.StateActive, events.StateExpired}},
		"that expire": {Filter: issuer.Filter{NeverExpires: &never}}, "by its creator": {Filter: issuer.Filter{Creators: []string{ann}}},
	} {
		for _, caller := range []string{ann, "viewer"} {
			for kind, want := range map[string]string{"": made.ID, events.KindSession: opened.ID} {
				q.Kind = kind
				page, err := s.List(t.Context(), person(caller), q)
				if err != nil || len(page.Tokens) != 1 || page.Tokens[0].ID != want {
					t.Errorf("the list %s for %s, kind %q: got %+v, %v, want %s", what, caller, kind, page.Tokens, err, want)
				}
			}
		}
	}
	if a, err := s.Account(t.Context(), person(ann), ann); err != nil || a.Live != 1 {
		t.Errorf("%d live tokens, %v; a session is none", a.Live, err)
	}
	page, err := s.List(t.Context(), person("stranger"), issuer.ListQuery{Kind: events.KindSession, Owners: []string{ann}})
	if err != nil || len(page.Tokens) != 0 {
		t.Errorf("a stranger sees %v, %v", page.Tokens, err)
	}
}

// TestASessionIsOutsideOfTheTokenLimit in both directions.
func TestASessionIsOutsideOfTheTokenLimit(t *testing.T) {
	s := newScene(t)
	s.limit(1)
	_, by, _ := s.open(asAnn())
	s.create(by, "", token.Wish{})
	if _, _, err := s.Create(t.Context(), by, "", token.Wish{}); refusalCode(t, err) != token.CodeLimitReached {
		t.Errorf("the second token: got %v, want %s", err, token.CodeLimitReached)
	}
	s.open(asAnn())
}

// TestWhatASessionMayMake has a row for each way to be opened: the default expiry of a
// token that it makes, and whether a token without an end is refused.
func TestWhatASessionMayMake(t *testing.T) {
	for name, row := range map[string]struct {
		open   func(s *scene) guard.Principal
		wish   token.Wish
		ends   time.Time
		never  string
		scopes string // the refusal of a token without scopes
	}{
		"a person at a provider": {open: func(s *scene) guard.Principal { _, by, _ := s.open(asAnn()); return by }},
		"a person with a password": {open: func(s *scene) guard.Principal {
			_, by, _ := s.open(asAnn(func(in *issuer.SignIn) { in.Via = guard.ViaPassword }))
			return by
		}},
		"a JWT of an hour": {
			open: func(s *scene) guard.Principal {
				_, by, _ := s.open(asAnn(byExchange, func(in *issuer.SignIn) { in.Until = start.Add(time.Hour) }))
				return by
			},
			ends: start.Add(time.Hour), never: token.CodeExpiryOutlives,
		},
		"a JWT without an end": {
			open: func(s *scene) guard.Principal { _, by, _ := s.open(asAnn(byExchange)); return by },
			ends: start.Add(session.MaxLife), never: token.CodeExpiryOutlives,
		},
		"a token that expires in a month": {
			open: func(s *scene) guard.Principal {
				_, t := s.create(person(ann), "", token.Wish{ExpiresIn: 720 * time.Hour})
				_, by, _ := s.openWith(t)
				return by
			},
			ends: start.Add(720 * time.Hour), never: token.CodeExpiryOutlives,
		},
		"a token that expires in an hour": {
			open: func(s *scene) guard.Principal {
				_, t := s.create(person(ann), "", token.Wish{ExpiresIn: time.Hour})
				_, by, _ := s.openWith(t)
				return by
			},
			ends: start.Add(time.Hour), never: token.CodeExpiryOutlives,
		},
		"a token that never expires": {
			open: func(s *scene) guard.Principal {
				_, t := s.create(person(ann), "", token.Wish{})
				_, by, _ := s.openWith(t)
				return by
			},
		},
		"a token with scopes": {
			open: func(s *scene) guard.Principal {
				_, t := s.create(person(ann), "", token.Wish{Scopes: []string{"GET /a/*", "POST /v1/*"}})
				_, by, _ := s.openWith(t)
				return by
			},
			wish:   token.Wish{Scopes: []string{"GET /a/b"}},
			scopes: token.CodeScopeExceeds,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.limit(10)
			by := row.open(s)
			made, _ := s.create(by, "", row.wish)
			if !made.ExpiresAt.Equal(row.ends) {
				t.Errorf("the default expiry is %s, want %s", made.ExpiresAt, row.ends)
			}
			wish := row.wish
			wish.ExpiresAt = start.AddDate(1, 0, 0)
			if _, _, err := s.Create(t.Context(), by, "", wish); refusalCode(t, err) != row.never {
				t.Errorf("a token of a year: got %v, want %q", err, row.never)
			}
			if _, err := s.Update(t.Context(), by, made.ID, token.Update{Wish: token.Wish{ExpiresAt: start.AddDate(1, 0, 0)}, Given: token.Members{Expiry: true}}); refusalCode(t, err) != row.never {
				t.Errorf("an expiry in a year: got %v, want %q", err, row.never)
			}
			other, _ := s.create(person(ann), "", token.Wish{Scopes: row.wish.Scopes})
			if _, _, err := s.Rotate(t.Context(), by, other.ID, nil, nil); refusalCode(t, err) != row.never {
				t.Errorf("the rotation of a token that never expires: got %v, want %q", err, row.never)
			}
			if _, _, err := s.Create(t.Context(), by, "", token.Wish{}); refusalCode(t, err) != row.scopes {
				t.Errorf("a token without scopes: got %v, want %q", err, row.scopes)
			}
			if row.never != "" { // also after its own end, and for a token that the session did not make
				s.nanos.Store(int64(session.MaxLife + time.Minute))
				if _, err := s.Guard().Check(t.Context(), secret.Token{ID: by.TokenID}, here); err == nil {
					t.Error("the session passes after its end")
				}
			}
		})
	}
}

// TestASessionOfATokenKeepsItsAddresses: the guard compares them for the session.
func TestASessionOfATokenKeepsItsAddresses(t *testing.T) {
	s := newScene(t)
	_, shown := s.create(person(ann), "", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}})
	_, by, of := s.openWith(shown)
	if !slices.Equal(by.SourceIPs, []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}) {
		t.Errorf("the ranges of the session are %v", by.SourceIPs)
	}
	if _, err := s.Guard().Check(t.Context(), of, elsewhere); !errors.Is(err, guard.WrongSource) {
		t.Errorf("from another address: got %v", err)
	}
	if _, _, err := s.Create(t.Context(), by, "", token.Wish{}); refusalCode(t, err) != token.CodeSourceIPsExceed {
		t.Errorf("a token for all addresses: got %v", err)
	}
}

// TestASessionOpensNoSession: it could live longer than the first sign-in allows.
func TestASessionOpensNoSession(t *testing.T) {
	s := newScene(t)
	_, by, _ := s.open(asAnn())
	_, shown := s.create(person(ann), "", token.Wish{})
	if _, _, err := s.OpenSessionWith(t.Context(), by, false); refusalCode(t, err) != token.CodeDeniedByCredential {
		t.Errorf("with a session: got %v", err)
	}
	if _, _, err := s.Rotate(t.Context(), person(ann), shown.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.OpenSessionWith(t.Context(), s.caller(shown), false); refusalCode(t, err) != token.CodeDeniedByCredential {
		t.Errorf("with a secret that was replaced: got %v", err)
	}
}

// TestASessionIsNeitherChangedNorRotated, by itself or by anybody.
func TestASessionIsNeitherChangedNorRotated(t *testing.T) {
	s := newScene(t)
	s.grant("boss", settings.Actions()...)
	opened, by, _ := s.open(asAnn())
	for _, caller := range []guard.Principal{by, person(ann), person("boss")} {
		if _, _, err := s.Rotate(t.Context(), caller, opened.ID, nil, nil); refusalCode(t, err) != issuer.CodeSession {
			t.Errorf("a rotation by %s: got %v", caller.Owner, err)
		}
		enabled := false
		if _, err := s.Update(t.Context(), caller, opened.ID, token.Update{Enabled: &enabled}); refusalCode(t, err) != issuer.CodeSession {
			t.Errorf("disabling by %s: got %v", caller.Owner, err)
		}
	}
	if _, _, err := s.Rotate(t.Context(), person("stranger"), opened.ID, nil, nil); refusalCode(t, err) != token.CodeNotFound {
		t.Errorf("a rotation by a stranger: got %v, want the answer of a missing token", err)
	}
	if n := len(s.sessionLog(ann)); n != 1 {
		t.Errorf("the log has %d records, want the one of the sign-in", n)
	}
}

// TestWhoEndsASession has the cause of each end, and no other fact names the session.
func TestWhoEndsASession(t *testing.T) {
	for name, row := range map[string]struct {
		end  func(s *scene, by guard.Principal, shown secret.Token) error
		code string
		want string
	}{
		"itself": {end: func(s *scene, by guard.Principal, _ secret.Token) error { return s.Revoke(s.Context(), by, by.TokenID) }, want: "sign_out"},
		"itself, with children": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.RevokeWithChildren(s.Context(), by, by.TokenID)
		}, want: "sign_out"},
		"the user": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.Revoke(s.Context(), person(ann), by.TokenID)
		}, want: "user"},
		"an administrator": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.Revoke(s.Context(), person("boss"), by.TokenID)
		}, want: "admin"},
		"a viewer": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.Revoke(s.Context(), person("viewer"), by.TokenID)
		}, code: token.CodePermissionDenied},
		"a stranger": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.Revoke(s.Context(), person("stranger"), by.TokenID)
		}, code: token.CodeNotFound},
		"who has the secret": {end: func(s *scene, _ guard.Principal, shown secret.Token) error {
			_, err := s.RevokeShown(s.Context(), shown.Text().Reveal(), elsewhere)
			return err
		}, want: "possession"},
		"an old entry": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			return s.Revoke(s.Context(), by, by.TokenID, 7)
		}, code: token.CodeVersionConflict},
		"the suspension": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			_, err := s.Suspend(s.Context(), person("boss"), ann, "left")
			return err
		}, want: "suspended"},
		"the offboarding": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			_, err := s.Offboard(s.Context(), person("boss"), ann, "left")
			return err
		}, want: "suspended"},
		"the bootstrap": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			_, _, err := s.Bootstrap(s.Context(), ann, true)
			return err
		}, want: "suspended"},
		"the restore": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			_, err := s.SuspendAgain(s.Context(), ann)
			return err
		}, want: "suspended"},
		"the copies": {end: func(s *scene, by guard.Principal, _ secret.Token) error {
			_, err := s.CloseAgain(s.Context(), ann, map[string]bool{by.TokenID: true})
			return err
		}, want: "admin"},
		"time": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			s.wait(session.MaxLife)
			_, err := s.ExpireSessions(s.Context(), ann)
			return err
		}, want: "expired"},
		"the next sign-in": {end: func(s *scene, _ guard.Principal, _ secret.Token) error {
			s.wait(session.MaxLife)
			s.open(asAnn())
			return nil
		}, want: "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.grant("boss", settings.Actions()...)
			s.grant("viewer", settings.ActionView)
			opened, by, shown := s.open(asAnn())
			if got := refusalCode(t, row.end(s, by, shown)); got != row.code {
				t.Fatalf("got %q, want %q", got, row.code)
			}
			var want []string
			if row.want != "" {
				want = []string{opened.ID + " " + row.want}
			}
			if got := s.causes(ann); !slices.Equal(got, want) {
				t.Errorf("the ends in the log are %v, want %v", got, want)
			}
			if passes := s.denialOf(shown) == ""; passes != (row.want == "") {
				t.Errorf("the session passes: %v", passes)
			}
			for _, r := range s.checkedLog(ann) {
				if strings.Contains(string(r.Public), opened.ID) {
					t.Errorf("a fact about tokens names the session: %s %s", r.Type, r.Public)
				}
			}
		})
	}
}

// TestTheEndOfASessionIsFinal: a second end is not found, as for a token.
func TestTheEndOfASessionIsFinal(t *testing.T) {
	s := newScene(t)
	opened, by, shown := s.open(asAnn())
	if err := s.Revoke(t.Context(), by, by.TokenID); err != nil {
		t.Fatal(err)
	}
	if got := refusalCode(t, s.Revoke(t.Context(), person(ann), opened.ID)); got != token.CodeNotFoundRevoked {
		t.Errorf("a second end: got %q", got)
	}
	if _, err := s.RevokeShown(t.Context(), shown.Text().Reveal(), here); err != nil {
		t.Errorf("showing it again: %v", err)
	}
	if n := len(s.causes(ann)); n != 1 {
		t.Errorf("the log has %d ends", n)
	}
	got, err := s.Get(t.Context(), person(ann), opened.ID, events.StateRevoked)
	if err != nil || got.State != events.StateRevoked || !got.IsSession() {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestASessionThatWasPutBackEndsAgain: something wrote its old, sealed view.
func TestASessionThatWasPutBackEndsAgain(t *testing.T) {
	s := newScene(t)
	opened, by, shown := s.open(asAnn())
	if err := s.Revoke(t.Context(), by, by.TokenID); err != nil {
		t.Fatal(err)
	}
	s.putBack(opened.View)
	if s.denialOf(shown) != "" {
		t.Fatal("the view was not put back")
	}
	if err := s.Revoke(t.Context(), person(ann), opened.ID); err != nil {
		t.Fatal(err)
	}
	if got := s.denialOf(shown); got != guard.CodeRevoked {
		t.Errorf("got %q, want %s", got, guard.CodeRevoked)
	}
	s.putBack(opened.View)
	if _, _, err := s.Bootstrap(t.Context(), ann, true); err != nil {
		t.Fatal(err)
	}
	if got := s.denialOf(shown); got != guard.CodeRevoked {
		t.Errorf("after a bootstrap that replaces: got %q, want %s", got, guard.CodeRevoked)
	}
}
