package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"apitoken/functions/httpapi"
)

// made makes a token with the two steps and returns the answer and the form that
// made it.
func (b *browser) made(fields url.Values) (seen, url.Values) {
	b.t.Helper()
	review := b.post("create", with(fields, "step", "review")).expect(http.StatusOK)
	last := with(review.hidden(), "step", "make")
	return b.post("create", last).expect(http.StatusOK), last
}

func TestATokenIsMadeInTwoSteps(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	b.get("create").expect(http.StatusOK).has("New token", "30 days", "until 21 Dec 2026, 20:59 UTC", "Never")
	fields := url.Values{"name": {"backup job"}, "expires": {"7D"}, "scopes": {"GET /v1/things/*\r\nPOST /v1/things"}, "source_ips": {"127.0.0.0/8"}}
	before := b.tokens("admin")
	b.post("create", with(fields, "step", "review")).expect(http.StatusOK).
		has("Nothing is made yet", "backup job", "28 Nov 2026, 20:59 UTC (in 7 days)", "GET /v1/things/*", "POST /v1/things", "127.0.0.0/8")
	if after := b.tokens("admin"); len(after) != len(before) {
		t.Fatalf("the summary made a token: %v", after)
	}
	answer, _ := b.made(fields)
	text := answer.secret()
	e, err := s.client(text).GetSelf(t.Context())
	if err != nil {
		t.Fatalf("the shown token does not work: %v", err)
	}
	if e.Name != "backup job" || strings.Join(e.Scopes, ",") != "GET /v1/things/*,POST /v1/things" || len(e.SourceIPs) != 1 || !e.ExpirationTime.Equal(s.clock().Add(7*24*time.Hour)) {
		t.Errorf("made %+v", e)
	}
	answer.has("it is shown this one time", "read -rsp 'Token: ' T", "/v1/session/who-am-i")
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got := answer.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// tokens are the live tokens of a user.
func (b *browser) tokens(user string) []httpapi.Entry {
	b.t.Helper()
	page, err := b.client(b.admin).List(b.t.Context(), httpapi.ListQuery{User: user})
	if err != nil {
		b.t.Fatal(err)
	}
	return page.Entries
}

func TestAFormThatIsSentAgainMakesNoSecondTokenAndShowsNoSecret(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	first, form := b.made(url.Values{"name": {"once"}, "expires": {"7D"}})
	text := first.secret()
	if text == "" {
		t.Fatalf("no secret:\n%s", first.body)
	}
	again := b.post("create", form).expect(http.StatusOK).has("This form was sent before", "only this one")
	again.hasNot(text, text[9:])
	count := 0
	for _, e := range b.tokens("admin") {
		if e.Name == "once" {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d tokens were made, want 1", count)
	}
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Errorf("the token of the first form: %v", err)
	}
}

func TestWhatIsWrongWithANewTokenIsSaidAtItsFieldWithTheFocus(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	good := url.Values{"name": {"n"}, "expires": {"7D"}}
	for _, row := range []struct{ field, value, says string }{
		{"name", "a\u202eb", "name"},
		{"description", strings.Repeat("x", 600), "512"},
		{"scopes", "FETCH things", "scope"},
		{"source_ips", "somewhere", "somewhere"},
		{"user", "oidc:x", "oidc"},
		{"expires", "soon", "Choose when the token expires"},
		{"name", s.admin, "Revoke this token"},
	} {
		for _, step := range []string{"review", "make"} {
			answer := b.post("create", with(good, row.field, row.value, "step", step, "key", "0123456789abcdef")).expect(http.StatusUnprocessableEntity)
			answer.has(row.says)
			if !strings.Contains(answer.body, "<title>Error: ") || !strings.Contains(answer.body, " autofocus") {
				t.Errorf("%s=%q: the title or the focus does not say that there is an error", row.field, row.value)
			}
			if !strings.Contains(answer.body, `id="`+row.field+`-wrong"`) || !strings.Contains(answer.body, row.field+`-wrong"`) {
				t.Errorf("%s=%q: no error at the field:\n%s", row.field, row.value, answer.body)
			}
			answer.hasNot(s.admin)
		}
	}
	answer := b.post("create", with(good, "expires", "until", "until", "2020-01-01", "step", "review")).expect(http.StatusUnprocessableEntity)
	answer.has("The day is in the past")
	if !strings.Contains(answer.body, `value="2020-01-01" autofocus aria-invalid="true" aria-describedby="until-wrong"`) {
		t.Errorf("the error is not at the day:\n%s", answer.body)
	}
}

func TestARefusalOfTheAPIIsSaidInTheForm(t *testing.T) {
	s := newScene(t)
	if _, err := s.client(s.admin).SetLimit(t.Context(), "admin", new(1)); err != nil {
		t.Fatal(err)
	}
	b := s.signedIn(s.admin)
	b.get("").has("1 of 1 used", "Revoke a token to make another one")
	review := b.post("create", url.Values{"name": {"n"}, "expires": {"7D"}, "step": {"review"}}).expect(http.StatusOK)
	answer := b.post("create", with(review.hidden(), "step", "make")).expect(http.StatusConflict)
	answer.has("at most 1 are allowed", "New token")
	if !strings.Contains(answer.body, `value="n"`) {
		t.Error("the form has lost its values")
	}
}

func TestTheMaximumIsShownAndNoChoiceIsAboveIt(t *testing.T) {
	s := newScene(t)
	ann := s.make(httpapi.CreateRequest{User: user("ann")})
	if _, err := s.client(s.admin).ChangeSettings(t.Context(), httpapi.SettingsChange{ExpirationTimeout: new(int64(60 * 24 * 3600))}); err != nil {
		t.Fatal(err)
	}
	s.sleep(6 * time.Second) // other callers see the settings then
	b := s.signedIn(ann)
	b.get("create").expect(http.StatusOK).has("The maximum is 60 days", "60 days, the maximum").hasNot("Never", "90 days", "365 days")
	answer, _ := b.made(url.Values{"name": {"long"}, "expires": {"60D"}})
	e, err := s.client(answer.secret()).GetSelf(t.Context())
	if err != nil || !e.ExpirationTime.Equal(s.clock().Add(60*24*time.Hour)) {
		t.Errorf("got %v %v", e.ExpirationTime, err)
	}
}

// TestAPageHasNoCarriageReturn: the listener of serve would take a part of a page that
// begins like an answer for an answer of net/http.
func TestAPageHasNoCarriageReturn(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	for _, answer := range []seen{
		b.post("create", url.Values{"name": {"a\r\nb"}, "expires": {"7D"}, "step": {"review"}}), b.get("create?name=a%0d%0ab"), b.get("all?user=a%0d%0ab"),
	} {
		if strings.Contains(answer.body, "\r") {
			t.Errorf("got %q", answer.body)
		}
	}
}

func TestALinkFillsInTheFormAndMakesNothing(t *testing.T) {
	s := newScene(t)
	b := s.signedIn(s.admin)
	before := len(b.tokens("admin"))
	answer := b.get("create?name=ci&scopes=GET+/v1/things/*&scopes=POST+/v1/x&expires=90D").expect(http.StatusOK)
	answer.has("requested by a link", "GET /v1/things/*", "POST /v1/x")
	if !strings.Contains(answer.body, `value="ci"`) || !strings.Contains(answer.body, `value="90D" checked`) {
		t.Errorf("the form is not filled in:\n%s", answer.body)
	}
	b.post("create", with(answer.hidden(), "name", "ci", "expires", "90D", "step", "review")).expect(http.StatusOK).has("requested by a link")
	if after := len(b.tokens("admin")); after != before {
		t.Errorf("a link made a token")
	}
	b.get("create?name=" + url.QueryEscape(s.admin)).expect(http.StatusBadRequest).hasNot(s.admin)
}
