package httpapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

const (
	oauthIntrospect = "/v1/oauth/introspect"
	oauthRevoke     = "/v1/oauth/revoke"
	formType        = "application/x-www-form-urlencoded"
)

// postForm sends a form with these names and values.
func (w *scene) postForm(path, token string, pairs ...string) answer {
	w.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return w.sendForm(path, token, formType, form.Encode())
}

func (w *scene) sendForm(path, token, contentType, body string) answer {
	w.t.Helper()
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return w.send("POST", path, header, strings.NewReader(body))
}

// refused stops the test unless the answer is an error of OAuth.
func (s answer) refused(t testing.TB, status int, oauth, code string) httpapi.OAuthError {
	t.Helper()
	e := decodeAs[httpapi.OAuthError](t, s)
	if s.status != status || e.Error != oauth || e.Code != code || e.RequestID != s.header.Get("X-Request-Id") || s.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: got %d %s %v, want %d %s %s", s.path, s.status, s.body, s.header, status, oauth, code)
	}
	return e
}

// issue makes a token of the user as an operator, with a wish that the test needs.
func (w *scene) issue(user string, wish token.Wish) (id, text string) {
	w.t.Helper()
	made, shown, err := w.issuer.Create(w.t.Context(), guard.Principal{Owner: user}, "", wish)
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID, shown.Reveal()
}

func (w *scene) passes(text string) bool {
	w.t.Helper()
	return w.do("GET", "/v1/session/who-am-i", text, "").status == http.StatusOK
}

