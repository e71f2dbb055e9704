package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
)

// withoutUse is an entry as it is answered, byte for byte, without its last use.
func withoutUse(t *testing.T, body []byte) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	text := string(body)
	for _, name := range []string{"last_used", "last_used_address"} {
		if value, found := members[name]; found {
			text = strings.Replace(text, fmt.Sprintf(`"%s":%s,`, name, value), "", 1)
		}
	}
	return text
}

// randomPast is a service with commands that a seed draws.
type randomPast struct {
	*scene
	*rand.Rand
	ids []string
}

// step gives one random command about the tokens of ann. A refusal changes nothing.
func (p *randomPast) step() {
	ctx := p.t.Context()
	boss, ann := guard.Principal{Owner: "admin"}, guard.Principal{Owner: "ann"}
	id := p.ids[p.IntN(len(p.ids))]
	switch p.IntN(12) {
	case 0:
		p.create()
	case 1:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{Wish: token.Wish{Name: fmt.Sprint("n", p.IntN(9)), Description: fmt.Sprint("d", p.IntN(9))}, Given: token.Members{Name: true, Description: p.IntN(2) == 0}})
	case 2:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{Wish: token.Wish{Scopes: [][]string{nil, {"GET /"}, {"GET /a", "PUT /b"}}[p.IntN(3)]}, Given: token.Members{Scopes: true}})
	case 3:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{Wish: token.Wish{SourceIPs: [][]netip.Prefix{nil, {netip.MustParsePrefix("192.0.2.0/24")}}[p.IntN(2)]}, Given: token.Members{SourceIPs: true}})
	case 4:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{Wish: token.Wish{ExpiresIn: time.Duration(p.IntN(400)) * time.Hour}, Given: token.Members{Expiry: true}})
	case 5, 6:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{Enabled: new(p.IntN(2) == 0)})
	case 7:
		_, _, _ = p.issuer.Rotate(ctx, ann, id, nil, new(time.Duration(p.IntN(50))*time.Hour))
	case 8:
		_, _ = p.issuer.Update(ctx, ann, id, token.Update{EndOutgoing: true})
	case 9:
		_, _ = p.issuer.Suspend(ctx, boss, "ann", "")
	case 10:
		_, _ = p.issuer.Reinstate(ctx, boss, "ann", "")
	case 11:
		if p.IntN(3) == 0 {
			_ = p.issuer.Revoke(ctx, ann, id)
		}
	}
}

func (p *randomPast) create() {
	made, _, err := p.issuer.Create(p.t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{ExpiresIn: time.Duration(p.IntN(300)) * time.Hour})
	if err == nil {
		p.ids = append(p.ids, made.ID)
	}
}

// TestEveryMomentOfThePastIsAnsweredAsItWas gives random commands, and keeps the
// answer about each token after each of them. Later the same answers come for each
// of these moments, byte for byte, without the last use.
func TestEveryMomentOfThePastIsAnsweredAsItWas(t *testing.T) {
	type moment struct{ id, at, entry string }
	states := map[string]bool{}
	for range 4 {
		seed := rand.Uint64()
		t.Logf("the seed is %d", seed)
		p := &randomPast{scene: newScene(t), Rand: rand.New(rand.NewPCG(seed, 0))}
		p.change(settings.Change{TokenLimit: new(8)})
		_, used := p.make(httpapi.CreateRequest{User: named("ann")})
		p.create()
		var moments []moment
		for range 60 {
			p.sleep(time.Duration(1+p.IntN(int(8*time.Hour/time.Microsecond))) * time.Microsecond)
			p.step()
			p.do("GET", "/v1/session/who-am-i", used, "") // notes a use, if the token passes
			for _, id := range p.ids {
				a := p.do("GET", collection+id+"?state=active,disabled,expired,revoked", p.admin, "").expect(t, http.StatusOK, "")
				states[decodeAs[httpapi.Entry](t, a).State] = true
				moments = append(moments, moment{id, p.clock().Format("2006-01-02T15:04:05.999999999Z07:00"), withoutUse(t, a.body)})
			}
		}
		p.sleep(time.Hour)
		for _, m := range moments {
			a := p.do("GET", collection+m.id+"?at="+m.at, p.admin, "").expect(t, http.StatusOK, "")
			if got := string(a.body); got != m.entry || a.header.Get("ETag") != "" {
				t.Fatalf("at %s: got %s with the ETag %q, want without one %s", m.at, got, a.header.Get("ETag"), m.entry)
			}
		}
	}
	if len(states) < 3 {
		t.Errorf("the tokens had only the states %v", states)
	}
}

