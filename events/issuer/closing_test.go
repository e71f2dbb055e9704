package issuer_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/session"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// backed is a token of ann with scopes, ranges and an expiry, and a session of it.
type backed struct {
	*scene
	id      string
	shown   secret.Token
	session secret.Token
	by      guard.Principal // the session
}

func newBacked(t testing.TB) *backed {
	t.Helper()
	s := newScene(t)
	s.grant("boss", settings.Actions()...)
	made, shown := s.create(person(ann), "", token.Wish{
		Scopes: []string{"* /*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, ExpiresIn: 1000 * time.Hour,
	})
	_, by, session := s.openWith(shown)
	return &backed{scene: s, id: made.ID, shown: shown, session: session, by: by}
}

// endings are the calls after which the token gives less, or nothing.
var endings = map[string]struct {
	call  func(b *backed) error
	cause string // of the end of the session; empty: it does not end
}{
	"a revocation":       {func(b *backed) error { return b.Revoke(b.Context(), person(ann), b.id) }, "user"},
	"one by its session": {func(b *backed) error { return b.Revoke(b.Context(), b.by, b.id) }, "user"},
	"one with children":  {func(b *backed) error { return b.RevokeWithChildren(b.Context(), person("boss"), b.id) }, "admin"},
	"its secret is shown": {func(b *backed) error {
		_, err := b.RevokeShown(b.Context(), b.shown.Text().Reveal(), elsewhere)
		return err
	}, "possession"},
	"disabling": {func(b *backed) error { return b.update(person("boss"), token.Update{Enabled: new(false)}) }, "admin"},
	"fewer scopes": {func(b *backed) error {
		return b.update(person(ann), token.Update{Given: token.Members{Scopes: true}, Wish: token.Wish{Scopes: []string{"GET /*"}}})
	}, "user"},
	"fewer addresses": {func(b *backed) error {
		return b.update(person(ann), token.Update{Given: token.Members{SourceIPs: true}, Wish: token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")}}})
	}, "user"},
	"an earlier expiry": {func(b *backed) error {
		return b.update(person(ann), token.Update{Given: token.Members{Expiry: true}, Wish: token.Wish{ExpiresIn: 900 * time.Hour}})
	}, "user"},
	"a rotation": {func(b *backed) error { _, _, err := b.Rotate(b.Context(), person(ann), b.id, nil, nil); return err }, "user"},
	"one by another token": {func(b *backed) error {
		_, t := b.create(person(ann), "", token.Wish{})
		_, _, err := b.Rotate(b.Context(), b.caller(t), b.id, nil, nil)
		return err
	}, "user"},
	"a suspension":   {func(b *backed) error { _, err := b.Suspend(b.Context(), person("boss"), ann, ""); return err }, "suspended"},
	"an offboarding": {func(b *backed) error { _, err := b.Offboard(b.Context(), person("boss"), ann, ""); return err }, "suspended"},
	"a bootstrap":    {func(b *backed) error { _, _, err := b.Bootstrap(b.Context(), ann, true); return err }, "suspended"},
	"a restore": {func(b *backed) error {
		_, err := b.RevokeAgain(b.Context(), ann, map[string]bool{b.id: true})
		return err
	}, "admin"},
	"another name": {func(b *backed) error {
		return b.update(person(ann), token.Update{Given: token.Members{Name: true}, Wish: token.Wish{Name: "x"}})
	}, ""},
	"more scopes":            {func(b *backed) error { return b.update(person(ann), token.Update{Given: token.Members{Scopes: true}}) }, ""},
	"a later expiry":         {func(b *backed) error { return b.update(person(ann), token.Update{Given: token.Members{Expiry: true}}) }, ""},
	"its session rotates it": {func(b *backed) error { _, _, err := b.Rotate(b.Context(), b.by, b.id, nil, nil); return err }, ""},
	"another token ends": {func(b *backed) error {
		made, _ := b.create(person(ann), "", token.Wish{})
		return b.Revoke(b.Context(), person(ann), made.ID)
	}, ""},
}

func (b *backed) update(by guard.Principal, u token.Update) error {
	_, err := b.Update(b.Context(), by, b.id, u)
	return err
}

// TestASessionEndsWithItsTokenBeforeTheAnswer: the guard denies the session in the next
// call, and the log has one end.
func TestASessionEndsWithItsTokenBeforeTheAnswer(t *testing.T) {
	for name, row := range endings {
		t.Run(name, func(t *testing.T) {
			b := newBacked(t)
			_, _, person := b.open(asAnn()) // has no token, so only a suspension ends it
			if err := row.call(b); err != nil {
				t.Fatal(err)
			}
			if ends := b.denialOf(b.session) != ""; ends != (row.cause != "") {
				t.Errorf("the session ended: %v", ends)
			}
			if ends := b.denialOf(person) != ""; ends != (row.cause == "suspended") {
				t.Errorf("the session of the person ended: %v", ends)
			}
			var of []string
			for _, c := range b.causes(ann) {
				if c == b.session.ID+" "+row.cause {
					of = append(of, c)
				}
			}
			if (len(of) == 1) != (row.cause != "") {
				t.Errorf("the ends in the log are %v, want the cause %q", b.causes(ann), row.cause)
			}
		})
	}
}

// TestAnInterruptedEndIsFinishedByTheNextCall: the second write of a call fails each
// time, so its answer is a fault. The same call again ends the session.
func TestAnInterruptedEndIsFinishedByTheNextCall(t *testing.T) {
	for name, row := range endings {
		if row.cause == "" || name == "a bootstrap" || name == "one by another token" { // the latter two make tokens
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the calls wait between their tries
			b := newBacked(t)
			commits := 0
			b.useFaulty(func(op storetest.Op) storetest.Fault {
				if op != storetest.OpCommit {
					return storetest.None
				}
				if commits++; commits == 1 {
					return storetest.None
				}
				return storetest.Unapplied
			})
			wantFault(t, "the interrupted call", row.call(b))
			b.useStore(b.store)
			if b.denialOf(b.session) != "" {
				t.Fatal("the session ended in the call that was interrupted")
			}
			err := row.call(b)
			if r, refused := errors.AsType[*events.Refusal](err); err != nil && (!refused || r.Code != token.CodeNotFoundRevoked) {
				t.Fatal(err)
			}
			if b.denialOf(b.session) == "" {
				t.Error("the session passes after the call was sent again")
			}
		})
	}
}

// TestATokenThatEndsMeanwhileOpensNoSession: the token changes after the guard has
// checked it. The call is refused, and no session passes.
func TestATokenThatEndsMeanwhileOpensNoSession(t *testing.T) {
	for name, row := range endings {
		t.Run(name, func(t *testing.T) {
			b := newBacked(t)
			by := b.caller(b.shown)
			if err := row.call(b); err != nil {
				t.Fatal(err)
			}
			_, text, err := b.OpenSessionWith(t.Context(), by, false)
			code := refusalCode(t, err)
			switch {
			case row.cause == "suspended" && name != "a bootstrap":
				if code != token.CodeUserSuspended {
					t.Errorf("got %q, want %s", code, token.CodeUserSuspended)
				}
			case row.cause != "" || name == "its session rotates it":
				if code != token.CodeDeniedByCredential {
					t.Errorf("got %q, want %s", code, token.CodeDeniedByCredential)
				}
			default:
				if code != "" || b.denialOf(b.parse(text)) != "" {
					t.Errorf("got %q, want a session that passes", code)
				}
			}
		})
	}
}

// TestASessionsTokensAreChildrenOfItsToken: a revocation with children takes what the
// session made. After it the session makes nothing, also in a call that began before.
func TestASessionsTokensAreChildrenOfItsToken(t *testing.T) {
	b := newBacked(t)
	wish := token.Wish{Scopes: []string{"GET /*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	_, child := b.create(b.by, "", wish)
	_, _, of := b.openWith(child)
	must(t, b.RevokeWithChildren(t.Context(), person(ann), b.id))
	for what, shown := range map[string]secret.Token{"the token": b.shown, "its session": b.session, "the child": child, "the session of the child": of} {
		if got := b.denialOf(shown); got != guard.CodeRevoked {
			t.Errorf("%s: got %q, want %s", what, got, guard.CodeRevoked)
		}
	}
	if _, _, err := b.Create(t.Context(), b.by, "", wish); refusalCode(t, err) != token.CodeDeniedByCredential {
		t.Errorf("a creation by the ended session: got %v", err)
	}
}

// TestTwentySessionsHoldUnderConcurrentSignIns: with 40 at the same time, 30 succeed and
// the others wait for the next hour.
func TestTwentySessionsHoldUnderConcurrentSignIns(t *testing.T) {
	s := newScene(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	var shown []secret.Token
	for range 40 {
		wg.Go(func() {
			_, text, err := s.OpenSession(t.Context(), asAnn())
			for errors.Is(err, issuer.ErrBusy) {
				_, text, err = s.OpenSession(t.Context(), asAnn())
			}
			mu.Lock()
			defer mu.Unlock()
			if got[refusalCode(t, err)]++; err == nil {
				shown = append(shown, s.parse(text))
			}
		})
	}
	wg.Wait()
	if got[""] != session.MaxSignIns || got[session.CodeSignInRate] != 10 {
		t.Errorf("the answers are %v, want 30 sessions and 10 times %s", got, session.CodeSignInRate)
	}
	passing := 0
	for _, t := range shown {
		if s.denialOf(t) == "" {
			passing++
		}
	}
	if passing != session.MaxSessions || len(s.sessions(ann)) != session.MaxSessions {
		t.Errorf("%d sessions pass and %d are listed, want %d", passing, len(s.sessions(ann)), session.MaxSessions)
	}
	for _, c := range s.causes(ann) {
		if c[len(c)-len(" replaced"):] != " replaced" {
			t.Errorf("an end has another cause: %s", c)
		}
	}
}

// TestASignInLosesAgainstASuspension: many of them run at the same time as one. After
// its answer no session passes, and none is opened until the reinstatement.
func TestASignInLosesAgainstASuspension(t *testing.T) {
	for round := range 10 {
		s := newScene(t)
		s.grant("boss", settings.Actions()...)
		_, shown := s.create(person(ann), "", token.Wish{})
		by := s.caller(shown)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var opened []secret.Token
		begin := make(chan struct{})
		for n := range 8 {
			wg.Go(func() {
				<-begin
				var text secret.Secret
				var err error
				if n%2 == 0 {
					_, text, err = s.OpenSession(t.Context(), asAnn())
				} else {
					_, text, err = s.OpenSessionWith(t.Context(), by, true)
				}
				if err != nil {
					if code := refusalCode(t, err); code != token.CodeUserSuspended && code != token.CodeDeniedByCredential {
						t.Errorf("a sign-in: got %v", err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				opened = append(opened, s.parse(text))
			})
		}
		var suspended error
		wg.Go(func() {
			<-begin
			time.Sleep(time.Duration(round) * 300 * time.Microsecond)
			_, suspended = s.Suspend(t.Context(), person("boss"), ann, "left")
		})
		close(begin)
		wg.Wait()
		must(t, suspended)
		for _, o := range opened {
			if s.denialOf(o) == "" {
				t.Errorf("round %d: session %s passes after the suspension", round, o.ID)
			}
		}
		if _, _, err := s.OpenSession(t.Context(), asAnn()); refusalCode(t, err) != token.CodeUserSuspended {
			t.Errorf("a sign-in after the suspension: got %v", err)
		}
		if _, err := s.Reinstate(t.Context(), person("boss"), ann, ""); err != nil {
			t.Fatal(err)
		}
		if _, _, of := s.open(asAnn()); s.denialOf(of) != "" {
			t.Error("a session after the reinstatement does not pass")
		}
	}
}

// TestAPermissionOfASessionCountsEverywhere: ann holds nothing, and her session has one
// action from a group at a time. Her token never has it.
func TestAPermissionOfASessionCountsEverywhere(t *testing.T) {
	calls := map[string]struct {
		action string
		call   func(s *scene, by guard.Principal, bobs string) error
	}{
		"Get": {settings.ActionView, func(s *scene, by guard.Principal, id string) error { _, err := s.Get(s.Context(), by, id); return err }},
		"UserEvents": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.UserEvents(s.Context(), by, "bob", 0, 0)
			return err
		}},
		"SessionEvents": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.SessionEvents(s.Context(), by, "bob", 0, 0)
			return err
		}},
		"AllEvents": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.AllEvents(s.Context(), by, "", 0)
			return err
		}},
		"Settings": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error { _, err := s.Settings(s.Context(), by); return err }},
		"Permissions": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.Permissions(s.Context(), by, "bob")
			return err
		}},
		"Introspect": {settings.ActionView, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.Introspect(s.Context(), by, "x", "", here)
			return err
		}},
		"Create": {settings.ActionCreate, func(s *scene, by guard.Principal, _ string) error {
			_, _, err := s.Create(s.Context(), by, "bob", token.Wish{})
			return err
		}},
		"SetLimit": {settings.ActionEdit, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.SetLimit(s.Context(), by, "bob", new(7))
			return err
		}},
		"Suspend": {settings.ActionEdit, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.Suspend(s.Context(), by, "bob", "")
			return err
		}},
		"ChangeSettings": {settings.ActionEdit, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.ChangeSettings(s.Context(), by, settings.Change{TokenLimit: new(9)})
			return err
		}},
		"SetPermissions": {settings.ActionEdit, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.SetPermissions(s.Context(), by, "bob", []string{"edit"})
			return err
		}},
		"SetGroup": {settings.ActionEdit, func(s *scene, by guard.Principal, _ string) error {
			_, err := s.SetGroup(s.Context(), by, "lab", "g", []string{"edit"})
			return err
		}},
	}
	for name, c := range calls {
		for _, action := range settings.Actions() {
			s := newScene(t)
			s.grant("root", settings.Actions()...)
			s.changeSettings(settings.MapGroup{Alias: "corp", Group: "g", Actions: []string{action}})
			bobs, _ := s.create(person("bob"), "", token.Wish{})
			_, by, _ := s.open(asAnn(func(in *issuer.SignIn) { in.Groups = []string{"other", "g"} }))
			err := c.call(s, by, bobs.ID)
			reads := action == settings.ActionEdit && slices.Contains([]string{"Settings", "Permissions"}, name)
			if allowed := err == nil; allowed != (action == c.action || reads) {
				t.Errorf("%s by a session with %s: got %v", name, action, err)
			}
			_, shown := s.create(by, "", token.Wish{})
			if err := c.call(s, s.caller(shown), bobs.ID); err == nil {
				t.Errorf("%s by a token of the session with %s: it is allowed", name, action)
			}
			who, err := s.WhoAmI(t.Context(), by)
			if err != nil || !slices.Equal(who.Permissions, []string{action}) {
				t.Errorf("who-am-i of the session: got %v, %v, want %s", who, err, action)
			}
		}
	}
}

