package page_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
)

func TestTheSearchFindsATokenByIdByUserAndByItsText(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{User: user("ann"), Name: "job"})
	b := s.signedIn(s.admin)
	b.get("find").expect(http.StatusOK).has("Find a token")
	b.post("find", url.Values{"what": {text[:8]}}).to("token?id=" + text[:8])
	b.post("find", url.Values{"what": {"ann"}}).to("all?user=ann")
	b.get("all?user=ann").expect(http.StatusOK).has("Tokens of ann", "job")
	for _, pasted := range []string{text, "Bearer " + text, "  " + text + "\r\n"} {
		answer := b.post("find", url.Values{"what": {pasted}}).expect(http.StatusOK).has("Yes : who has this text can use it", "ann", text[:8])
		answer.hasNot(text, text[9:])
	}
	if err := s.client(text).RevokeSelf(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.post("find", url.Values{"what": {text}}).expect(http.StatusOK).has("No", "token_revoked").hasNot("Revoke it")
	for what, says := range map[string]string{
		"": "Enter the id", "x " + text: "Paste the token alone", "zzzzzzzz": "no token with the id", "oidc:x": "oidc",
	} {
		answer := b.post("find", url.Values{"what": {what}}).expect(http.StatusUnprocessableEntity).has(says)
		if strings.Contains(what, text) {
			answer.hasNot(text[9:])
		}
	}
}

func TestSettingsAreShownAndChanged(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	form := url.Values{"token_limit": {"7"}, "expiration_timeout_seconds": {"180D"}, "rotation_grace_seconds": {"2H"}, "retention_seconds": {"400D"}, "warning_days": {"14, 3"}, "change_rate": {"300"}}
	b.post("settings", form).to("settings?done=saved")
	set, err := s.client(s.admin).Settings(t.Context())
	if err != nil || set.TokenLimit != 7 || set.ExpirationTimeout != 180*24*3600 || set.RotationGrace != 7200 || len(set.WarningDays) != 2 {
		t.Errorf("got %+v %v", set, err)
	}
	answer := b.get("settings?done=saved").expect(http.StatusOK).has("The changes are saved")
	for _, value := range []string{`value="7"`, `value="180D"`, `value="2H"`, `value="14, 3"`} {
		if !strings.Contains(answer.body, value) {
			t.Errorf("the form lacks %s", value)
		}
	}
	for field, value := range map[string]string{"token_limit": "51", "expiration_timeout_seconds": "soon", "warning_days": "x", "change_rate": "-1", "rotation_grace_seconds": "900D"} {
		answer := b.post("settings", with(form, field, value))
		if answer.status < 400 || !strings.Contains(answer.body, `id="`+field+`-wrong"`) || !strings.Contains(answer.body, " autofocus") {
			t.Errorf("%s=%s: got %d, want an error at the field:\n%s", field, value, answer.status, answer.body)
		}
	}
}

func TestGroupsAreShownAndGivenPermissions(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	b.get("settings").expect(http.StatusOK).has("No group gives permissions", "New group")
	b.get("group").expect(http.StatusOK).has("New group", "Identity provider")
	const name = `CN=Admins & "friends",DC=example/a?b=c#d`
	form := url.Values{"alias": {"corp"}, "group": {name}, "permission": {"view", "edit"}}
	b.post("group", form).to("settings?done=grouped")
	shown := b.get("settings?done=grouped").expect(http.StatusOK).has(name, "corp", "view edit", "The permissions of the group are saved").hasNot("No group")
	address := regexp.MustCompile(`href="(group\?[^"]*)"`).FindStringSubmatch(shown.body)
	if address == nil {
		t.Fatalf("the settings have no link to the group:\n%s", shown.body)
	}
	at := html.UnescapeString(address[1])
	group := b.get(at).expect(http.StatusOK).has("Group "+name, "corp")
	action := regexp.MustCompile(`action="(group\?[^"]*)"`).FindStringSubmatch(group.body)
	if got := regexp.MustCompile(`value="([a-z]*)" checked`).FindAllString(group.body, -1); len(got) != 2 || action == nil || action[1] != address[1] {
		t.Errorf("the form has %v, and goes to %v, want two checked boxes and %s:\n%s", got, action, at, group.body)
	}
	b.post(at, url.Values{"permission": {"delete"}}).to("settings?done=grouped")
	if all, err := s.client(s.admin).Groups(t.Context()); err != nil || len(all.Groups) != 1 || strings.Join(all.Groups[0].Permissions, " ") != "delete" || all.Groups[0].Group != name {
		t.Errorf("got %+v %v", all, err)
	}
	b.post(at, url.Values{}).to("settings?done=grouped")
	b.get("settings").has("No group gives permissions")
	b.get(at).expect(http.StatusNotFound).has("There is no such group")
}

