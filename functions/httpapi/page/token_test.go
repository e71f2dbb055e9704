package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

// ofAnn signs in a user without permissions, with one other token.
func ofAnn(t *testing.T) (*scene, *browser, string) {
	t.Helper()
	s := newScene(t)
	b := s.signedIn(s.make(httpapi.CreateRequest{User: user("ann"), Name: "sign-in"}))
	return s, b, s.make(httpapi.CreateRequest{User: user("ann"), Name: "job", Description: "of ann", ExpiresIn: "12D"})
}

func TestTheListSaysWhatEachTokenIs(t *testing.T) {
	s, b, text := ofAnn(t)
	for range 9 {
		s.sleep(20 * time.Minute)
		b.get("").expect(http.StatusOK)
	}
	for used := false; !used; { // a busy machine drops a use, and the next call stores it
		e, err := s.client(text).GetSelf(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		used = !e.LastUsed.IsZero()
	}
	b.get("").expect(http.StatusOK).has("My tokens", "2 of 5 used", "job", "● Active", "everything that its user may do",
		"3 Dec 2026, 20:59 UTC (in 11 days)", "21 Nov 2026, 23:59 UTC (just now)").hasNot("All tokens", "Settings", "Users")
	if err := s.client(text).RevokeSelf(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.get("").has("1 of 5 used").hasNot("job")
	b.get("?state=ended").has("job", "✕ Revoked")
}

func TestATokenIsRenamedDisabledEnabledAndRevoked(t *testing.T) {
	s, b, text := ofAnn(t)
	at := "token?id=" + text[:8]
	shown := b.get(at).expect(http.StatusOK).has("job", "of ann", text[:8])
	b.post(at, with(shown.hidden(), "act", "save", "name", "new name", "description", "")).to(at2(text, "saved"))
	b.get(at2(text, "saved")).has("The changes are saved", "new name")
	b.post(at, with(shown.hidden(), "act", "save", "name", "stale", "description", "")).expect(http.StatusPreconditionFailed).has("changed")
	b.post(at, url.Values{"act": {"disable"}}).to(at2(text, "disabled"))
	if _, err := s.client(text).GetSelf(t.Context()); err == nil {
		t.Error("the disabled token works")
	}
	b.get(at).has("◐ Disabled", "Enable")
	b.post(at, url.Values{"act": {"enable"}}).to(at2(text, "enabled"))
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Error(err)
	}
	for _, typed := range []string{"", "job", "NEW NAME"} {
		b.post("revoke?id="+text[:8], url.Values{"confirm": {typed}}).expect(http.StatusUnprocessableEntity).has("Type exactly this: new name")
	}
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Error(err)
	}
	b.post("revoke?id="+text[:8], url.Values{"confirm": {"new name"}}).to(at2(text, "revoked"))
	if _, err := s.client(text).GetSelf(t.Context()); err == nil {
		t.Error("the revoked token works")
	}
	b.get(at).expect(http.StatusOK).has("✕ Revoked").hasNot("Enable", "Rotate")
}

// at2 is the address after an act.
func at2(text, done string) string { return "token?done=" + done + "&id=" + text[:8] }

func TestARotationShowsTheNewSecretOnce(t *testing.T) {
	s, b, text := ofAnn(t)
	at := "rotate?id=" + text[:8]
	form := b.get(at).expect(http.StatusOK).hidden()
	answer := b.post(at, with(form, "grace", "1H")).expect(http.StatusOK).has("new secret", "Previous secret", "in 1 hour")
	fresh := answer.secret()
	if fresh == "" || fresh == text || fresh[:8] != text[:8] {
		t.Fatalf("shown: %q", fresh)
	}
	for _, each := range []string{fresh, text} {
		if _, err := s.client(each).GetSelf(t.Context()); err != nil {
			t.Error(err)
		}
	}
	b.post(at, with(form, "grace", "1H")).expect(http.StatusOK).has("was rotated once").hasNot(fresh)
	b.get("token?id=" + text[:8]).has("End the previous secret now")
	b.post("token?id="+text[:8], url.Values{"act": {"end-previous"}, "confirm": {"Job"}}).expect(http.StatusUnprocessableEntity).has("Type exactly this: job")
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Errorf("the previous secret ended without the name: %v", err)
	}
	b.post("token?id="+text[:8], url.Values{"act": {"end-previous"}, "confirm": {"job"}}).to(at2(text, "previous"))
	if _, err := s.client(text).GetSelf(t.Context()); err == nil {
		t.Error("the previous secret works")
	}
	// Without a grace, programs fail at once: this needs the name.
	again := b.get(at).hidden()
	b.post(at, with(again, "grace", "0")).expect(http.StatusUnprocessableEntity).has("Type exactly this: job")
	b.post(at, with(again, "grace", "0", "confirm", "job")).expect(http.StatusOK)
	if _, err := s.client(fresh).GetSelf(t.Context()); err == nil {
		t.Error("the previous secret works")
	}
}

func TestTheHistoryIsVerified(t *testing.T) {
	_, b, text := ofAnn(t)
	b.post("token?id="+text[:8], url.Values{"act": {"disable"}})
	b.get("history?id="+text[:8]).expect(http.StatusOK).has("History of job", "Created", "Disabled", "✓ Verified", "by ann", "TokenDisabled", "at the page, from 127.0.0.1")
}

// TestAChangedRecordIsNotVerified: a proxy in front of the API changes an answer.
func TestAChangedRecordIsNotVerified(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	s.api.(*switched).change = func(body string) string { return strings.ReplaceAll(body, "admin_api_token", "other_api_token") }
	b.get("history?id="+s.admin[:8]).expect(http.StatusOK).has("✕ Not verified", "Tell an administrator").hasNot("no record on this page was changed")
}

func TestATokenOfAnotherUserIsNotFound(t *testing.T) {
	s, b, _ := ofAnn(t)
	for _, path := range []string{"token", "rotate", "revoke", "history"} {
		b.get(path + "?id=" + s.admin[:8]).expect(http.StatusNotFound).has("no such token")
		b.get(path + "?id=zzzzzzzz").expect(http.StatusNotFound)
		b.get(path).expect(http.StatusNotFound)
		b.get(path + "?id=../self").expect(http.StatusNotFound)
	}
	b.post("revoke?id="+s.admin[:8], url.Values{"confirm": {"admin_api_token"}}).expect(http.StatusNotFound)
	for _, path := range []string{"settings", "user?user=admin"} {
		b.get(path).expect(http.StatusForbidden)
	}
	b.get("all").expect(http.StatusOK).hasNot("admin")
}

func TestSignOutEndsTheSession(t *testing.T) {
	s, b, _ := ofAnn(t)
	cookies := b.http.Jar.Cookies(parsed(t, s.server.URL))
	answer := b.post("sign-out", nil).to("sign-in?ended=signed-out")
	if got := answer.header.Get("Clear-Site-Data"); got != `"cache"` {
		t.Errorf("Clear-Site-Data %q", got)
	}
	b.get("").to("sign-in")
	again := s.browser()
	again.http.Jar.SetCookies(parsed(t, s.server.URL), cookies)
	again.get("").to("sign-in?ended=ended")
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
