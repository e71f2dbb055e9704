package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/name"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// person is the owner key of somebody at an identity provider.
var person = name.OwnerOf("corp", "https://id.example.com", "ann")

// session signs the person in, and returns the id and the text of the session.
func (w *scene) session(groups ...string) (id, text string) {
	w.t.Helper()
	opened, secret, err := w.issuer.OpenSession(w.t.Context(), issuer.SignIn{
		Owner: person, Name: "Ann", Via: guard.ViaOIDC, Alias: "corp", Issuer: "https://id.example.com", Subject: "ann", Groups: groups,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return opened.ID, secret.Reveal()
}

// TestASessionCallsTheService: it makes a token, is listed only when asked for, and signs
// out by the call about the acting token.
func TestASessionCallsTheService(t *testing.T) {
	w := newScene(t)
	id, text := w.session()
	made := decodeAs[httpapi.Created](t, w.do("POST", collection, text, `{"name":"deploy"}`).expect(t, http.StatusOK, ""))
	if made.User.AuthID != person || made.User.Domain != "" || made.Kind != guard.KindToken || made.Via != "" {
		t.Errorf("the token is %+v", made.Entry)
	}
	for query, want := range map[string]string{"": made.ID, "?kind=token": made.ID, "?kind=session": id, "?kind=session&user=" + person: id} {
		for _, caller := range []string{text, w.admin} {
			var ids []string
			for _, e := range decodeAs[httpapi.List](t, w.do("GET", collection+query, caller, "").expect(t, http.StatusOK, "")).Entries {
				if e.User.AuthID == person {
					ids = append(ids, e.ID)
				}
				if session := e.ID == id; session != (e.Kind == guard.KindSession) || session != (e.Via == guard.ViaOIDC) {
					t.Errorf("entry %s has kind %q and via %q", e.ID, e.Kind, e.Via)
				}
			}
			if !slices.Equal(ids, []string{want}) {
				t.Errorf("%q: got %v, want %s", query, ids, want)
			}
		}
	}
	w.do("GET", collection+"?kind=robot", w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
	w.do("DELETE", collection+"self", text, "").expect(t, http.StatusOK, "")
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_revoked")
	history := w.do("GET", "/v1/users/"+person+"/events?kind=session", w.admin, "").expect(t, http.StatusOK, "")
	if body := string(history.body); strings.Count(body, `"type":"Session`) != 2 || !strings.Contains(body, `"cause":"sign_out"`) || strings.Contains(body, made.ID) {
		t.Errorf("the history of the sessions is %s", body)
	}
	if body := string(w.do("GET", "/v1/users/"+person+"/events", w.admin, "").expect(t, http.StatusOK, "").body); strings.Contains(body, id+`","owner"`) {
		t.Errorf("the history of the tokens is about the session: %s", body)
	}
	if body := string(w.do("GET", collection+id+"/events", w.admin, "").expect(t, http.StatusOK, "").body); strings.Count(body, `"type":"Session`) != 2 {
		t.Errorf("the history of the session is %s", body)
	}
}

// TestACursorOfTokensIsNoneOfSessions: the lists have different members.
func TestACursorOfTokensIsNoneOfSessions(t *testing.T) {
	w := newScene(t)
	w.session()
	w.session()
	page := decodeAs[httpapi.List](t, w.do("GET", collection+"?kind=session&limit=1", w.admin, "").expect(t, http.StatusOK, ""))
	if page.Paging.After == "" {
		t.Fatal("there is no second page")
	}
	w.do("GET", page.Paging.Next, w.admin, "").expect(t, http.StatusOK, "")
	w.do("GET", collection+"?limit=1&after="+page.Paging.After, w.admin, "").expect(t, http.StatusBadRequest, "invalid_parameter")
}

// TestAGroupGivesPermissionsToSessions: from the next sign-in on, and who-am-i shows them.
func TestAGroupGivesPermissionsToSessions(t *testing.T) {
	w := newScene(t)
	w.do("PUT", "/v1/groups", w.admin, `{"alias":"corp","group":"/team/admins","permissions":["edit","view"]}`).expect(t, http.StatusOK, "")
	w.do("PUT", "/v1/groups", w.admin, `{"alias":"corp","group":"/team/admins"}`).expect(t, http.StatusBadRequest, "invalid_field")
	w.do("PUT", "/v1/groups", w.admin, `{"alias":"corp","group":"of `+w.admin+`","permissions":["view"]}`).expect(t, http.StatusBadRequest, "invalid_field")
	all := decodeAs[httpapi.Groups](t, w.do("GET", "/v1/groups", w.admin, "").expect(t, http.StatusOK, ""))
	if len(all.Groups) != 1 || all.Groups[0].Group != "/team/admins" || !slices.Equal(all.Groups[0].Permissions, []string{settings.ActionView, settings.ActionEdit}) {
		t.Errorf("the groups are %+v", all)
	}
	_, text := w.session("/team/admins")
	who := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
	if !slices.Equal(who.Permissions, []string{settings.ActionView, settings.ActionEdit}) {
		t.Errorf("who-am-i of the session has the permissions %v", who.Permissions)
	}
	w.do("PUT", "/v1/users/bob/limit", text, `{"token_limit":7}`).expect(t, http.StatusOK, "")
	w.do("PUT", "/v1/groups", text, `{"alias":"corp","group":"/others","permissions":["delete"]}`).expect(t, http.StatusForbidden, "permission_denied")
	made := decodeAs[httpapi.Created](t, w.do("POST", collection, text, `{}`).expect(t, http.StatusOK, ""))
	w.do("GET", "/v1/groups", made.BearerToken.Reveal(), "").expect(t, http.StatusForbidden, "permission_denied")
}

// TestWhoAmIShowsTheNameOfThePerson: the key stays the identity, and a client may send
// back what it got.
func TestWhoAmIShowsTheNameOfThePerson(t *testing.T) {
	w := newScene(t)
	_, text := w.session()
	who := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
	if who.Name != "Ann" || who.User.Name != "Ann" || who.User.AuthID != person || who.User.Domain != "" {
		t.Errorf("who-am-i is %+v", who)
	}
	w.do("POST", collection, text, `{"user":{"domain":null,"auth_id":"`+person+`","name":"Ann"}}`).expect(t, http.StatusOK, "")
	w.do("POST", collection, text, `{"user":{"auth_id":"`+who.ID+`"}}`).expect(t, http.StatusOK, "")
	w.do("POST", collection, text, `{"user":{"name":"Ann"}}`).expect(t, http.StatusForbidden, "permission_denied")
}