// TestASessionHandsOutNoSecretOfAMorePowerfulUser: its own actions count.
func TestASessionHandsOutNoSecretOfAMorePowerfulUser(t *testing.T) {
	for _, actions := range [][]string{{"create"}, {"view", "create"}, {"view", "create", "edit", "delete"}} {
		s := newScene(t)
		s.grant("bob", settings.ActionView, settings.ActionEdit)
		s.changeSettings(settings.MapGroup{Alias: "corp", Group: "g", Actions: actions})
		_, by, _ := s.open(asAnn(func(in *issuer.SignIn) { in.Groups = []string{"g"} }))
		_, _, err := s.Create(t.Context(), by, "bob", token.Wish{})
		want := token.CodeDeniedByOwner
		if len(actions) == 4 {
			want = ""
		}
		if got := refusalCode(t, err); got != want {
			t.Errorf("with %v: got %q, want %q", actions, got, want)
		}
	}
}

// TestPermissionsAreThoseOfTheSignIn: a session keeps what its groups gave, and the next
// sign-in gets what they give then. A password and a token give none.
func TestPermissionsAreThoseOfTheSignIn(t *testing.T) {
	s := newScene(t)
	s.changeSettings(settings.MapGroup{Alias: "corp", Group: "g", Actions: []string{"view"}})
	inGroup := func(in *issuer.SignIn) { in.Groups = []string{"g"} }
	_, first, shown := s.open(asAnn(inGroup))
	s.changeSettings(settings.MapGroup{Alias: "corp", Group: "g", Actions: []string{"edit"}})
	_, second, _ := s.open(asAnn(inGroup))
	_, third, _ := s.open(asAnn(inGroup, func(in *issuer.SignIn) { in.Alias = "" })) // the owner key has the alias
	_, lab, _ := s.open(asAnn(inGroup, func(in *issuer.SignIn) { in.Alias = "lab" }))
	_, password, _ := s.open(issuer.SignIn{Owner: "bob", Via: guard.ViaPassword, Groups: []string{"g"}})
	_, made := s.create(first, "", token.Wish{})
	_, byToken, _ := s.openWith(made)
	for what, c := range map[string]struct {
		by   guard.Principal
		want string
	}{
		"the first": {s.caller(shown), "[view]"}, "the second": {second, "[edit]"}, "without an alias": {third, "[edit]"},
		"another issuer": {lab, "[]"}, "a password": {password, "[]"}, "by a token": {byToken, "[]"},
	} {
		if got := fmt.Sprint(c.by.Permissions); got != c.want {
			t.Errorf("%s: got %s, want %s", what, got, c.want)
		}
	}
}

