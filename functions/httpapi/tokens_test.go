package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

func TestOnlyCreateAnswersTheTokenAndTheTokenAuthenticates(t *testing.T) {
	w := newScene(t)
	s := w.do("POST", collection, w.admin, `{
		"user": {"domain": "LOCAL", "auth_id": null, "uid": null, "gid": null, "sid": null, "name": "ann"},
		"name": "backup", "description": "the <nightly> run & more", "expiration_time": "2030-01-20T01:02:03.000789-05:00",
		"scopes": ["GET /v1/*"], "source_ips": ["127.0.0.0/8", "::1"]}`).expect(t, http.StatusOK, "")
	made := decodeAs[httpapi.Created](t, s)
	text := made.BearerToken.Reveal()
	golden(t, "created.json", s.body, text, "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", made.ID, "JhxND7ci")
	if got := s.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}

	shown := w.do("GET", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	golden(t, "entry.json", shown.body, made.ID, "JhxND7ci")
	if got := shown.header.Get("Etag"); got != `"1"` {
		t.Errorf(`got ETag %s, want "1", the token's first record`, got)
	}
	golden(t, "list.json", w.do("GET", collection+"?user=ann", w.admin, "").body, made.ID, "JhxND7ci")
	if strings.Contains(string(shown.body), "bearer_token") {
		t.Errorf("got %s, want no token in it", shown.body)
	}
	self := decodeAs[httpapi.WhoAmI](t, w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, ""))
	if self.User.Name != "ann" || self.Name != "ann" || len(self.Permissions) != 0 {
		t.Errorf("got %+v, want ann without permissions", self)
	}
}

// TestEntriesHaveTheLastUseWithItsAddress: an operator must see from where a token is
// used.
func TestEntriesHaveTheLastUseWithItsAddress(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	unused := w.do("GET", collection+made.ID, w.admin, "")
	if strings.Contains(string(unused.body), "last_used") {
		t.Errorf("got %s, want no last use of a token that was never used", unused.body)
	}
	for _, address := range []string{"192.0.2.9", "2001:db8::7", "::ffff:198.51.100.1", ""} {
		w.sleep(events.TouchEvery)
		h := w.handler(func(c *machine.Config) {
			c.Source = func(*http.Request) netip.Addr {
				a, _ := netip.ParseAddr(address)
				return a
			}
		})
		handle(h, request(t, "GET", "/v1/session/who-am-i", text)).expect(t, http.StatusOK, "")
		w.make(httpapi.CreateRequest{User: named("bob")}) // the store writes in order, so the use is stored after this
		want := strings.TrimPrefix(address, "::ffff:")
		self := decodeAs[httpapi.Entry](t, w.do("GET", "/v1/auth/access-tokens/self", text, "")) // a use soon after is not stored
		listed := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", w.admin, "")).Entries[0]
		for _, e := range []httpapi.Entry{decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID, w.admin, "")), listed, self} {
			if e.LastUsedAddress != want || !e.LastUsed.Equal(w.clock()) {
				t.Errorf("got a use at %s from %q, want one at %s from %q", e.LastUsed, e.LastUsedAddress, w.clock(), want)
			}
		}
	}
}

func TestEmptyChunkedBodyWithoutTypeMakesADefaultToken(t *testing.T) {
	w := newScene(t)
	for name, body := range map[string]string{"empty": "", "blank": " \n", "object": "{}", "null user": `{"user":null}`} {
		header := http.Header{"Authorization": {"Api-Token " + w.admin}}
		s := w.send("POST", "/v1/auth/access-tokens", header, struct{ *strings.Reader }{strings.NewReader(body)})
		made := decodeAs[httpapi.Created](t, s.expect(t, http.StatusOK, ""))
		if made.Name != "admin_api_token" || made.User.Name != "admin" {
			t.Errorf("%s: got %s, want a token of admin with the default name", name, s.body)
		}
	}
}

