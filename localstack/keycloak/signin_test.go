package keycloak_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/localstack/keycloak"
)

var ownerKey = regexp.MustCompile(`^oidc:` + alias + `:[a-z2-7]{26}$`)

// TestPeopleSignInWithKeycloak goes the whole way: the form of Keycloak, the session in
// the cookie, a token made with the session, and the end of the session.
func TestPeopleSignInWithKeycloak(t *testing.T) {
	s := newScene(t)
	ann := s.signIn(keycloak.Ann)
	if !ownerKey.MatchString(ann.User.AuthID) || ann.User.Domain != "" || ann.Name != "Ann Archer" {
		t.Errorf("Ann is %+v", ann.WhoAmI)
	}
	made, err := ann.Create(t.Context(), httpapi.CreateRequest{Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	with := s.client(made.BearerToken.Reveal())
	if who, err := with.WhoAmI(t.Context()); err != nil || who.User.AuthID != ann.User.AuthID {
		t.Errorf("the token acts for %+v, %v; want %s", who, err, ann.User.AuthID)
	}
	if list, err := ann.List(t.Context(), httpapi.ListQuery{}); err != nil || len(list.Entries) != 1 || list.Entries[0].ID != made.ID {
		t.Errorf("without kind=session the list has %+v, %v; want the token alone", list.Entries, err)
	}
	if list, err := ann.List(t.Context(), httpapi.ListQuery{Kind: "session"}); err != nil || len(list.Entries) != 1 || list.Entries[0].Via != "oidc" {
		t.Errorf("the sessions are %+v, %v; want one via oidc", list.Entries, err)
	}
	if err := ann.RevokeSelf(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ann.Client.WhoAmI(t.Context()); status(err) != http.StatusUnauthorized {
		t.Errorf("after the sign-out the session got %v", err)
	}
	if _, err := with.WhoAmI(t.Context()); err != nil {
		t.Errorf("after the sign-out the token got %v", err)
	}
}

// TestTheCookieOfASessionIsForTheServiceAlone: no script reads it, no other host gets
// it, and it is the session itself.
func TestTheCookieOfASessionIsForTheServiceAlone(t *testing.T) {
	s := newScene(t)
	b := keycloak.NewBrowser(t)
	back := b.Authorize(t, s.login(), keycloak.Ann)
	got := b.GetOne(t, back.String())
	for _, text := range got.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(text)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie %s is %+v", c.Name, c)
		}
	}
	if s.sessionOf(b) == "" {
		t.Fatalf("got %d without a session: %s", got.Status, keycloak.Message(got.Body))
	}
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer has Cache-Control %q", got.Header.Get("Cache-Control"))
	}
}

// TestTwoPeopleWithOneEMailStayTwo: the identity is issuer and subject.
func TestTwoPeopleWithOneEMailStayTwo(t *testing.T) {
	s := newScene(t)
	ann, bob := s.signIn(keycloak.Ann), s.signIn(keycloak.Bob)
	if ann.User.AuthID == bob.User.AuthID {
		t.Fatalf("both are %s", ann.User.AuthID)
	}
	if _, err := ann.Create(t.Context(), httpapi.CreateRequest{Name: "of Ann"}); err != nil {
		t.Fatal(err)
	}
	if list, err := bob.List(t.Context(), httpapi.ListQuery{}); err != nil || len(list.Entries) != 0 {
		t.Errorf("Bob sees %+v, %v", list.Entries, err)
	}
}

// TestAPersonStaysTheSameAfterEveryChange: a new name and e-mail address, and that of
// another person at that.
func TestAPersonStaysTheSameAfterEveryChange(t *testing.T) {
	s := newScene(t)
	before := s.signIn(keycloak.Ann)
	made, err := before.Create(t.Context(), httpapi.CreateRequest{Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	keycloak.Connect(t).ChangeUser(t, keycloak.Ann, func(u map[string]any) {
		u["email"], u["firstName"], u["lastName"] = "other@example.org", "Bob", "Baker"
	})
	after := s.signIn(keycloak.Ann)
	if after.User.AuthID != before.User.AuthID || after.Name != "Bob Baker" {
		t.Errorf("Ann was %+v and is %+v", before.WhoAmI, after.WhoAmI)
	}
	if list, err := after.List(t.Context(), httpapi.ListQuery{}); err != nil || len(list.Entries) != 1 || list.Entries[0].ID != made.ID {
		t.Errorf("Ann sees %+v, %v; want the token %s", list.Entries, err, made.ID)
	}
	if bob := s.signIn(keycloak.Bob); bob.User.AuthID == after.User.AuthID || bob.Name != after.Name {
		t.Errorf("Bob is %+v, and Ann %+v", bob.WhoAmI, after.WhoAmI)
	}
}

// TestACodeOpensOneSession: the code, the state and the cookie of a sign-in belong
// together and work once.
func TestACodeOpensOneSession(t *testing.T) {
	s := newScene(t)
	b := keycloak.NewBrowser(t)
	used := b.Authorize(t, s.login(), keycloak.Ann)
	s.enter(b, used)

	type visit struct {
		browser *keycloak.Browser
		address *url.URL
	}
	with := func(of *url.URL, name, value string) *url.URL {
		changed, query := *of, of.Query()
		query.Set(name, value)
		changed.RawQuery = query.Encode()
		return &changed
	}
	fresh := func() visit {
		b := keycloak.NewBrowser(t)
		return visit{b, b.Authorize(t, s.login(), keycloak.Ann)}
	}
	again, other, stateless, code, issuer, missing, denied := fresh(), fresh(), fresh(), fresh(), fresh(), fresh(), fresh()
	for name, v := range map[string]visit{
		"the same address again":       {b, used},
		"a used code, a new state":     {again.browser, with(again.address, "code", used.Query().Get("code"))},
		"a browser that did not begin": {keycloak.NewBrowser(t), other.address},
		"another state":                {stateless.browser, with(stateless.address, "state", used.Query().Get("state"))},
		"another code":                 {code.browser, with(code.address, "code", "x")},
		"another issuer":               {issuer.browser, with(issuer.address, "iss", keycloak.Connect(t).Issuer())},
		"no issuer":                    {missing.browser, with(missing.address, "iss", "")},
		"an error of the provider":     {denied.browser, with(with(denied.address, "code", ""), "error", "access_denied")},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.sessionOf(v.browser)
			got := v.browser.Get(t, v.address.String())
			if got.Status < 400 || got.Status >= 500 || s.sessionOf(v.browser) != before {
				t.Errorf("got %d, and a session: %v: %s", got.Status, s.sessionOf(v.browser) != before, keycloak.Message(got.Body))
			}
		})
	}
	s.enter(code.browser, code.browser.Authorize(t, s.login(), keycloak.Ann)) // a refused sign-in can be repeated
}

// status returns the status of a refused call, or 0.
func status(err error) int {
	if p, ok := err.(*httpapi.Problem); ok {
		return p.Status
	}
	return 0
}
