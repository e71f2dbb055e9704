package page_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
)

// TestALinkMayNameAnyLifetime that the maximum allows. It stays chosen after the summary.
func TestALinkMayNameAnyLifetime(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	chosen := func(answer seen, value string) {
		t.Helper()
		if n := strings.Count(answer.body, `name="expires" value="`+value+`" checked`); n != 1 || strings.Count(answer.body, " checked") != 1 {
			t.Errorf("%s is not the choice:\n%s", value, answer.body)
		}
	}
	first := b.get("create?name=ci&expires=45D").expect(http.StatusOK).has("45 days", "until 5 Jan 2027, 20:59 UTC")
	chosen(first, "45D")
	review := b.post("create", with(first.hidden(), "name", "ci", "expires", "45D", "step", "review")).expect(http.StatusOK).has("in 45 days")
	chosen(b.post("create", with(review.hidden(), "step", "change")).expect(http.StatusOK), "45D")
	chosen(b.get("create?expires=30D").expect(http.StatusOK), "30D")
	for _, none := range []string{"soon", "-1D", "0", "", "99999Y", `"><script>`} {
		chosen(b.get("create?expires="+url.QueryEscape(none)).expect(http.StatusOK), "30D")
	}
}

// TestANameIsConfirmedAsAPersonSeesIt: a browser shows several blanks as one, and every
// kind of blank as the same.
func TestANameIsConfirmedAsAPersonSeesIt(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for _, c := range []struct{ name, typed string }{{"a  b", "a b"}, {"a b", " a  b "}, {"a\u00a0b", "a b"}} {
		answer, _ := b.made(url.Values{"name": {c.name}, "expires": {"7D"}})
		id := answer.secret()[:8]
		b.post("revoke?id="+id, url.Values{"confirm": {"ab"}}).expect(http.StatusUnprocessableEntity)
		b.post("revoke?id="+id, url.Values{"confirm": {c.typed}}).to("token?done=revoked&id=" + id)
	}
}

// TestTheSearchFindsAUserWhoseNameLooksLikeAnId: with 8 letters and digits.
func TestTheSearchFindsAUserWhoseNameLooksLikeAnId(t *testing.T) {
	s := newScene(t)
	ann := s.make(httpapi.CreateRequest{User: user("ann")})
	s.make(httpapi.CreateRequest{User: user("maryjane")})
	s.signedIn(s.admin).post("find", url.Values{"what": {"maryjane"}}).to("all?user=maryjane")
	s.signedIn(s.admin).post("find", url.Values{"what": {"johndoe1"}}).expect(http.StatusUnprocessableEntity).has("no token with the id johndoe1")
	s.signedIn(ann).post("find", url.Values{"what": {"maryjane"}}).expect(http.StatusUnprocessableEntity).has("no token with the id maryjane")
}

// TestAnEmptyPageBeforeOthersSaysSo: the API may end a page early.
func TestAnEmptyPageBeforeOthersSaysSo(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	s.api.(*switched).change = func(body string) string {
		var list map[string]any
		if json.Unmarshal([]byte(body), &list) != nil || list["entries"] == nil {
			return body
		}
		list["entries"], list["paging"] = []any{}, map[string]string{"next": "/v1/x?after=more", "after": "more"}
		changed, err := json.Marshal(list)
		if err != nil {
			t.Error(err)
		}
		return string(changed)
	}
	for path, says := range map[string]string{
		"": "This page has no token", "all": "This page has no token", "all?state=ended": "This page has no token", "sessions": "This page has no session",
		"history?id=" + s.admin[:8]: "This page has no record",
	} {
		answer := b.get(path).expect(http.StatusOK).has(says).hasNot("Verified", "You have no token yet", "There is no", "No token has ended")
		if !strings.Contains(answer.body, "after=more") {
			t.Errorf("/%s has no link to the next page", path)
		}
	}
}

// TestALinkOfAnotherSiteDoesNotSayWhatWasDone: only the page itself does.
func TestALinkOfAnotherSiteDoesNotSayWhatWasDone(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for site, says := range map[string]bool{"cross-site": false, "same-site": false, "none": false, "same-origin": true, "": true} {
		header := http.Header{}
		if site != "" {
			header.Set("Sec-Fetch-Site", site)
		}
		for _, path := range []string{"token?done=revoked&id=" + s.admin[:8], "user?user=ann&done=suspended", "sessions?done=closed", "settings?done=saved"} {
			answer := b.send(http.MethodGet, path, header, nil).expect(http.StatusOK)
			if got := strings.Contains(answer.body, `class="notice"`); got != says {
				t.Errorf("%s from %q: it says what was done: %t, want %t", path, site, got, says)
			}
		}
	}
}

