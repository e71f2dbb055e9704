package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

const rotateSelf = "/v1/auth/access-tokens/self/rotate"

// rotateWith sends a rotation with an Idempotency-Key.
func (w *scene) rotateWith(path, token, body, key string) answer {
	w.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + token}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return w.send("POST", path, header, strings.NewReader(body))
}

// TestARotationAnswersTheNewSecretAndTheOldOneWorksForTheGrace, in every form of a
// grace.
func TestARotationAnswersTheNewSecretAndTheOldOneWorksForTheGrace(t *testing.T) {
	for body, grace := range map[string]time.Duration{
		``: 24 * time.Hour, `{}`: 24 * time.Hour, `{"grace":null}`: 24 * time.Hour, `{"grace":""}`: 24 * time.Hour,
		`{"grace":"0"}`: 0, `{"grace":"0s"}`: 0, `{"grace":"0D"}`: 0, `{"grace":"1s"}`: time.Second, `{"grace":"90m"}`: 90 * time.Minute, `{"grace":"365D"}`: 365 * 24 * time.Hour,
	} {
		w := newScene(t)
		made, old := w.make(httpapi.CreateRequest{User: named("ann"), Name: "n"})
		a := w.do("POST", collection+made.ID+"/rotate", w.admin, body).expect(t, 200, "")
		rotated := decodeAs[httpapi.Created](t, a)
		fresh := rotated.BearerToken.Reveal()
		if until := rotated.PreviousSecretUntil; until.IsZero() != (grace == 0) || grace > 0 && !until.Equal(w.clock().Add(grace)) {
			t.Errorf("%s: the secret before works until %v, want for %v", body, until, grace)
		}
		if rotated.ID != made.ID || rotated.Name != "n" || fresh == old || !rotated.CreationTime.Equal(made.CreationTime.Time) {
			t.Errorf("%s: got %s, want the same token with a new secret", body, a.body)
		}
		shown := w.do("GET", collection+made.ID, w.admin, "")
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("ETag") == "" || a.header.Get("ETag") != shown.header.Get("ETag") {
			t.Errorf("%s: got the headers %v, want no-store and the ETag %s", body, a.header, shown.header.Get("ETag"))
		}
		whoAmI := func(token string, status int, code string) {
			t.Helper()
			w.do("GET", "/v1/session/who-am-i", token, "").expect(t, status, code)
		}
		whoAmI(fresh, 200, "")
		if grace > 0 {
			w.sleep(grace - time.Microsecond)
			whoAmI(old, 200, "")
			w.do("POST", collection, old, "").expect(t, 403, "permission_denied_by_credential")
			w.sleep(time.Microsecond)
		}
		whoAmI(old, 401, "token_replaced")
		whoAmI(fresh, 200, "")
	}
}

// TestABadGraceIsRefusedWithWhatIsAllowed and writes nothing.
func TestABadGraceIsRefusedWithWhatIsAllowed(t *testing.T) {
	w := settledScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	before := w.contents()
	for _, c := range []struct{ body, code, says string }{
		{`{"grace":"1"}`, "invalid_field", `grace "1" is invalid; allowed: 0, or`},
		{`{"grace":"-1s"}`, "invalid_field", "at most 365D"},
		{`{"grace":"366D"}`, "invalid_field", "at most 365D"},
		{`{"grace":"99999999999999999999s"}`, "invalid_field", "at most 365D"},
		{`{"grace":"P1D"}`, "invalid_field", "m (minutes)"},
		{`{"grace":3600}`, "wrong_type", "a number and a unit"},
		{`{"grace":{}}`, "wrong_type", "grace must be"},
		{`{"graze":"1H"}`, "unknown_member", "graze"},
		{`[]`, "malformed_json", "object"},
	} {
		p := w.do("POST", collection+made.ID+"/rotate", w.admin, c.body).expect(t, 400, c.code).problem(t)
		if !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: got %q, want %q in it", c.body, p.Detail, c.says)
		}
	}
	for _, grace := range []string{"0", "1s", "299s", "4m"} {
		p := w.do("POST", rotateSelf, w.admin, `{"grace":"`+grace+`"}`).expect(t, 422, "grace_too_short").problem(t)
		if len(p.Errors) != 1 || p.Errors[0].Field != "grace" || !strings.Contains(p.Detail, "5m") {
			t.Errorf("%s: got %+v, want the field grace and the least grace", grace, p)
		}
	}
	if w.contents() != before {
		t.Error("a refused rotation changed the store")
	}
	w.do("POST", rotateSelf, w.admin, `{"grace":"5m"}`).expect(t, 200, "")
}

