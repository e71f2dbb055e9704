package issuer_test

import (
	"errors"
	"hash/crc32"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/scope/scopetest"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/storetest"
	"apitoken/events/token"
)

// TestIntrospectAnswersWhetherATokenPasses has rows for callers, tokens and calls.
func TestIntrospectAnswersWhetherATokenPasses(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	ann := person("ann")
	scopes := []string{"GET /v1/things/*"}
	_, plain := s.create(ann, "", token.Wish{Scopes: scopes})
	_, ranged := s.create(ann, "", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	_, both := s.create(ann, "", token.Wish{Scopes: scopes, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	_, expired := s.create(ann, "", token.Wish{ExpiresIn: time.Second})
	_, revoked := s.create(ann, "", token.Wish{})
	if err := s.Revoke(t.Context(), ann, revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Second)
	wrong := secret.Mint("")
	text := func(t secret.Token) string { return t.Text().Reveal() }

	const call = "GET /v1/things/7"
	for name, test := range map[string]struct {
		caller, text, action string
		source               netip.Addr
		want                 string // the reason
		full                 bool   // whether the answer is about the token
	}{
		"own":                          {"ann", text(plain), call, here, "", true},
		"by a viewer":                  {"viewer", text(plain), call, here, "", true},
		"call out of scope":            {"ann", text(plain), "DELETE /v1/things/7", here, guard.CodeOutOfScope, true},
		"HEAD, with a scope for GET":   {"ann", text(plain), "HEAD /v1/things/7", here, "", true},
		"own token":                    {"ann", text(plain), "GET /v1/auth/access-tokens/self", here, "", true},
		"own token, by a viewer":       {"viewer", text(plain), "DELETE /v1/auth/access-tokens/self", here, "", true},
		"own history":                  {"ann", text(plain), "GET /v1/auth/access-tokens/self/events", here, "", true},
		"who-am-i":                     {"ann", text(plain), "GET /v1/session/who-am-i", here, "", true},
		"who-am-i, out of range":       {"ann", text(both), "GET /v1/session/who-am-i", netip.Addr{}, guard.CodeWrongSource, true},
		"who-am-i, expired":            {"ann", text(expired), "GET /v1/session/who-am-i", here, guard.CodeExpired, true},
		"other call of the own token":  {"ann", text(plain), "POST /v1/auth/access-tokens/self/rotate", here, guard.CodeOutOfScope, true},
		"call with dot segments":       {"ann", text(plain), "GET /v1/things/../x", here, guard.CodeOutOfScope, true},
		"no action, with scopes":       {"ann", text(plain), "", here, issuer.ReasonActionMissing, true},
		"no action, by a viewer":       {"viewer", text(plain), "", here, issuer.ReasonActionMissing, true},
		"no action, no scopes":         {"ann", text(ranged), "", here, "", true},
		"no action, out of range":      {"ann", text(both), "", netip.Addr{}, guard.CodeWrongSource, true},
		"in range":                     {"ann", text(ranged), "PUT /any", here, "", true},
		"out of range":                 {"ann", text(ranged), "", netip.MustParseAddr("192.0.2.1"), guard.CodeWrongSource, true},
		"range, address unknown":       {"ann", text(ranged), "", netip.Addr{}, guard.CodeWrongSource, true},
		"expired":                      {"viewer", text(expired), "", here, guard.CodeExpired, true},
		"expired, own":                 {"ann", text(expired), "", here, guard.CodeExpired, true},
		"revoked":                      {"ann", text(revoked), "", here, guard.CodeRevoked, true},
		"unknown":                      {"viewer", text(wrong), "", here, guard.CodeInvalid, false},
		"no token":                     {"viewer", "hello", "", here, guard.CodeMalformed, false},
		"no token, with a wrong check": {"viewer", text(plain) + "x", "", here, guard.CodeMalformed, false},
	} {
		got, err := s.Introspect(t.Context(), person(test.caller), test.text, test.action, test.source)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Reason != test.want || got.Active != (test.want == "") || (got.Owner == "ann") != test.full {
			t.Errorf("%s: got %+v, want reason %q and the token's owner: %v", name, got, test.want, test.full)
		}
		if empty := (issuer.Introspection{Reason: got.Reason}); !test.full && !reflect.DeepEqual(got, empty) {
			t.Errorf("%s: got %+v, want only the reason", name, got)
		}
	}
	got, err := s.Introspect(t.Context(), ann, text(plain), call, here)
	want := issuer.Introspection{Active: true, ID: plain.ID, Owner: "ann", Scopes: scopes}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
}

// TestAStrangerGetsOneRefusalForEveryToken: the answer to a caller without the
// permission view must not reveal anything about a token that is not its own.
func TestAStrangerGetsOneRefusalForEveryToken(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	create := func(w token.Wish) string {
		_, shown := s.create(ann, "", w)
		return shown.Text().Reveal()
	}
	live := create(token.Wish{})
	scoped := create(token.Wish{Scopes: []string{"GET /v1/*"}})
	expired := create(token.Wish{ExpiresIn: time.Second})
	made, shown := s.create(ann, "", token.Wish{})
	if err := s.Revoke(t.Context(), ann, made.ID); err != nil {
		t.Fatal(err)
	}
	_, own := s.create(person("stranger"), "", token.Wish{})
	ownID, ownSecret, _ := strings.Cut(own.Text().Reveal(), ".")
	if _, err := secret.Parse(withAnotherSecret(live)); err != nil || withAnotherSecret(live) == live {
		t.Fatalf("the token with another secret is not well formed: %v", err)
	}
	s.wait(time.Second)
	s.grant("deleter", settings.ActionCreate, settings.ActionEdit, settings.ActionDelete)
	var want *events.Refusal
	for name, text := range map[string]string{
		"live": live, "scoped": scoped, "expired": expired, "revoked": shown.Text().Reveal(), "unknown": secret.Mint("").Text().Reveal(),
		"malformed": "hello", "wrong checksum": live + "x", "another secret": withAnotherSecret(live), "own id, another secret": withAnotherSecret(own.Text().Reveal()),
		"own id, cut": ownID, "own id, another checksum": ownID + "." + ownSecret[1:] + "0", "long": strings.Repeat("A", 1<<16),
	} {
		for _, caller := range []string{"stranger", "deleter"} {
			for _, action := range []string{"", "GET /v1/x", "DELETE /x"} {
				got, err := s.Introspect(t.Context(), person(caller), text, action, here)
				r, refused := errors.AsType[*events.Refusal](err)
				if !refused || r.Code != token.CodePermissionDenied || !reflect.DeepEqual(got, issuer.Introspection{}) {
					t.Errorf("%s, %s: got %+v %v, want %s", caller, name, got, err, token.CodePermissionDenied)
					continue
				}
				if want == nil {
					want = r
				}
				if !reflect.DeepEqual(r, want) {
					t.Errorf("%s, %s: got %+v, want %+v", caller, name, r, want)
				}
			}
		}
	}
	if got, err := s.Introspect(t.Context(), person("stranger"), own.Text().Reveal(), "", here); err != nil || !got.Active {
		t.Errorf("the own token: got %+v %v, want it active", got, err)
	}
}

// withAnotherSecret returns a token with the same id, another secret and the right
// checksum.
func withAnotherSecret(text string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text = strings.TrimPrefix(text, "acme_")
	other := []byte(text[:35]) // the checksum is over the id and the secret before it
	other[9] = alphabet[(strings.IndexByte(alphabet, other[9])+1)%len(alphabet)]
	sum := make([]byte, 6)
	for i, n := 5, crc32.ChecksumIEEE(other); i >= 0; i, n = i-1, n/62 {
		sum[i] = alphabet[n%62]
	}
	return "acme_" + string(other) + string(sum)
}

func TestIntrospectionAdmitsNoHostilePath(t *testing.T) {
	s := newScene(t)
	_, shown := s.create(person("ann"), "", token.Wish{Scopes: []string{scopetest.Scope}})
	for _, path := range scopetest.Hostile {
		got, err := s.Introspect(t.Context(), person("ann"), shown.Text().Reveal(), "GET "+path, here)
		if got.Active || err == nil && got.Reason != guard.CodeOutOfScope {
			t.Errorf("%q: got %+v %v", path, got, err)
		}
	}
	for _, path := range scopetest.Odd {
		if got, err := s.Introspect(t.Context(), person("ann"), shown.Text().Reveal(), "GET "+path, here); err != nil || !got.Active {
			t.Errorf("%q: got %+v %v, want it active", path, got, err)
		}
	}
}

func TestIntrospectRefusesAnInvalidAction(t *testing.T) {
	s := newScene(t)
	_, shown := s.create(person("ann"), "", token.Wish{})
	for _, action := range []string{"GET", "GET ", "GET things", "get /things", " /things", "GET  /things", "GET /a b", "GET /a?b=1", "* /things", "GET /a\n"} {
		_, err := s.Introspect(t.Context(), person("ann"), shown.Text().Reveal(), action, here)
		if got := refusalCode(t, err); got != token.CodeInvalidField {
			t.Errorf("%q: got %q, want %s", action, got, token.CodeInvalidField)
		}
	}
}

func TestOnlyAPassingIntrospectionIsAUse(t *testing.T) {
	s := newScene(t)
	_, shown := s.create(person("ann"), "", token.Wish{Scopes: []string{"GET /v1/*"}})
	used := func(caller, action string) bool {
		if _, err := s.Introspect(t.Context(), person(caller), shown.Text().Reveal(), action, here); err != nil && refusalCode(t, err) != token.CodePermissionDenied {
			t.Fatal(err)
		}
		s.create(person("writer-"+randomID()), "", token.Wish{}) // the store writes the use with this commit, at the latest
		uses, err := s.store.LastUses(t.Context(), []string{shown.ID})
		if err != nil {
			t.Fatal(err)
		}
		return !uses[shown.ID].At.IsZero()
	}
	if used("ann", "PUT /v1/x") || used("ann", "") || used("stranger", "GET /v1/x") {
		t.Error("a use was stored for a token that did not pass")
	}
	if !used("ann", "GET /v1/x") {
		t.Error("no use was stored for a token that passed")
	}
}

// TestIntrospectionStoresTheUseWithTheAskedAddress, also of a token of another user.
// Without an address the use has none. A use that cannot be stored changes nothing.
func TestIntrospectionStoresTheUseWithTheAskedAddress(t *testing.T) {
	s := newScene(t)
	s.grant("gateway", settings.ActionView)
	for _, source := range []netip.Addr{netip.MustParseAddr("203.0.113.77"), {}} {
		_, shown := s.create(person("ann"), "", token.Wish{})
		s.useFaulty(storetest.Once(storetest.OpTouch, storetest.Unapplied))
		for n := range 2 {
			if got, err := s.Introspect(t.Context(), person("gateway"), shown.Text().Reveal(), "", source); err != nil || !got.Active {
				t.Errorf("got %+v, %v, want it active", got, err)
			}
			s.create(person("writer-"+randomID()), "", token.Wish{}) // the store writes the use with this commit, at the latest
			uses, err := s.store.LastUses(t.Context(), []string{shown.ID})
			want := ""
			if source.IsValid() {
				want = source.String()
			}
			if used := !uses[shown.ID].At.IsZero(); err != nil || used != (n == 1) || used && uses[shown.ID].Address != want {
				t.Errorf("call %d: got the use %+v, %v, want one from %q by the second call", n+1, uses[shown.ID], err, want)
			}
		}
		if got := s.Guard().Dropped(); got != (guard.Dropped{Uses: 1}) {
			t.Errorf("dropped %+v, want the first use", got)
		}
	}
}