func TestEmptyNullAndAbsentExpiryMeanNoExpiry(t *testing.T) {
	w := newScene(t)
	for i, body := range []string{
		`{"user":{"name":"u0"}}`, `{"user":{"name":"u1"},"expiration_time":null,"expires_in":null}`,
		`{"user":{"name":"u2"},"expiration_time":"","expires_in":""}`,
	} {
		s := w.do("POST", collection, w.admin, body).expect(t, http.StatusOK, "")
		if !strings.Contains(string(s.body), `"expiration_time":""`) {
			t.Errorf("%d: got %s, want no expiry", i, s.body)
		}
	}
}

func TestExpiryIsATimeWithAnyOffsetOrALifetime(t *testing.T) {
	w := newScene(t)
	for i, c := range []struct{ member, want string }{
		{`"expiration_time":"2030-01-20T00:00:00+00:00"`, "2030-01-20T00:00:00.000000Z"},
		{`"expiration_time":"2030-01-20t00:00:00z"`, "2030-01-20T00:00:00.000000Z"},
		{`"expiration_time":"2031-02-03T04:05:06.000789-05:00"`, "2031-02-03T09:05:06.000789Z"},
		{`"expiration_time":"2031-02-03T04:05:06.123456789+05:30"`, "2031-02-02T22:35:06.123456Z"},
		{`"expires_in":"180D"`, w.clock().Add(180 * 24 * time.Hour).Format("2006-01-02T15:04:05.000000Z")},
	} {
		s := w.do("POST", collection, w.admin, fmt.Sprintf(`{"user":{"name":"u%d"},%s}`, i, c.member)).expect(t, http.StatusOK, "")
		if !strings.Contains(string(s.body), `"expiration_time":"`+c.want+`"`) {
			t.Errorf("%s: got %s, want %s", c.member, s.body, c.want)
		}
	}
}

func TestAnswersShowUsersOfEveryForm(t *testing.T) {
	w := newScene(t)
	for _, c := range []struct{ given, want string }{
		{`{"name":"al"}`, `{"domain":"LOCAL","auth_id":null,"uid":null,"gid":null,"sid":null,"name":"al"}`},
		{`{"domain":"ACTIVE_DIRECTORY","name":"al"}`, `{"domain":"ACTIVE_DIRECTORY","auth_id":null,"uid":null,"gid":null,"sid":null,"name":"al"}`},
		{`{"auth_id":"500"}`, `{"domain":null,"auth_id":"500","uid":null,"gid":null,"sid":null,"name":null}`},
		{`{"uid":1001}`, `{"domain":null,"auth_id":null,"uid":1001,"gid":null,"sid":null,"name":null}`},
		{`{"sid":"S-1-5-21-1-2-3-1001"}`, `{"domain":null,"auth_id":null,"uid":null,"gid":null,"sid":"S-1-5-21-1-2-3-1001","name":null}`},
	} {
		s := w.do("POST", collection, w.admin, `{"user":`+c.given+`}`).expect(t, http.StatusOK, "")
		if !strings.Contains(string(s.body), `"user":`+c.want) {
			t.Errorf("%s: got %s, want %s", c.given, s.body, c.want)
		}
	}
	if page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=al", w.admin, "")); len(page.Entries) != 2 {
		t.Errorf("?user=al: got %d entries, want the users of both domains", len(page.Entries))
	}
}