// TestIntrospectionOfOAuthAnswersAsTheRFCSays: an active token has these members, and
// every other text gets exactly active false.
func TestIntrospectionOfOAuthAnswersAsTheRFCSays(t *testing.T) {
	w := newScene(t)
	w.change(settings.Grant{User: "gateway", Actions: []string{settings.ActionView}})
	_, gateway := w.issue("gateway", token.Wish{Scopes: []string{"POST " + oauthIntrospect}})
	created := w.clock()
	id, scoped := w.issue("ann", token.Wish{Scopes: []string{"GET /v1/things/*", "* /a:b"}, ExpiresIn: 2 * time.Hour})
	adID, ad := w.issue("ACTIVE_DIRECTORY:ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	rotatedID, outgoing := w.issue("ann", token.Wish{ExpiresIn: 2 * time.Hour})
	grace := time.Hour
	_, current, err := w.issuer.Rotate(t.Context(), guard.Principal{Owner: "ann"}, rotatedID, nil, &grace)
	if err != nil {
		t.Fatal(err)
	}
	disabledID, disabled := w.issue("ann", token.Wish{})
	if _, err := w.issuer.Update(t.Context(), guard.Principal{Owner: "ann"}, disabledID, token.Update{Enabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	revokedID, revoked := w.issue("ann", token.Wish{})
	if err := w.issuer.Revoke(t.Context(), guard.Principal{Owner: "ann"}, revokedID); err != nil {
		t.Fatal(err)
	}
	_, expired := w.issue("ann", token.Wish{ExpiresIn: time.Second})
	w.sleep(time.Minute)
	want := func(id, sub, scope string, lives time.Duration) httpapi.OAuthIntrospection {
		out := httpapi.OAuthIntrospection{
			Active: true, Scope: scope, Username: sub, Sub: sub, Iss: "urn:apitoken:" + deployment, JTI: id, TokenType: "Bearer", Iat: created.Unix(),
		}
		if lives > 0 {
			out.Exp = created.Add(lives).Unix()
		}
		return out
	}
	if created.Nanosecond() == 0 {
		t.Fatal("the clock has whole seconds, so this test does not show how the service rounds")
	}
	inactive := httpapi.OAuthIntrospection{}
	for name, c := range map[string]struct {
		pairs []string
		want  httpapi.OAuthIntrospection
	}{
		"scoped":                 {[]string{"token", scoped}, want(id, "ann", "GET:/v1/things/* *:/a:b", 2*time.Hour)},
		"with a hint":            {[]string{"token", scoped, "token_type_hint", "refresh_token"}, want(id, "ann", "GET:/v1/things/* *:/a:b", 2*time.Hour)},
		"with unknown ones":      {[]string{"token", scoped, "client_id", "x", "client_id", "y", "surplus", ""}, want(id, "ann", "GET:/v1/things/* *:/a:b", 2*time.Hour)},
		"in its range":           {[]string{"token", ad, "source_ip", "192.0.2.7"}, want(adID, "ACTIVE_DIRECTORY:ann", "", 0)},
		"in its range, mapped":   {[]string{"token", ad, "source_ip", "::ffff:192.0.2.7"}, want(adID, "ACTIVE_DIRECTORY:ann", "", 0)},
		"out of its range":       {[]string{"token", ad, "source_ip", "203.0.113.7"}, inactive},
		"without an address":     {[]string{"token", ad}, inactive},
		"with an empty one":      {[]string{"token", ad, "source_ip", ""}, inactive},
		"an outgoing secret":     {[]string{"token", outgoing}, want(rotatedID, "ann", "", time.Hour)},
		"the new secret":         {[]string{"token", current.Reveal()}, want(rotatedID, "ann", "", 2*time.Hour)},
		"disabled":               {[]string{"token", disabled}, inactive},
		"revoked":                {[]string{"token", revoked}, inactive},
		"expired":                {[]string{"token", expired}, inactive},
		"unknown":                {[]string{"token", secret.Mint("").Text().Reveal()}, inactive},
		"a text that is no JWT":  {[]string{"token", "eyJhbGciOiJub25lIn0.e30."}, inactive},
		"two tokens in one text": {[]string{"token", scoped + " " + scoped}, inactive},
	} {
		got := w.postForm(oauthIntrospect, gateway, c.pairs...).expect(t, http.StatusOK, "")
		if decoded := decodeAs[httpapi.OAuthIntrospection](t, got); decoded != c.want {
			t.Errorf("%s: got %s, want %+v", name, got.body, c.want)
		}
		if !c.want.Active && string(got.body) != "{\"active\":false}\n" {
			t.Errorf("%s: got %q, want exactly active false", name, got.body)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got the header %v, want no-store and JSON", name, got.header)
		}
	}
}

// TestAStrangerLearnsNothingFromTheIntrospectionOfOAuth: a caller without view gets
// the same bytes and the same headers for a token of another user, for an unknown
// token and for a text. About its own tokens it gets an answer.
func TestAStrangerLearnsNothingFromTheIntrospectionOfOAuth(t *testing.T) {
	w := newScene(t)
	_, stranger := w.issue("stranger", token.Wish{})
	_, other := w.issue("stranger", token.Wish{})
	w.change(settings.Grant{User: "deleter", Actions: []string{settings.ActionCreate, settings.ActionEdit, settings.ActionDelete}})
	_, deleter := w.issue("deleter", token.Wish{})
	liveID, live := w.issue("ann", token.Wish{})
	_, ranged := w.issue("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	_, expired := w.issue("ann", token.Wish{ExpiresIn: time.Second})
	w.sleep(time.Minute)
	random := regexp.MustCompile(`[A-Z2-7]{26}`)
	first := ""
	for name, text := range map[string]string{
		"live": live, "ranged": ranged, "expired": expired, "unknown": secret.Mint("").Text().Reveal(), "a text": "hello", "its id": liveID, "mistyped": live[:len(live)-1] + "_",
		"a long text": strings.Repeat("x", 10_000),
	} {
		for _, caller := range []string{stranger, deleter} {
			got := w.postForm(oauthIntrospect, caller, "token", text, "source_ip", "192.0.2.7")
			got.refused(t, http.StatusForbidden, "insufficient_scope", token.CodePermissionDenied)
			got.header.Del("Date")
			whole := random.ReplaceAllString(string(got.body)+headerText(got.header), "ID")
			if first == "" {
				first = whole
			}
			if whole != first {
				t.Errorf("%s: got %s, want %s as for the other texts", name, whole, first)
			}
		}
	}
	if got := w.postForm(oauthIntrospect, stranger, "token", other).expect(t, http.StatusOK, ""); !decodeAs[httpapi.OAuthIntrospection](t, got).Active {
		t.Errorf("the own token: got %s, want it active", got.body)
	}
}

func headerText(h http.Header) string {
	var b bytes.Buffer
	_ = h.Write(&b)
	return b.String()
}

// TestCallersOfTheIntrospectionAuthenticateAsEverywhere: with Bearer, or with Basic as
// libraries of OAuth write it, also with an encoded dot, or without a header with the
// client secret in the form. A header wins.
func TestCallersOfTheIntrospectionAuthenticateAsEverywhere(t *testing.T) {
	w := newScene(t)
	_, text := w.issue("ann", token.Wish{})
	_, narrow := w.issue("ann", token.Wish{Scopes: []string{"GET /v1/things"}})
	_, bound := w.issue("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	encoded := strings.Replace(text, ".", "%2E", 1)
	body := "token=" + text + "&client_id=gateway&client_secret=" + text
	for name, c := range map[string]struct {
		header, oauth, code string
		status              int
	}{
		"bearer":                      {"Bearer " + text, "", "", 200},
		"client id and secret":        {basic("resource%20server%3A1", text), "", "", 200},
		"with an encoded dot":         {basic("rs", encoded), "", "", 200},
		"as the client id, no secret": {basic(encoded, ""), "", "", 200},
		"two encoded tokens":          {basic(encoded, encoded), "invalid_client", guard.CodeRepeated, 401},
		"a client secret in the form": {"", "", "", 200},
		"a password":                  {basic("ann", "hunter2"), "invalid_client", guard.CodePassword, 401},
		"an unknown token":            {"Bearer " + secret.Mint("").Text().Reveal(), "invalid_client", guard.CodeInvalid, 401},
		"another scheme":              {"DPoP " + text, "invalid_client", guard.CodeScheme, 401},
		"without the scope":           {"Bearer " + narrow, "insufficient_scope", guard.CodeOutOfScope, 403},
		"from elsewhere":              {"Bearer " + bound, "insufficient_scope", guard.CodeWrongSource, 403},
		"a percent sign of no escape": {basic("rs", "%g"+text), "invalid_client", guard.CodeMalformed, 401},
	} {
		header := http.Header{"Content-Type": {formType}}
		if c.header != "" {
			header.Set("Authorization", c.header)
		}
		got := w.send("POST", oauthIntrospect, header, strings.NewReader(body))
		if c.status == http.StatusOK {
			got.expect(t, http.StatusOK, "")
			continue
		}
		got.refused(t, c.status, c.oauth, c.code)
		if challenges := got.header.Values("WWW-Authenticate"); c.status == 401 && (len(challenges) != 2 || !strings.HasPrefix(challenges[0], "Bearer ") || !strings.HasPrefix(challenges[1], "Basic ")) {
			t.Errorf("%s: got the challenges %q, want Bearer and Basic", name, challenges)
		}
	}
}

// TestAPostedClientSecretIsACredentialLikeOthers: with the denials of Basic, and only
// on the introspection.
func TestAPostedClientSecretIsACredentialLikeOthers(t *testing.T) {
	w := newScene(t)
	_, text := w.issue("ann", token.Wish{})
	_, narrow := w.issue("ann", token.Wish{Scopes: []string{"GET /v1/things"}})
	for name, c := range map[string]struct {
		pairs  []string
		code   string
		status int
	}{
		"a colon in the id":   {[]string{"client_id", "resource server:1", "client_secret", text}, "", 200},
		"no client id":        {[]string{"client_secret", text}, "", 200},
		"an unknown token":    {[]string{"client_id", "rs", "client_secret", secret.Mint("").Text().Reveal()}, guard.CodeInvalid, 401},
		"a password":          {[]string{"client_id", "rs", "client_secret", "hunter2"}, guard.CodePassword, 401},
		"an empty secret":     {[]string{"client_id", "rs", "client_secret", ""}, guard.CodeMissing, 401},
		"only a client id":    {[]string{"client_id", text}, guard.CodeMissing, 401},
		"two secrets":         {[]string{"client_secret", text, "client_secret", text}, guard.CodeMissing, 401},
		"two tokens":          {[]string{"client_id", text, "client_secret", text}, guard.CodeRepeated, 401},
		"without the scope":   {[]string{"client_id", "rs", "client_secret", narrow}, guard.CodeOutOfScope, 403},
		"a token in the form": {[]string{"access_token", text}, guard.CodeMissing, 401},
	} {
		got := w.postForm(oauthIntrospect, "", append(c.pairs, "token", text)...)
		if e := decodeAs[httpapi.OAuthError](t, got); got.status != c.status || e.Code != c.code {
			t.Errorf("%s: got %d %s, want %d %q", name, got.status, got.body, c.status, c.code)
		}
	}
	r := httptest.NewRequest("POST", oauthIntrospect, strings.NewReader("token="+text))
	r.Header.Set("Content-Type", formType)
	gateway := w.handler(func(c *machine.Config) { c.TrustPrincipal = true })
	handle(gateway, asPrincipal(r, guard.Principal{Owner: "admin", TokenID: w.admin[:8]})).refused(t, http.StatusUnauthorized, "invalid_client", guard.CodeMissing)
	w.sendForm("/v1/auth/authorize", "", formType, url.Values{"client_secret": {text}}.Encode()).expect(t, http.StatusUnauthorized, guard.CodeMissing)
	if strings.Contains(w.log.String(), text[9:]) || strings.Contains(w.log.String(), "hunter2") {
		t.Error("the log has a secret")
	}
}

// TestWrongFormsAreInvalidRequests on both calls. A revocation needs no credential, so
// its caller has none.
func TestWrongFormsAreInvalidRequests(t *testing.T) {
	w := newScene(t)
	for _, path := range []string{oauthIntrospect, oauthRevoke} {
		_, caller := w.issue("ann", token.Wish{})
		_, text := w.issue("ann", token.Wish{})
		for name, c := range map[string]struct {
			contentType, body, code, says string
			status                        int
		}{
			"no token":         {formType, "", "invalid_parameter", "token is missing", 400},
			"an empty token":   {formType, "token=", "invalid_parameter", "token is missing", 400},
			"only a hint":      {formType, "token_type_hint=access_token", "invalid_parameter", "token is missing", 400},
			"two tokens":       {formType, "token=" + text + "&token=" + text, "invalid_parameter", "token is given 2 times", 400},
			"one of two empty": {formType, "token=&token=" + text, "invalid_parameter", "token is given 2 times", 400},
			"JSON":             {"application/json", `{"token":"` + text + `"}`, "invalid_header", formType, 400},
			"JSON, as a form":  {formType, `{"token":"` + text + `"}`, "invalid_parameter", "token is missing", 400},
			"a multipart form": {"multipart/form-data; boundary=x", "--x\r\n", "invalid_header", formType, 400},
			"a broken type":    {"application/x-www-form-urlencoded; charset", "token=" + text, "invalid_header", formType, 400},
			"a broken escape":  {formType, "token=%zz", "invalid_parameter", "not a form", 400},
			"a semicolon":      {formType, "token=" + text + ";x=y", "invalid_parameter", "not a form", 400},
			"too large":        {formType, "token=" + strings.Repeat("x", machine.MaxBody), "body_too_large", "at most 65536 bytes", 413},
		} {
			e := w.sendForm(path, caller, c.contentType, c.body).refused(t, c.status, "invalid_request", c.code)
			if !strings.Contains(e.Description, c.says) || strings.ContainsAny(e.Description, "\"\\") || secret.Within(e.Description) {
				t.Errorf("%s, %s: got %q, want a text with %q", path, name, e.Description, c.says)
			}
		}
		r := httptest.NewRequest("POST", path, strings.NewReader("token="+text))
		r.Header.Set("Authorization", "Bearer "+caller)
		r.Header.Set("Content-Encoding", "gzip")
		handle(w.handler(), r).refused(t, http.StatusUnsupportedMediaType, "invalid_request", "encoding_unsupported")
		if !w.passes(text) {
			t.Errorf("%s: a refused form ended a token", path)
		}
		if got := w.do("GET", path, caller, "").expect(t, http.StatusMethodNotAllowed, "method_not_allowed"); got.header.Get("Allow") != "POST" {
			t.Errorf("%s: got Allow %q, want POST", path, got.header.Get("Allow"))
		}
	}
	w.sendForm(oauthRevoke, "", "", "token="+secret.Mint("").Text().Reveal()).expect(t, http.StatusOK, "")
	_, caller := w.issue("bob", token.Wish{})
	for _, address := range []string{"x", "192.0.2.0/24", "fe80::1%eth0", "192.0.2.7:80", "[::1]"} {
		w.postForm(oauthIntrospect, caller, "token", caller, "source_ip", address).refused(t, http.StatusBadRequest, "invalid_request", "invalid_parameter")
	}
	w.postForm(oauthIntrospect, caller, "token", caller, "source_ip", "192.0.2.7", "source_ip", "192.0.2.8").refused(t, http.StatusBadRequest, "invalid_request", "invalid_parameter")
	w.postForm(oauthIntrospect+"?x=1", caller, "token", caller).refused(t, http.StatusBadRequest, "invalid_request", "invalid_parameter")
	w.postForm(oauthIntrospect+"?token="+caller, caller).refused(t, http.StatusBadRequest, "invalid_request", guard.CodeInQuery)
}

// TestARevocationOfOAuthAnswersTheSameForEveryText, and ends only the token that it
// has. Neither a credential nor its absence changes the answer.
func TestARevocationOfOAuthAnswersTheSameForEveryText(t *testing.T) {
	w := newScene(t)
	id, text := w.issue("ann", token.Wish{Scopes: []string{"GET /v1/things"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	rotatedID, outgoing := w.issue("ann", token.Wish{})
	grace := time.Hour
	_, current, err := w.issuer.Rotate(t.Context(), guard.Principal{Owner: "ann"}, rotatedID, nil, &grace)
	if err != nil {
		t.Fatal(err)
	}
	_, kept := w.issue("ann", token.Wish{})
	for name, c := range map[string]struct{ header, text string }{
		"no credential": {"", text}, "again": {"", text}, "unknown": {"", secret.Mint("").Text().Reveal()}, "a text": {"", "hello"}, "an id": {"", kept[:8]},
		"a client secret": {"Basic " + base64.StdEncoding.EncodeToString([]byte("client:hunter2")), outgoing}, "a bad one": {"Bearer x", "hello"},
	} {
		header := http.Header{"Content-Type": {formType}}
		if c.header != "" {
			header.Set("Authorization", c.header)
		}
		got := w.send("POST", oauthRevoke, header, strings.NewReader(url.Values{"token": {c.text}, "token_type_hint": {"access_token"}}.Encode())).expect(t, http.StatusOK, "")
		if string(got.body) != "{}\n" || got.header.Get(expiresHeader) != "" {
			t.Errorf("%s: got %q with %v, want {}", name, got.body, got.header)
		}
	}
	if w.passes(outgoing) || !w.passes(current.Reveal()) || !w.passes(kept) {
		t.Errorf("the outgoing secret passes: %t, the new one: %t, another token: %t; want only the last two", w.passes(outgoing), w.passes(current.Reveal()), w.passes(kept))
	}
	w.postForm(oauthRevoke, "", "token", " \t"+current.Reveal()+"\r\n").expect(t, http.StatusOK, "")
	if w.passes(current.Reveal()) {
		t.Error("the current secret passes after its revocation")
	}
	history := decodeAs[httpapi.History](t, w.do("GET", collection+id+"/events", w.admin, "").expect(t, http.StatusOK, ""))
	var last struct {
		Type, Actor, ActorTokenID string
		Data                      struct{ Cause events.Cause }
	}
	if err := json.Unmarshal(history.Entries[len(history.Entries)-1], &last); err != nil || last.Type != "TokenRevoked" || last.Data.Cause != events.CausePossession || last.Actor != "ann" || last.ActorTokenID != id {
		t.Errorf("got %+v, %v, want a revocation by possession", last, err)
	}
	for _, secret := range []string{text, outgoing, current.Reveal()} {
		if strings.Contains(w.log.String(), secret) || strings.Contains(w.log.String(), secret[9:]) {
			t.Error("the log has a secret")
		}
	}
	if !strings.Contains(w.log.String(), `"operation":"revoke","code":"ok","token_id":"`+id+`","owner":"ann"`) {
		t.Errorf("the log does not name the token that was revoked:\n%s", w.log.String())
	}
}

// TestAnOutageOfTheCallsOfOAuthIsA503, with a time to wait, and never an answer about
// the token. Damaged data is a 500.
// TestATokenWithinOtherTextIsNotSaidToBeRevoked: the 200 says that the token gives
// nothing any more.
func TestATokenWithinOtherTextIsNotSaidToBeRevoked(t *testing.T) {
	w := newScene(t)
	_, text := w.issue("ann", token.Wish{})
	for _, sent := range []string{
		"Bearer " + text, `"` + text + `"`, "token=" + text, text + ",", text + "\n" + text, url.QueryEscape(strings.Replace(text, ".", "%2E", 1)), "\ufeff" + text,
	} {
		w.postForm(oauthRevoke, "", "token", sent).refused(t, http.StatusBadRequest, "invalid_request", "invalid_parameter")
	}
	if !w.passes(text) {
		t.Error("the token was revoked")
	}
	w.postForm(oauthRevoke, "", "token", text).expect(t, http.StatusOK, "")
	if w.passes(text) {
		t.Error("the token still passes")
	}
}

func TestAnOutageOfTheCallsOfOAuthIsA503(t *testing.T) {
	w := newScene(t)
	_, text := w.issue("ann", token.Wish{})
	form := "token=" + text
	for path, ops := range map[string][]storetest.Op{oauthIntrospect: {storetest.OpToken, storetest.OpHead}, oauthRevoke: {storetest.OpToken, storetest.OpHead}} {
		for _, op := range ops {
			store := storetest.NewFaulty(w.store, func(called storetest.Op) storetest.Fault {
				if called == op {
					return storetest.Unapplied
				}
				return storetest.None
			})
			r := httptest.NewRequest("POST", path, strings.NewReader(form))
			r.Header.Set("Content-Type", formType)
			r.Header.Set("Authorization", "Bearer "+text)
			got := handle(w.afterAuthorizer(store), r)
			got.refused(t, http.StatusServiceUnavailable, "temporarily_unavailable", "unavailable")
			if got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s without %s: got the header %v, want Retry-After", path, op, got.header)
			}
		}
	}
	g := guard.New(guard.Config{Views: unsealed{w.store}, Uses: w.store, Notices: w.store, Keys: w.keys, Now: w.clock})
	r := httptest.NewRequest("POST", oauthIntrospect, strings.NewReader(form))
	r.Header.Set("Authorization", "Bearer "+text)
	handle(w.handler(func(c *machine.Config) { c.Guard = g }), r).refused(t, http.StatusInternalServerError, "server_error", "internal")
	if !w.passes(text) {
		t.Error("an outage ended the token")
	}
}

// touched notes the tokens whose use is stored.
type touched struct {
	events.Store
	ids []string
}

func (s *touched) Touch(ctx context.Context, id string, u events.Use) error {
	s.ids = append(s.ids, id)
	return s.Store.Touch(ctx, id, u)
}

// TestOnlyAPassingIntrospectionOfOAuthIsAUse of the token that is asked about.
func TestOnlyAPassingIntrospectionOfOAuthIsAUse(t *testing.T) {
	w := newScene(t)
	_, caller := w.issue("gateway", token.Wish{})
	w.change(settings.Grant{User: "gateway", Actions: []string{settings.ActionView}})
	ranged, text := w.issue("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for form, want := range map[string]bool{"token=" + text: false, "token=" + text + "&source_ip=192.0.2.7": true} {
		used := &touched{Store: w.store}
		r := httptest.NewRequest("POST", oauthIntrospect, strings.NewReader(form))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Authorization", "Bearer "+caller)
		handle(w.afterAuthorizer(used), r).expect(t, http.StatusOK, "")
		if got := slices.Contains(used.ids, ranged); got != want {
			t.Errorf("%s: the use was stored: %t, want %t", strings.Replace(form, text, "TEXT", 1), got, want)
		}
	}
}

// TestMetadataAreThereIfTheServiceKnowsItsAddress: never from the header Host.
func TestMetadataAreThereIfTheServiceKnowsItsAddress(t *testing.T) {
	w := newScene(t)
	want := httpapi.ResourceMetadata{
		Resource: publicURL, ResourceName: "apitoken", BearerMethods: []string{"header"}, Documentation: publicURL + "/openapi.yaml",
	}
	r := httptest.NewRequest("GET", machine.MetadataPath, nil)
	r.Host = "evil.example"
	got := handle(w.handler(), r).expect(t, http.StatusOK, "")
	if decoded := decodeAs[httpapi.ResourceMetadata](t, got); !reflect.DeepEqual(decoded, want) || strings.Contains(string(got.body), "evil") {
		t.Errorf("got %s, want %+v", got.body, want)
	}
	unknown := w.handler(func(c *machine.Config) { c.PublicURL = "" })
	handle(unknown, r).expect(t, http.StatusNotFound, "path_not_found")
	for _, c := range []struct {
		handler           http.Handler
		credential, wants string
	}{
		{w.handler(), "", `Bearer realm="apitoken", resource_metadata="https://tokens.example.com/.well-known/oauth-protected-resource"`},
		{w.handler(), "x", `Bearer realm="apitoken", error="invalid_token", resource_metadata="https://tokens.example.com/.well-known/oauth-protected-resource"`},
		{unknown, "", `Bearer realm="apitoken"`},
		{unknown, "x", `Bearer realm="apitoken", error="invalid_token"`},
	} {
		r := request(t, "GET", "/v1/session/who-am-i", c.credential)
		r.Host = "evil.example"
		if got := handle(c.handler, r).header.Values("WWW-Authenticate"); !reflect.DeepEqual(got, []string{c.wants, `Basic realm="apitoken"`}) {
			t.Errorf("got %q, want %q and Basic", got, c.wants)
		}
	}
}