// TestALongLinkDoesNotStopTheSignInAtAnIssuer: the sign-in has no room for it.
func TestALongLinkDoesNotStopTheSignInAtAnIssuer(t *testing.T) {
	s := newScene(t)
	s.api.(*switched).ways = `{"issuers":[{"alias":"staff","issuer":"https://login.example.com","browser":true}],"password":false}`
	short := s.browser().get("sign-in?to=" + url.QueryEscape("create?name=a&description="+strings.Repeat("d", 500))).expect(http.StatusOK)
	if !strings.Contains(short.body, `to=%2Fui%2Fcreate%3Fdescription%3Dddd`) {
		t.Errorf("the sign-in forgets the page:\n%s", short.body)
	}
	long := s.browser().get("sign-in?to=" + url.QueryEscape("create?name="+strings.Repeat("ä", 500))).expect(http.StatusOK)
	if !strings.Contains(long.body, `href="login?issuer=staff&amp;to=%2Fui%2F"`) {
		t.Errorf("the sign-in gets a page that it refuses:\n%s", long.body)
	}
}

// TestAPersonIsOfferedWhatThePersonMayDo: the page has no form that the API always refuses.
func TestAPersonIsOfferedWhatThePersonMayDo(t *testing.T) {
	s := newScene(t)
	other := s.make(httpapi.CreateRequest{User: user("bob"), Name: "of bob"})
	s.signedIn(other)
	own := s.make(httpapi.CreateRequest{User: user("ann"), Name: "of ann"})
	for _, c := range []struct{ permissions, has, hasNot []string }{
		{[]string{"view"}, []string{"History", "You may see this token"}, []string{"Rotate", "Save", "Disable", "Revoke for ever"}},
		{[]string{"view", "create"}, []string{"Rotate"}, []string{"Save", "Disable", "Revoke for ever"}},
		{[]string{"view", "edit"}, []string{"Save", "Disable"}, []string{"Rotate", "Revoke for ever", "You may see this token"}},
		{[]string{"view", "delete"}, []string{"Revoke for ever", "A revoked token never works again"}, []string{"Rotate", "Save", "Disable"}},
	} {
		if _, err := s.client(s.admin).SetPermissions(t.Context(), "ann", c.permissions); err != nil {
			t.Fatal(err)
		}
		b := s.signedIn(own)
		b.get("token?id=" + other[:8]).expect(http.StatusOK).has(c.has...).hasNot(c.hasNot...)
		b.get("token?id="+own[:8]).expect(http.StatusOK).has("Rotate", "Save", "Disable", "Revoke for ever")
		sessions := b.get("sessions?user=bob").expect(http.StatusOK).has("Signed in with a token")
		if got, want := strings.Contains(sessions.body, `action="sessions"`), strings.Contains(strings.Join(c.permissions, " "), "delete"); got != want {
			t.Errorf("with %v: the sessions of bob can be closed: %t, want %t", c.permissions, got, want)
		}
		if !strings.Contains(b.get("sessions").expect(http.StatusOK).body, `action="sessions"`) {
			t.Error("a person cannot close the own sessions")
		}
	}
}

// TestAnAddressWithATokenIsNotRepeated, whichever page somebody pasted it into.
func TestAnAddressWithATokenIsNotRepeated(t *testing.T) {
	s := newScene(t)
	b, out := s.signedIn(s.admin), s.browser()
	for _, path := range []string{
		"create?name=%s", "all?user=%s", "all?after=%s", "?after=%s", "user?user=%s", "sessions?user=%s", "sessions?after=%s", "group?alias=%s&group=x", "group?alias=corp&group=%s",
		"history?id=" + s.admin[:8] + "&after=%s", "token?id=%s", "token?done=%s&id=" + s.admin[:8], "sign-in?to=%s", "sign-in?ended=%s", "settings?done=%s", "all?state=%s", "find?what=%s", "%s",
	} {
		for who, b := range map[string]*browser{"a person": b, "a stranger": out} {
			answer := b.get(strings.Replace(path, "%s", s.admin, 1))
			if strings.Contains(answer.body, s.admin[9:]) || strings.Contains(answer.header.Get("Location"), s.admin[9:]) || answer.status >= 500 {
				t.Errorf("/%s of %s: got %d with the token:\n%s %s", path, who, answer.status, answer.header.Get("Location"), answer.text())
			}
		}
	}
	answer := b.post("sessions", url.Values{"id": {"zzzzzzzz"}, "user": {s.admin}})
	if strings.Contains(answer.header.Get("Location"), s.admin[9:]) {
		t.Errorf("an address has the token: %s", answer.header.Get("Location"))
	}
	if strings.Contains(s.log.String(), s.admin[9:]) {
		t.Error("the log has the token")
	}
}