func TestAWrongGroupIsSaidAtItsField(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{User: user("editor")})
	if _, err := s.client(s.admin).SetPermissions(t.Context(), "editor", []string{"edit"}); err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(text)
	form := url.Values{"alias": {"corp"}, "group": {"/team"}, "permission": {"edit"}}
	b.post("group", form).to("settings?done=grouped")
	for field, wrong := range map[string]url.Values{
		"alias":      with(form, "alias", "Corp"),
		"group":      with(form, "group", ""),
		"permission": {"alias": {"corp"}, "group": {"/other"}},
	} {
		answer := b.post("group", wrong)
		if answer.status < 400 || !strings.Contains(answer.body, `id="`+field+`-wrong"`) || strings.Count(answer.body, " autofocus") != 1 || !strings.Contains(answer.body, `value="corp"`) && field != "alias" {
			t.Errorf("%s: got %d, want an error at the field:\n%s", field, answer.status, answer.body)
		}
	}
	b.post("group", form).expect(http.StatusUnprocessableEntity).has("gives permissions already")
	b.post("group", with(form, "group", "of "+text)).expect(http.StatusUnprocessableEntity).has("It is removed here").hasNot(text[9:])
	at := "group?alias=corp&group=/team"
	answer := b.post(at, url.Values{"permission": {"edit", "delete"}}).expect(http.StatusForbidden).has("Group /team", "delete")
	if !strings.Contains(answer.body, `value="delete" checked`) || !strings.Contains(answer.body, `-wrong"`) && !strings.Contains(answer.body, `role="alert"`) {
		t.Errorf("the form has lost what was chosen, or says no problem:\n%s", answer.body)
	}
}

// TestGroupsAreForHoldersOfPermissions: a holder of view sees them and cannot change
// them, and a person without permissions sees none.
func TestGroupsAreForHoldersOfPermissions(t *testing.T) {
	s := newScene(t)
	viewer, ann := s.make(httpapi.CreateRequest{User: user("viewer")}), s.make(httpapi.CreateRequest{User: user("ann")})
	if _, err := s.client(s.admin).SetPermissions(t.Context(), "viewer", []string{"view"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client(s.admin).SetGroup(t.Context(), httpapi.Group{Alias: "corp", Group: "/team", Permissions: []string{"view"}}); err != nil {
		t.Fatal(err)
	}
	const at = "group?alias=corp&group=/team"
	b := s.signedIn(viewer)
	b.get("settings").expect(http.StatusOK).has("/team").hasNot("New group")
	b.get(at).expect(http.StatusOK).has("you need the permission edit").hasNot("Save")
	b.post(at, url.Values{}).expect(http.StatusForbidden)
	b = s.signedIn(ann)
	for _, path := range []string{"settings", "group", at, "group?alias=corp&group=/other"} {
		b.get(path).expect(http.StatusForbidden).hasNot("Save")
	}
	b.get(at).hasNot("/team")
	b.post("group", url.Values{"alias": {"corp"}, "group": {"/mine"}, "permission": {"view"}}).expect(http.StatusForbidden)
	if all, err := s.client(s.admin).Groups(t.Context()); err != nil || len(all.Groups) != 1 || len(all.Groups[0].Permissions) != 1 {
		t.Errorf("got %+v %v", all, err)
	}
}

func TestAUserIsGivenPermissionsALimitAndASuspension(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{User: user("ann"), Name: "job"})
	b := s.signedIn(s.admin)
	b.post("user", url.Values{"what": {"ann"}}).to("user?user=ann")
	b.post("user", url.Values{"what": {text}}).expect(http.StatusUnprocessableEntity).hasNot(text[9:])
	const at = "user?user=ann"
	b.get(at).expect(http.StatusOK).has("User ann", "1 of 5 tokens used", "● Not suspended")
	b.post(at, url.Values{"act": {"permissions"}, "permission": {"view", "delete"}}).to("user?done=saved&user=ann")
	if got, err := s.client(s.admin).Permissions(t.Context(), "ann"); err != nil || strings.Join(got.Permissions, " ") != "view delete" {
		t.Errorf("got %v %v", got, err)
	}
	b.post(at, url.Values{"act": {"limit"}, "token_limit": {"2"}}).to("user?done=saved&user=ann")
	b.get(at).has("1 of 2 tokens used")
	for _, wrong := range []string{"x", "99"} {
		answer := b.post(at, url.Values{"act": {"limit"}, "token_limit": {wrong}})
		if answer.status < 400 || !strings.Contains(answer.body, `id="token_limit-wrong"`) {
			t.Errorf("limit %s: %d %s", wrong, answer.status, answer.body)
		}
	}
	b.post(at, url.Values{"act": {"suspend"}, "confirm-suspend": {"ana"}}).expect(http.StatusUnprocessableEntity).has("Type exactly this: ann")
	b.post(at, url.Values{"act": {"suspend"}, "confirm-suspend": {"ann"}}).to("user?done=suspended&user=ann")
	if _, err := s.client(text).GetSelf(t.Context()); err == nil {
		t.Error("a token of a suspended user works")
	}
	b.get(at).has("◐ Suspended")
	b.post(at, url.Values{"act": {"reinstate"}}).to("user?done=reinstated&user=ann")
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Error(err)
	}
	b.post(at, url.Values{"act": {"offboard"}, "confirm-offboard": {"ann"}}).to("user?done=offboarded&user=ann")
	if _, err := s.client(text).GetSelf(t.Context()); err == nil {
		t.Error("a token of a user who has left works")
	}
	b.post("user?user=admin", url.Values{"act": {"permissions"}}).expect(http.StatusUnprocessableEntity).has("last")
}