// TestASuspendedUserDoesNotSignIn also if only the stream of the tokens says that the
// user is suspended: after a suspension that was interrupted, and after one from the time
// before there were sessions.
func TestASuspendedUserDoesNotSignIn(t *testing.T) {
	s := newScene(t)
	s.grant("admin", settings.ActionEdit)
	commits := 0
	s.useFaulty(func(op storetest.Op) storetest.Fault {
		if op != storetest.OpCommit {
			return storetest.None
		}
		if commits++; commits == 1 {
			return storetest.None
		}
		return storetest.Unapplied
	})
	_, err := s.Suspend(t.Context(), person("admin"), ann, "")
	wantFault(t, "the interrupted suspension", err)
	s.useStore(s.store)
	if !s.state(ann).Suspended || len(s.sessionLog(ann)) != 0 {
		t.Fatal("the suspension did not end between its two writes")
	}
	_, _, err = s.OpenSession(t.Context(), asAnn())
	if r, refused := errors.AsType[*events.Refusal](err); !refused || r.Code != token.CodeUserSuspended {
		t.Errorf("got %v, want a refusal with %s", err, token.CodeUserSuspended)
	}
	if _, err := s.Reinstate(t.Context(), person("admin"), ann, ""); err != nil {
		t.Fatal(err)
	}
	s.open(asAnn())
}
