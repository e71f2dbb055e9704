package issuer_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/token"
)

// TestIntrospectAnswersOnlyCallersWhoMayView has rows for callers, tokens and calls.
func TestIntrospectAnswersOnlyCallersWhoMayView(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	ann := person("ann")
	scopes := []string{"GET /v1/things/*"}
	_, plain := s.create(ann, "", token.Wish{Scopes: scopes})
	_, ranged := s.create(ann, "", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	_, expired := s.create(ann, "", token.Wish{ExpiresIn: time.Second})
	_, revoked := s.create(ann, "", token.Wish{})
	if err := s.Revoke(t.Context(), ann, revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.wait(time.Second)
	wrong := secret.Mint("")
	text := func(t secret.Token) string { return t.Text().Reveal() }

	for name, test := range map[string]struct {
		caller, text, action string
		source               netip.Addr
		want                 string // the reason
		full                 bool   // whether the answer is about the token
	}{
		"own":                          {"ann", text(plain), "", here, "", true},
		"by a viewer":                  {"viewer", text(plain), "", here, "", true},
		"by a stranger":                {"stranger", text(plain), "", here, guard.CodeInvalid, false},
		"call in scope":                {"ann", text(plain), "GET /v1/things/7", here, "", true},
		"call out of scope":            {"ann", text(plain), "DELETE /v1/things/7", here, guard.CodeOutOfScope, true},
		"call out of scope, stranger":  {"stranger", text(plain), "DELETE /v1/things/7", here, guard.CodeInvalid, false},
		"call with dot segments":       {"ann", text(plain), "GET /v1/things/../x", here, guard.CodeOutOfScope, true},
		"in range":                     {"ann", text(ranged), "PUT /any", here, "", true},
		"out of range":                 {"ann", text(ranged), "", netip.MustParseAddr("192.0.2.1"), guard.CodeWrongSource, true},
		"range, address unknown":       {"ann", text(ranged), "", netip.Addr{}, guard.CodeWrongSource, true},
		"expired":                      {"viewer", text(expired), "", here, guard.CodeExpired, true},
		"expired, by a stranger":       {"stranger", text(expired), "", here, guard.CodeInvalid, false},
		"revoked":                      {"ann", text(revoked), "", here, guard.CodeRevoked, true},
		"revoked, by a stranger":       {"stranger", text(revoked), "", here, guard.CodeInvalid, false},
		"unknown":                      {"viewer", text(wrong), "", here, guard.CodeInvalid, false},
		"no token":                     {"viewer", "hello", "", here, guard.CodeMalformed, false},
		"no token, with a wrong check": {"ann", text(plain) + "x", "", here, guard.CodeMalformed, false},
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
	got, err := s.Introspect(t.Context(), ann, text(plain), "", here)
	want := issuer.Introspection{Active: true, ID: plain.ID, Owner: "ann", Scopes: scopes}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v %v, want %+v", got, err, want)
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
		if _, err := s.Introspect(t.Context(), person(caller), shown.Text().Reveal(), action, here); err != nil {
			t.Fatal(err)
		}
		s.create(person("writer-"+randomID()), "", token.Wish{}) // the store writes the use with this commit, at the latest
		uses, err := s.store.LastUses(t.Context(), []string{shown.ID})
		if err != nil {
			t.Fatal(err)
		}
		return !uses[shown.ID].At.IsZero()
	}
	if used("ann", "PUT /v1/x") || used("stranger", "GET /v1/x") {
		t.Error("a use was stored for a token that did not pass")
	}
	if !used("ann", "GET /v1/x") {
		t.Error("no use was stored for a token that passed")
	}
}
