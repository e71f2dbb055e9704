package page_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/functions/httpapi"
)

// withPasswords lets the API accept one password of ann, in the form of its call.
func (s *scene) withPasswords(password string) {
	api := s.api.(*switched)
	api.ways = `{"issuers":[],"password":true}`
	next := api.Handler
	api.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/session/login" {
			next.ServeHTTP(w, r)
			return
		}
		var in struct {
			Username, Password string
			UI                 bool
		}
		w.Header().Set("Content-Type", "application/json")
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.Username != "ann" || in.Password != password || !in.UI {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error_class":"http_unauthorized_error","description":"Incorrect user name or password.","detail":"Incorrect user name or password.","code":"password_invalid"}`)
			return
		}
		_, text, err := s.issuer.OpenSession(r.Context(), issuer.SignIn{Owner: "ann", Via: guard.ViaPassword, UI: true})
		if err != nil {
			s.t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"bearer_token": text.Reveal()})
	})
}

func TestAPasswordOpensASession(t *testing.T) {
	const password = `p"ss wörd&=`
	s := newScene(t)
	s.browser().get("sign-in").hasNot("With a password")
	s.withPasswords(password)
	b := s.browser()
	b.get("sign-in").expect(http.StatusOK).has("With a password", "User name")
	for _, form := range []url.Values{
		{"username": {"ann"}, "password": {"other"}}, {"username": {"bob"}, "password": {password}}, {"username": {""}, "password": {password}}, {"username": {"ann"}},
	} {
		answer := b.post("sign-in", with(form, "way", "password"))
		if answer.status < 400 || len(answer.header["Set-Cookie"]) > 0 || !strings.Contains(answer.body, `-wrong"`) || !strings.Contains(answer.body, " autofocus") {
			t.Errorf("%v: got %d %v, want an error at a field:\n%s", form, answer.status, answer.header["Set-Cookie"], answer.text())
		}
		answer.hasNot(password, "other")
	}
	b.post("sign-in", url.Values{"way": {"password"}, "username": {"ann"}, "password": {password}, "to": {"create?name=ci"}}).to("create?name=ci")
	b.get("").expect(http.StatusOK).has("ann", "You have no token yet")
	b.get("sessions").has("Signed in with a password")
	if strings.Contains(s.log.String(), "wörd") {
		t.Error("the log has the password")
	}
}

// TestTheSignInNamesTheIssuersForBrowsers, with the page to open afterwards.
func TestTheSignInNamesTheIssuersForBrowsers(t *testing.T) {
	s := newScene(t)
	s.api.(*switched).ways = `{"issuers":[{"alias":"staff","issuer":"https://login.example.com","browser":true},{"alias":"ci","issuer":"https://ci.example.com","browser":false}],"password":false}`
	answer := s.browser().get("sign-in?to=create%3Fname%3Dci").expect(http.StatusOK).has("Sign in with staff", "https://login.example.com").hasNot("ci.example.com")
	if want := `href="login?issuer=staff&amp;to=%2Fui%2Fcreate%3Fname%3Dci"`; !strings.Contains(answer.body, want) {
		t.Errorf("the page lacks %s:\n%s", want, answer.body)
	}
	if want := `href="login?issuer=staff&amp;to=%2Fui%2F"`; !strings.Contains(s.browser().get("sign-in").body, want) {
		t.Errorf("the page lacks %s", want)
	}
}

// TestAnAPIThatDoesNotAnswerIsNoSignOut: the person signs in again for nothing.
func TestAnAPIThatDoesNotAnswerIsNoSignOut(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	api := s.api.(*switched)
	works := api.Handler
	for status, want := range map[int]int{http.StatusServiceUnavailable: http.StatusBadGateway, http.StatusOK: http.StatusBadGateway} {
		api.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		answer := b.get("").expect(want).has("The service does not answer")
		if len(answer.header["Set-Cookie"]) > 0 {
			t.Errorf("an answer %d of the API changes the cookies: %v", status, answer.header["Set-Cookie"])
		}
	}
	api.Handler = works
	b.get("").expect(http.StatusOK)
}

// TestASecondSignInEndsTheEarlierSession of this browser, and no other session.
func TestASecondSignInEndsTheEarlierSession(t *testing.T) {
	s := newScene(t)
	ann := s.make(httpapi.CreateRequest{User: user("ann")})
	b, other := s.signedIn(ann), s.signedIn(ann)
	open := func(of string) (ids []string) {
		list, err := s.client(s.admin).List(t.Context(), httpapi.ListQuery{User: of, Kind: "session"})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Entries {
			ids = append(ids, e.ID)
		}
		return ids
	}
	first := b.cookie("__Host-apitoken")
	b.post("sign-in", url.Values{"way": {"token"}, "token": {"not a token"}}).expect(http.StatusUnprocessableEntity)
	b.get("").expect(http.StatusOK)
	b.post("sign-in", url.Values{"way": {"token"}, "token": {s.admin}}).to("./")
	b.get("").expect(http.StatusOK).has("admin")
	other.get("").expect(http.StatusOK).has("ann")
	if got := open("ann"); len(got) != 1 || got[0] == first[:8] {
		t.Errorf("the open sessions of ann are %v; %s has ended", got, first[:8])
	}
	page, err := s.client(s.admin).TokenEvents(t.Context(), first[:8], httpapi.HistoryQuery{})
	if err != nil || !strings.Contains(string(page.Entries[len(page.Entries)-1]), `"sign_out"`) {
		t.Errorf("the end of the session: %s, %v", page.Entries, err)
	}
}

// TestASignInDoesNotNeedTheEndOfTheEarlierSession: the service may not answer this call.
func TestASignInDoesNotNeedTheEndOfTheEarlierSession(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	api := s.api.(*switched)
	next := api.Handler
	api.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	b.post("sign-in", url.Values{"way": {"token"}, "token": {s.admin}}).to("./")
	b.get("").expect(http.StatusOK)
	if !strings.Contains(s.log.String(), "the earlier session of a browser could not be closed") {
		t.Errorf("the log does not say so:\n%s", s.log.String())
	}
}
