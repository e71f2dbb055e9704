package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// atPage makes a token for a user with a session, as the page does: it names the
// address of its caller.
func (w *scene) atPage(session, user string, addresses ...string) httpapi.Created {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + session}, machine.UIAddressHeader: addresses}
	a := w.send(http.MethodPost, collection, header, strings.NewReader(`{"user":{"name":"`+user+`"}}`))
	return decodeAs[httpapi.Created](w.t, a.expect(w.t, http.StatusOK, ""))
}

// TestTheHistorySaysWhoActedAtThePage: only for a session that was opened at the page,
// with the address that the page names, if it is one.
func TestTheHistorySaysWhoActedAtThePage(t *testing.T) {
	w := newScene(t)
	const browser = "203.0.113.9"
	page, _ := w.opened(w.exchange("access_token", w.admin, "ui", "true"))
	program, _ := w.opened(w.exchange("access_token", w.admin))
	w.atPage(page.AccessToken.Reveal(), "bob", browser, "192.0.2.1")
	if body := string(w.do(http.MethodGet, "/v1/users/bob/events", w.admin, "").body); strings.Contains(body, "actoraddress") {
		t.Errorf("of two headers one is recorded: %s", body)
	}
	for _, c := range []struct{ token, address, via, recorded string }{
		{page.AccessToken.Reveal(), browser, "ui", browser},
		{page.AccessToken.Reveal(), "::ffff:203.0.113.9", "ui", "203.0.113.9"},
		{page.AccessToken.Reveal(), "2001:db8::1", "ui", "2001:db8::1"},
		{page.AccessToken.Reveal(), "", "ui", ""},
		{page.AccessToken.Reveal(), "203.0.113.9, 192.0.2.1", "ui", ""},
		{page.AccessToken.Reveal(), "fe80::1%eth0", "ui", ""},
		{page.AccessToken.Reveal(), "<script>", "ui", ""},
		{program.AccessToken.Reveal(), "203.0.113.9", "", ""},
		{w.admin, "203.0.113.9", "", ""},
	} {
		made := w.atPage(c.token, "ann", c.address)
		history := decodeAs[struct {
			Entries []struct{ ActorVia, ActorAddress string }
		}](t, w.do(http.MethodGet, collection+made.ID+"/events", w.admin, "").expect(t, http.StatusOK, ""))
		if e := history.Entries[0]; e.ActorVia != c.via || e.ActorAddress != c.recorded {
			t.Errorf("address %q: recorded via %q from %q, want %q from %q", c.address, e.ActorVia, e.ActorAddress, c.via, c.recorded)
		}
		w.do(http.MethodDelete, collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	}
}

// TestNoRuleTrustsTheAddressThatThePageNames: every client may send the header.
func TestNoRuleTrustsTheAddressThatThePageNames(t *testing.T) {
	w := newScene(t)
	_, text := w.make(httpapi.CreateRequest{User: named("ann"), SourceIPs: []string{"192.0.2.0/24"}})
	call := func(from, token string) answer {
		r := request(t, http.MethodGet, "/v1/session/who-am-i", token)
		r.RemoteAddr = from
		r.Header.Set(machine.UIAddressHeader, "192.0.2.7")
		return handle(w.handler(), r)
	}
	signIn := httptest.NewRequest(http.MethodPost, exchangePath, strings.NewReader(url.Values{
		"grant_type": {grantType}, "subject_token_type": {tokenType + "access_token"}, "subject_token": {text}, "ui": {"true"},
	}.Encode()))
	signIn.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signIn.RemoteAddr = "192.0.2.1:1"
	session := decodeAs[httpapi.Exchanged](t, handle(w.handler(), signIn).expect(t, http.StatusOK, "")).AccessToken.Reveal()
	call("192.0.2.1:1", session).expect(t, http.StatusOK, "")
	for _, token := range []string{session, text} {
		call("198.51.100.7:1", token).expect(t, http.StatusForbidden, "permission_denied_by_source")
	}
}