// TestThePastOverHTTP: the Go client, the refusals, and the calls about self.
func TestThePastOverHTTP(t *testing.T) {
	w := newScene(t)
	made, text := w.make(httpapi.CreateRequest{User: named("ann"), Name: "first", Scopes: []string{"GET /hello"}})
	created := w.clock()
	w.sleep(time.Hour)
	if _, err := w.issuer.Update(t.Context(), guard.Principal{Owner: "ann"}, made.ID, token.Update{Wish: token.Wish{Name: "second"}, Given: token.Members{Name: true}}); err != nil {
		t.Fatal(err)
	}
	w.sleep(time.Hour)
	for at, want := range map[time.Time]string{created: "first", created.Add(time.Hour - time.Microsecond): "first", created.Add(time.Hour): "second"} {
		admin, err := w.client(w.admin).GetAt(t.Context(), made.ID, at)
		self, errSelf := w.client(text).GetSelfAt(t.Context(), at.In(time.FixedZone("", 3600)))
		if err != nil || errSelf != nil || admin.Name != want || self.Name != want || !admin.LastUsed.IsZero() || !self.LastUsed.IsZero() {
			t.Errorf("at %v: got %q, %v and of self %q, %v; want %q without a last use", at, admin.Name, err, self.Name, errSelf, want)
		}
	}
	early := w.do("GET", collection+made.ID+"?at=2026-11-21T20:59:57.641999999Z", w.admin, "").expect(t, http.StatusNotFound, "not_found").problem(t)
	if !strings.Contains(early.Detail, "2026-11-21T20:59:57.642000Z") || len(early.Errors) != 1 || early.Errors[0].Field != "at" {
		t.Errorf("before the creation: got %+v, want the time of the creation", early)
	}
	future := w.do("GET", collection+made.ID+"?at=2026-11-21T23:00:00Z", w.admin, "").expect(t, http.StatusUnprocessableEntity, "instant_in_future").problem(t)
	if !strings.Contains(future.Detail, "2026-11-21T22:59:57.642000Z") || len(future.Errors) != 1 {
		t.Errorf("in the future: got %+v, want the time of the service", future)
	}
	w.do("GET", collection+"self?at=2026-11-21T23:00:00Z", text, "").expect(t, http.StatusUnprocessableEntity, "instant_in_future")
	w.do("GET", collection+made.ID+"?at=2026-11-21T21:00:00Z&state=expired", w.admin, "").expect(t, http.StatusNotFound, "not_found")
	_, bob := w.make(httpapi.CreateRequest{User: named("bob")})
	hidden := w.do("GET", collection+made.ID+"?at=2026-11-21T21:00:00Z", bob, "").expect(t, http.StatusNotFound, "not_found")
	missing := w.do("GET", collection+"00000000?at=2026-11-21T21:00:00Z", bob, "").expect(t, http.StatusNotFound, "not_found")
	if blind(hidden, made.ID) != blind(missing, "00000000") {
		t.Errorf("another user's token: got %s, a missing one %s", hidden.body, missing.body)
	}
	w.do("DELETE", collection+made.ID, w.admin, "").expect(t, http.StatusOK, "")
	now := url.Values{"at": {w.clock().Format(time.RFC3339Nano)}}.Encode()
	if e := decodeAs[httpapi.Entry](t, w.do("GET", collection+made.ID+"?"+now, w.admin, "").expect(t, http.StatusOK, "")); e.State != "revoked" || !e.EndedTime.Equal(w.clock()) {
		t.Errorf("a revoked token: got %+v", e)
	}
}

// blind is an answer without the id of the token and of the request.
func blind(a answer, id string) string {
	var p httpapi.Problem
	if json.Unmarshal(a.body, &p) != nil {
		return string(a.body)
	}
	return strings.NewReplacer(p.RequestID, "REQUEST", id, "ID").Replace(string(a.body))
}

// TestATrimmedHistoryNamesTheFirstInstant that can be asked, and this instant is
// answered.
func TestATrimmedHistoryNamesTheFirstInstant(t *testing.T) {
	w := newScene(t)
	old, text := w.make(httpapi.CreateRequest{User: named("ann")})
	w.sleep(24 * time.Hour)
	w.make(httpapi.CreateRequest{User: named("ann")})
	kept := w.clock()
	w.sleep(400*24*time.Hour - time.Hour)
	for token, path := range map[string]string{w.admin: collection + old.ID, text: collection + "self"} {
		p := w.do("GET", path+"?at=2026-11-22T00:00:00Z", token, "").expect(t, http.StatusUnprocessableEntity, "history_trimmed").problem(t)
		if !p.FirstInstant.Equal(kept) || len(p.Errors) != 1 || p.Errors[0].Field != "at" {
			t.Fatalf("%s: got %+v, want the first instant %v", path, p, kept)
		}
		w.do("GET", path+"?at="+p.FirstInstant.Format(time.RFC3339Nano), token, "").expect(t, http.StatusOK, "")
	}
	_, err := w.client(w.admin).GetAt(t.Context(), old.ID, kept.Add(-time.Microsecond))
	if p, ok := err.(*httpapi.Problem); !ok || p.Code != "history_trimmed" || !p.FirstInstant.Equal(kept) {
		t.Errorf("the Go client: got %v", err)
	}
}