func TestRevokedTokenIsNotFoundAndKeepsItsHistory(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann")})
	if s := w.do("DELETE", collection+made.ID+"/", w.admin, "").expect(t, http.StatusOK, ""); string(s.body) != "{}\n" {
		t.Errorf("got %q, want {}", s.body)
	}
	at := w.clock()
	w.sleep(time.Hour)
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		p := w.do(method, collection+made.ID, w.admin, "").expect(t, http.StatusNotFound, "not_found_revoked").problem(t)
		if !p.EndedTime.Equal(at) {
			t.Errorf("%s: got ended_time %s, want %s", method, p.EndedTime, at)
		}
	}
	for _, state := range []string{"revoked", "active,revoked", "expired,revoked,active,disabled"} {
		e := decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID+"?state="+state, w.admin, "").expect(t, http.StatusOK, ""))
		if e.State != "revoked" || !e.EndedTime.Equal(at) {
			t.Errorf("?state=%s: got %+v, want the revoked token with ended_time %s", state, e, at)
		}
	}
	w.do("GET", collection+made.ID+"?state=active,expired", w.admin, "").expect(t, http.StatusNotFound, "not_found_revoked")
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_revoked")
	page := decodeAs[httpapi.List](t, w.do("GET", collection+"?state=revoked", w.admin, ""))
	if len(page.Entries) != 1 || page.Entries[0].State != "revoked" || !page.Entries[0].EndedTime.Equal(at) {
		t.Errorf("?state=revoked: got %+v", page.Entries)
	}
	history := decodeAs[httpapi.History](t, w.do("GET", collection+made.ID+"/events", w.admin, "").expect(t, http.StatusOK, ""))
	if len(history.Entries) != 2 {
		t.Errorf("got %d records, want TokenCreated and TokenRevoked", len(history.Entries))
	}
}

// TestExpiredTokenIsShownAndItsRevocationChangesNothing: all calls agree before
// and after the expiry is recorded.
func TestExpiredTokenIsShownAndItsRevocationChangesNothing(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: "1h"})
	w.sleep(time.Hour - time.Microsecond)
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusOK, "")
	w.sleep(time.Microsecond)
	w.do("GET", "/v1/session/who-am-i", text, "").expect(t, http.StatusUnauthorized, "token_expired")
	entry := decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID, w.admin, "").expect(t, http.StatusOK, ""))
	if entry.State != "expired" {
		t.Errorf("got state %s, want expired", entry.State)
	}
	for range 2 {
		for _, query := range []string{"", "?state=expired", "?state=expired,revoked"} {
			entry := decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID+query, w.admin, "").expect(t, http.StatusOK, ""))
			if entry.State != "expired" || !entry.EndedTime.Equal(made.ExpirationTime.Time) {
				t.Errorf("%s: got %+v, want expired at %s", query, entry, made.ExpirationTime)
			}
		}
		w.do("GET", collection+made.ID+"?state=revoked", w.admin, "").expect(t, http.StatusNotFound, "not_found")
		w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
		w.make(httpapi.CreateRequest{User: named("ann")}) // it records the expiry
	}
	live, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	w.do("GET", collection+live.ID+"?state=revoked", w.admin, "").expect(t, http.StatusNotFound, "not_found")
	s := w.do("GET", collection+live.ID+"?state=active", w.admin, "").expect(t, http.StatusOK, "")
	if strings.Contains(string(s.body), "ended_time") {
		t.Errorf("got %s, want no ended_time for a live token", s.body)
	}
}

// TestAnotherUsersTokenLooksLikeAMissingToken compares whole answers, because a
// client also sees the headers.
func TestAnotherUsersTokenLooksLikeAMissingToken(t *testing.T) {
	w := newScene(t)
	made, _ := w.make(httpapi.CreateRequest{User: named("ann")})
	_, bob := w.make(httpapi.CreateRequest{User: named("bob")})
	for _, end := range []func(){
		func() {},
		func() { w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "") },
	} {
		end()
		strangerSeesNothing(t, w, made.ID, bob)
	}
	w.do("POST", collection, bob, `{"user":{"name":"ann"}}`).expect(t, http.StatusForbidden, "permission_denied")
	if page := decodeAs[httpapi.List](t, w.do("GET", collection+"?user=ann", bob, "")); len(page.Entries) != 0 {
		t.Errorf("?user=ann: got %d entries for bob, want none", len(page.Entries))
	}
	if page := decodeAs[httpapi.List](t, w.do("GET", collection, bob, "")); len(page.Entries) != 1 {
		t.Errorf("got %d entries for bob, want only bob's own token", len(page.Entries))
	}
}