// TestALostSelfRotationIsRepeatedWithTheOldSecret: byte for byte, with either
// secret, and after a restart. The old secret gets nothing else.
func TestALostSelfRotationIsRepeatedWithTheOldSecret(t *testing.T) {
	w := newScene(t)
	_, old := w.make(httpapi.CreateRequest{User: named("ann")})
	first := w.rotateWith(rotateSelf, old, `{"grace":"1H"}`, someKey).expect(t, 200, "")
	if first.header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer is marked as replayed")
	}
	fresh := decodeAs[httpapi.Created](t, first).BearerToken.Reveal()
	w.sleep(time.Minute)
	w.server.Config.Handler = w.handler()
	for name, a := range map[string]answer{
		"old":            w.rotateWith(rotateSelf, old, `{"grace":"1H"}`, someKey),
		"old, other way": w.rotateWith(rotateSelf+"/", old, ` {"grace" : "60m"} `, `"`+someKey+`"`),
		"new":            w.rotateWith(rotateSelf, fresh, `{"grace":"1H"}`, someKey),
	} {
		a.expect(t, 200, "")
		if !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" || a.header.Get("ETag") != first.header.Get("ETag") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %v %s, want the first answer %s", name, a.header, a.body, first.body)
		}
	}
	const another = "another-key-of-16"
	id := strings.SplitN(old, ".", 2)[0]
	for name, a := range map[string]answer{
		"no key":       w.rotateWith(rotateSelf, old, `{"grace":"1H"}`, ""),
		"another key":  w.rotateWith(rotateSelf, old, `{"grace":"1H"}`, another),
		"another body": w.rotateWith(rotateSelf, old, `{}`, someKey),
		"by its id":    w.rotateWith(collection+id+"/rotate", old, `{"grace":"1H"}`, someKey),
		"a create":     w.createWith(old, `{}`, someKey),
	} {
		if a.expect(t, 403, "permission_denied_by_credential"); bytes.Contains(a.body, []byte(fresh[9:])) {
			t.Errorf("%s: the answer has the secret", name)
		}
	}
	w.rotateWith(rotateSelf, fresh, `{"grace":"1H"}`, another).expect(t, 409, "rotated_recently")
	w.rotateWith(rotateSelf, fresh, `{}`, someKey).expect(t, 422, "idempotency_key_reused")
	_, others := w.make(httpapi.CreateRequest{User: named("ann")})
	if a := w.rotateWith(rotateSelf, others, `{"grace":"1H"}`, someKey).expect(t, 200, ""); bytes.Contains(a.body, []byte(fresh[9:])) {
		t.Error("another token of the user got the answer")
	}
	w.sleep(time.Hour)
	w.rotateWith(rotateSelf, old, `{"grace":"1H"}`, someKey).expect(t, 401, "token_replaced")
	if strings.Contains(w.log.String(), fresh[9:]) || strings.Contains(w.log.String(), someKey) {
		t.Error("the log has the secret or the key")
	}
}

// TestASelfRotationNeedsItsScope: also after a gateway, whose answer about another
// caller it ignores. The other calls about self need none.
func TestASelfRotationNeedsItsScope(t *testing.T) {
	for scope, status := range map[string]int{
		"GET /v1/*": 403, "POST /v1/auth/access-tokens/self": 403, "POST /v1/auth/access-tokens/self/rotate": 200, "* /v1/*": 200,
		"POST /v1/auth/access-tokens/*": 200,
	} {
		for _, gateway := range []bool{false, true} {
			w := newScene(t)
			_, text := w.make(httpapi.CreateRequest{User: named("ann"), Scopes: []string{scope}})
			handler := w.handler(func(c *machine.Config) { c.TrustPrincipal = gateway })
			other := guard.Principal{Owner: "admin", TokenID: "JhxND7ci"}
			handle(handler, asPrincipal(request(t, "GET", "/v1/auth/access-tokens/self", text), other)).expect(t, 200, "")
			code := ""
			if status == 403 {
				code = "permission_denied_by_scope"
			}
			for range 2 { // the second is a repeat with the old secret
				r := asPrincipal(request(t, "POST", rotateSelf, text), other)
				r.Header.Set("Idempotency-Key", someKey)
				if a := handle(handler, r).expect(t, status, code); status == 200 && decodeAs[httpapi.Created](t, a).User.Name != "ann" {
					t.Errorf("%s: the rotated token is %s", scope, a.body)
				}
			}
			handle(handler, asPrincipal(request(t, "POST", rotateSelf, ""), other)).expect(t, 401, "credential_missing")
		}
	}
}

// TestRotatingAnothersTokenTakesCreateAndEveryActionOfItsOwner.
func TestRotatingAnothersTokenTakesCreateAndEveryActionOfItsOwner(t *testing.T) {
	w := newScene(t)
	plain, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	strong, _ := w.make(httpapi.CreateRequest{User: named("admin")})
	w.change(settings.Grant{User: "maker", Actions: []string{settings.ActionCreate, settings.ActionView}})
	w.change(settings.Grant{User: "editor", Actions: []string{settings.ActionEdit, settings.ActionView}})
	w.change(settings.Grant{User: "blind", Actions: []string{settings.ActionCreate}})
	for _, c := range []struct {
		caller, id string
		status     int
		code       string
	}{
		{"maker", plain.ID, 200, ""},
		{"maker", strong.ID, 403, "permission_denied_by_owner"},
		{"editor", plain.ID, 403, "permission_denied"},
		{"blind", plain.ID, 404, "not_found"},
		{"stranger", plain.ID, 404, "not_found"},
		{"admin", strong.ID, 200, ""},
	} {
		_, text := w.make(httpapi.CreateRequest{User: named(c.caller)})
		w.do("POST", collection+c.id+"/rotate", text, "").expect(t, c.status, c.code)
	}
}