func TestALongListHasPages(t *testing.T) {
	s := newScene(t)
	users := []string{"ann", "bob"}
	for _, each := range users {
		if _, err := s.client(s.admin).SetLimit(t.Context(), each, new(50)); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			s.make(httpapi.CreateRequest{User: user(each), Name: "of " + each})
		}
	}
	b := s.signedIn(s.admin)
	first := b.get("all").expect(http.StatusOK)
	next := regexp.MustCompile(`href="(all\?after=[^"]*)"`).FindStringSubmatch(first.body)
	if next == nil {
		t.Fatalf("no next page:\n%s", first.body)
	}
	second := b.get(html.UnescapeString(next[1])).expect(http.StatusOK).hasNot("Next page")
	if got := strings.Count(first.body, "<h2>") + strings.Count(second.body, "<h2>"); got != 61 {
		t.Errorf("%d tokens on two pages, want 61", got)
	}
}

func TestSessionsAreShownAndClosed(t *testing.T) {
	s := newScene(t)
	b, other := s.signedIn(s.admin), s.signedIn(s.admin)
	shown := b.get("sessions").expect(http.StatusOK).has("My sessions", "Signed in with a token", "This session", "21 Nov 2026, 20:59 UTC", "(in 12 hours)")
	if n := strings.Count(shown.body, "<h2>"); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
	ids := regexp.MustCompile(`name="id" value="([^"]*)"`).FindAllStringSubmatch(shown.body, -1)
	mine := regexp.MustCompile(`__Host-apitoken-used=([^.]*)`).FindStringSubmatch(strings.Join(cookiesOf(b), "; "))[1]
	for _, id := range ids {
		if id[1] != mine {
			b.post("sessions", url.Values{"id": {id[1]}, "user": {"admin"}}).to("sessions?done=closed&user=admin")
		}
	}
	other.get("").to("sign-in?ended=ended")
	b.get("sessions").expect(http.StatusOK)
	b.post("sessions", url.Values{"id": {mine}}).to("sign-in?ended=signed-out")
	b.get("").to("sign-in")
}

func cookiesOf(b *browser) (texts []string) {
	for _, c := range b.http.Jar.Cookies(parsed(b.t, b.server.URL)) {
		texts = append(texts, c.String())
	}
	return texts
}

// TestTheSessionHasTheRightsOfItsToken: the page has no rights of its own.
func TestTheSessionHasTheRightsOfItsToken(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{Name: "reader", Scopes: []string{"GET /*"}, ExpiresIn: "10D"})
	b := s.signedIn(text)
	b.get("").expect(http.StatusOK).has("reader")
	review := b.post("create", url.Values{"name": {"n"}, "expires": {"7D"}, "step": {"review"}}).expect(http.StatusOK)
	b.post("create", with(review.hidden(), "step", "make")).expect(http.StatusForbidden).has("scopes")
	for _, c := range cookiesOf(b) {
		if strings.Contains(c, text) {
			t.Error("the token itself is the cookie")
		}
	}
}