// strangerSeesNothing compares the answers about a token with those about a
// missing token.
func strangerSeesNothing(t *testing.T, w *scene, id, bob string) {
	t.Helper()
	for _, c := range []struct{ method, tail string }{
		{"GET", ""}, {"GET", "?state=revoked"}, {"GET", "?state=active"}, {"DELETE", ""}, {"DELETE", "?with_children=true"}, {"PATCH", ""}, {"GET", "/events"},
	} {
		hers := w.do(c.method, collection+id+c.tail, bob, "").expect(t, http.StatusNotFound, "not_found")
		none := w.do(c.method, collection+"zzzzzzzz"+c.tail, bob, "").expect(t, http.StatusNotFound, "not_found")
		if got, want := withoutIDs(t, hers, id), withoutIDs(t, none, "zzzzzzzz"); got != want {
			t.Errorf("%s %s: got\n%s\nfor another user's token and\n%s\nfor a missing token", c.method, c.tail, got, want)
		}
	}
}

// withoutIDs returns headers and body of an answer without the token id and the
// request id, which differ.
func withoutIDs(t *testing.T, s answer, id string) string {
	t.Helper()
	header := s.header.Clone()
	request := header.Get("X-Request-Id")
	header.Del("X-Request-Id")
	header.Del("Date")
	return strings.NewReplacer(id, "ID", request, "REQUEST").Replace(fmt.Sprint(header, string(s.body)))
}

func TestLimitReachedHasLimitCountAndSoonestExpiry(t *testing.T) {
	w := newScene(t)
	for i := range 5 {
		w.make(httpapi.CreateRequest{User: named("ann"), ExpiresIn: fmt.Sprintf("%dD", 9-i)})
	}
	s := w.do("POST", collection, w.admin, `{"user":{"name":"ann"}}`).expect(t, http.StatusConflict, "token_limit_reached")
	golden(t, "problem_token_limit_reached.json", s.body, s.header.Get("X-Request-Id"), "QWTZ6IPQ2LRPMJEZ3MXV7N4C5U")
	p := s.problem(t)
	if *p.TokenLimit != 5 || *p.LiveTokens != 5 || !p.SoonestExpiry.Equal(w.clock().Add(5*24*time.Hour)) {
		t.Errorf("got limit %d, live %d, soonest %v", *p.TokenLimit, *p.LiveTokens, p.SoonestExpiry)
	}
	for range 5 {
		w.do("POST", collection, w.admin, `{"user":{"name":"bob"}}`).expect(t, http.StatusOK, "")
	}
	s = w.do("POST", collection, w.admin, `{"user":{"name":"bob"}}`).expect(t, http.StatusConflict, "token_limit_reached")
	if !strings.Contains(string(s.body), `"soonest_expiry":""`) {
		t.Errorf("got %s, want an empty soonest_expiry: no token expires", s.body)
	}
}

// TestAThousandTimesHaveOneForm: clients read times with a fixed form, and some read
// at most six digits of a second. The clock of this test counts nanoseconds.
func TestAThousandTimesHaveOneForm(t *testing.T) {
	w := newScene(t)
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	for n := range 1000 {
		w.sleep(time.Duration(n) * 1_000_037)
		by := guard.Principal{Owner: fmt.Sprint("user", n/5)}
		if _, _, err := w.issuer.Create(t.Context(), by, "", token.Wish{ExpiresIn: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	seen, before := 0, ""
	for next := collection + "?limit=300"; next != ""; {
		var page struct {
			Entries []struct {
				CreationTime   string `json:"creation_time"`
				ExpirationTime string `json:"expiration_time"`
			}
			Paging httpapi.Paging
		}
		answer := w.do("GET", next, w.admin, "").expect(t, http.StatusOK, "")
		if err := json.Unmarshal(answer.body, &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if !form.MatchString(e.CreationTime) || e.ExpirationTime != "" && !form.MatchString(e.ExpirationTime) {
				t.Fatalf("a token has the times %q and %q", e.CreationTime, e.ExpirationTime)
			}
			if e.CreationTime < before {
				t.Fatalf("%s comes after %s: the order of texts is not the order of the list", e.CreationTime, before)
			}
			seen, before = seen+1, e.CreationTime
		}
		next = page.Paging.Next
	}
	if seen != 1001 {
		t.Errorf("got %d tokens, want 1000 and the administrator's", seen)
	}
}