// TestARotationHonoursIfMatch: a repeat does not compare it, because the rotation
// itself has made it stale.
func TestARotationHonoursIfMatch(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	tag := w.do("GET", collection+made.ID, w.admin, "").header.Get("ETag")
	rotate := func(path, token, ifMatch, key string) answer {
		t.Helper()
		header := http.Header{"Authorization": {"Bearer " + token}, "If-Match": {ifMatch}, "Idempotency-Key": {key}}
		return w.send("POST", path, header, strings.NewReader(""))
	}
	for _, stale := range []string{`"999"`, `W/` + tag, `"x"`} {
		rotate(collection+made.ID+"/rotate", w.admin, stale, someKey).expect(t, 412, "version_conflict")
		rotate(rotateSelf, text, stale, someKey).expect(t, 412, "version_conflict")
	}
	rotate(rotateSelf, text, "nonsense", someKey).expect(t, 400, "invalid_header")
	rotate(rotateSelf, text, `"999", `+tag, someKey).expect(t, 200, "")
	rotate(rotateSelf, text, tag, someKey).expect(t, 200, "")
	rotate(collection+made.ID+"/rotate", w.admin, tag, someKey).expect(t, 412, "version_conflict")
	rotate(collection+made.ID+"/rotate", w.admin, "*", someKey).expect(t, 200, "")
}

// TestARotationTakesNoSlotAndProlongsNothing.
func TestARotationTakesNoSlotAndProlongsNothing(t *testing.T) {
	w := newScene(t)
	w.change(settings.Change{TokenLimit: new(2)})
	long, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	short, text := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1H"})
	w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, 409, "token_limit_reached")
	w.do("POST", collection+long.ID+"/rotate", text, "").expect(t, 422, "expiry_outlives_maker")
	a := w.do("POST", rotateSelf, text, `{"grace":"2H"}`).expect(t, 200, "")
	rotated := decodeAs[httpapi.Created](t, a)
	if !rotated.ExpirationTime.Equal(short.ExpirationTime.Time) {
		t.Errorf("got the expiry %v, want %v", rotated.ExpirationTime, short.ExpirationTime)
	}
	w.sleep(time.Hour)
	for _, secret := range []string{text, rotated.BearerToken.Reveal()} {
		w.do("GET", "/v1/session/who-am-i", secret, "").expect(t, 401, "token_expired")
	}
	w.do("POST", collection+short.ID+"/rotate", w.admin, "").expect(t, 409, "token_ended")
	w.do("DELETE", collection+long.ID, w.admin, "").expect(t, 200, "")
	w.do("POST", collection+long.ID+"/rotate", w.admin, "").expect(t, 404, "not_found_revoked")
	w.do("POST", collection+"nonsense!/rotate", w.admin, "").expect(t, 404, "not_found")
}

// TestTheClientRepeatsARotationWithItsKey: a self-rotation keeps its key, whatever
// is lost. With a key of the caller, a later client with the old secret gets the
// answer.
func TestTheClientRepeatsARotationWithItsKey(t *testing.T) {
	for name, arrives := range map[string]bool{"the request is lost": false, "the answer is lost": true} {
		w := newScene(t)
		made, old := w.make(httpapi.CreateRequest{User: named("ann")})
		l := &losingTransport{handler: w.handler(), losses: []error{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF}, arrives: arrives}
		client := func() *httpapi.Client {
			c := httpapi.NewClient("http://service", secret.New(old), &http.Client{Transport: l})
			httpapi.SetRetryWait(c, time.Millisecond)
			return c
		}
		request := httpapi.RotateRequest{Grace: "1H", Key: someKey, IfMatch: `"1"`}
		first, err := client().RotateSelf(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		again, err := client().RotateSelf(t.Context(), request)
		if err != nil || again.BearerToken.Reveal() != first.BearerToken.Reveal() || first.ID != made.ID || first.BearerToken.Reveal() == old {
			t.Errorf("%s: a later client got token %s, %v, want the first answer", name, again.ID, err)
		}
		if !slices.Equal(l.keys, []string{someKey, someKey, someKey, someKey}) {
			t.Errorf("%s: got the keys %q, want the same for each try", name, l.keys)
		}
		for range 2 {
			if _, err := w.client(w.admin).Rotate(t.Context(), made.ID, httpapi.RotateRequest{Grace: "0"}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		history, err := w.client(w.admin).TokenEvents(t.Context(), made.ID, httpapi.HistoryQuery{})
		if err != nil || len(history.Entries) != 4 {
			t.Errorf("%s: the history has %d records, want a creation, one self-rotation and two rotations", name, len(history.Entries))
		}
	}
}
