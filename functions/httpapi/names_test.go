package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
	"pgregory.net/rapid"

	"apitoken/events/guard"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// createFor creates a token for a user with this domain and name.
func (w *scene) createFor(t testing.TB, domain, name string) answer {
	t.Helper()
	user := map[string]string{"name": name}
	if domain != "" {
		user["domain"] = domain
	}
	body, err := json.Marshal(map[string]any{"user": user})
	if err != nil {
		t.Fatal(err)
	}
	return w.do("POST", collection, w.admin, string(body))
}

func TestNFCAndNFDAreOneUser(t *testing.T) {
	const composed, decomposed = "jos\u00e9", "jose\u0301"
	w := newScene(t)
	made := 0
	for range 6 {
		for _, name := range []string{composed, decomposed} {
			s := w.createFor(t, "", name)
			if s.status == http.StatusOK {
				made++
				if e := decodeAs[httpapi.Entry](t, s); e.User.Name != composed || e.Name != composed+"_api_token" {
					t.Errorf("got %s, want the user %s", s.body, composed)
				}
				continue
			}
			s.expect(t, http.StatusConflict, "token_limit_reached")
		}
	}
	if made != 5 {
		t.Errorf("%d tokens were created, want 5", made)
	}
	for _, form := range []string{composed, decomposed, "local:" + decomposed, "LOCAL:" + composed} {
		list := decodeAs[httpapi.List](t, w.do("GET", collection+"?user="+url.QueryEscape(form), w.admin, ""))
		history := decodeAs[httpapi.History](t, w.do("GET", "/v1/users/"+url.PathEscape(form)+"/events", w.admin, ""))
		if len(list.Entries) != 5 || len(history.Entries) != 5 {
			t.Errorf("%+q: got %d tokens and %d events, want 5 and 5", form, len(list.Entries), len(history.Entries))
		}
	}
	// who-am-i answers the key, and a key in another spelling is no key.
	w.do("GET", collection+"?user="+url.QueryEscape("auth_id:"+composed), w.admin, "").expect(t, http.StatusOK, "")
	p := w.do("GET", collection+"?user="+url.QueryEscape("auth_id:"+decomposed), w.admin, "").expect(t, http.StatusBadRequest, "invalid_field").problem(t)
	if !strings.Contains(p.Detail, `write "jos\u00e9"`) {
		t.Errorf("got %q, want a detail that names the right key", p.Detail)
	}
}

func TestCasesOfADirectoryAreOneUserAndCasesOfLocalNamesAreTwo(t *testing.T) {
	w := newScene(t)
	made := 0
	for i := range 8 {
		s := w.createFor(t, "ACTIVE_DIRECTORY", []string{"Bob", "bob", "BOB", "\uff22ob"}[i%4])
		if s.status == http.StatusOK {
			made++
			if e := decodeAs[httpapi.Entry](t, s); e.User.Name != "bob" || e.User.Domain != "ACTIVE_DIRECTORY" {
				t.Errorf("got %s, want the user bob of the directory", s.body)
			}
		}
	}
	if made != 5 {
		t.Errorf("%d tokens were created for the user of the directory, want 5", made)
	}
	w.createFor(t, "LOCAL", "Bob").expect(t, http.StatusOK, "")
	w.createFor(t, "LOCAL", "bob").expect(t, http.StatusOK, "")
	w.createFor(t, "POSIX_USER", "Bob").expect(t, http.StatusOK, "")
	for query, want := range map[string]int{"ad:Bob": 5, "ad:BOB": 5, "ACTIVE_DIRECTORY:bob": 5, "local:Bob": 1, "local:bob": 1, "ldap_user:bob": 0, "Bob": 7, "bob": 6, "BOB": 5} {
		list := decodeAs[httpapi.List](t, w.do("GET", collection+"?user="+url.QueryEscape(query), w.admin, ""))
		if len(list.Entries) != want {
			t.Errorf("?user=%s: got %d tokens, want %d", query, len(list.Entries), want)
		}
	}
}

// TestPrincipalOfAGatewayHasAnOwnerKey: another spelling of the owner would be
// another user, with a limit of its own.
func TestPrincipalOfAGatewayHasAnOwnerKey(t *testing.T) {
	w := newScene(t)
	h := w.handler(func(c *machine.Config) { c.TrustPrincipal, c.Guard = true, nil })
	for _, owner := range []string{"jose\u0301", "ad:bob", "ACTIVE_DIRECTORY:Bob", "LOCAL:ann", "an\u200bn", " ann", "API_OPERATOR_DOMAIN:operator", "oidc:x:y", "gid:5", ""} {
		p := guard.Principal{Owner: owner, TokenID: "JhxND7ci"}
		handle(h, asPrincipal(request(t, "POST", collection, ""), p)).expect(t, http.StatusUnauthorized, "credential_missing")
	}
	handle(h, asPrincipal(request(t, "POST", collection, ""), guard.Principal{Owner: "jos\u00e9", TokenID: "JhxND7ci"})).expect(t, http.StatusOK, "")
}

// words are parts of names in many scripts.
var words = []string{"jose\u0301", "\u0130lker", "ma\u0308dchen", "s\u0323\u0307", "a\u0302\u0301n", "O'Brien", "x_1", "\u03bd\u03af\u03ba\u03bf\u03c2", "stra\u00dfe", "\u0418\u0439", "\uff21\uff42", "\uff76\uff9e", "\ud55c\uae00", "\u5c71\u7530", "\u0928\u093f", "\u0915\u094d\u200d\u0937", "\u212bngstr\u00f6m", "ij"}

// disguises are changes of a name that a reader does not see.
var disguises = []func(string) string{
	func(s string) string { return s },
	norm.NFC.String, norm.NFD.String, norm.NFKC.String, norm.NFKD.String, width.Widen.String, width.Narrow.String, width.Fold.String,
	func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
	func(s string) string { return strings.ReplaceAll(s, "i", "i\u0307") },
	func(s string) string { return s + "\u200d" },
	func(s string) string { return "\u200e" + s },
	func(s string) string { return s + "\ufe0f" },
	func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
	func(s string) string { return strings.ReplaceAll(s, " ", "  ") },
	func(s string) string { return s + " " },
}

var caseChanges = []func(string) string{strings.ToUpper, strings.ToLower, strings.ToTitle, func(s string) string { return s }}

// reads is what a reader sees of a name; in a directory, without its case.
func reads(domain, name string) string {
	seen := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Cc) && r != '\u200d' {
			return -1
		}
		return r
	}, norm.NFKC.String(name))
	seen = withoutDots(strings.Join(strings.Fields(seen), " "))
	if domain == "ACTIVE_DIRECTORY" {
		seen = strings.ReplaceAll(strings.ToLower(strings.ToUpper(seen)), "\u00df", "ss")
		seen = withoutDots(seen)
	}
	return domain + ":" + seen
}

// withoutDots removes all marks U+0307 after an i: a reader sees only its own dot.
func withoutDots(text string) string {
	for strings.Contains(text, "i\u0307") {
		text = strings.ReplaceAll(text, "i\u0307", "i")
	}
	return text
}

// TestLimitHoldsForNamesThatReadAlike creates tokens for one name in many spellings.
// No user that a reader sees gets more than five.
func TestLimitHoldsForNamesThatReadAlike(t *testing.T) {
	w := newScene(t)
	history, accepted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		history++
		domain := rapid.SampledFrom([]string{"LOCAL", "ACTIVE_DIRECTORY", "POSIX_USER"}).Draw(t, "domain")
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 3).Draw(t, "words"), " ") + fmt.Sprint(history)
		made := map[string]int{}     // by what a reader sees
		spelled := map[string]bool{} // accepted spellings
		for range rapid.IntRange(6, 12).Draw(t, "creates") {
			other := rapid.SampledFrom(caseChanges).Draw(t, "case")(name)
			for _, disguise := range rapid.SliceOfN(rapid.SampledFrom(disguises), 1, 2).Draw(t, "disguises") {
				other = disguise(other)
			}
			s := w.createFor(w.t, domain, other)
			switch s.status {
			case http.StatusOK:
				made[reads(domain, other)]++
				spelled[other] = true
			case http.StatusConflict:
				spelled[other] = true
			case http.StatusBadRequest:
				if p := s.problem(w.t); p.Code != "invalid_field" || p.Errors[0].Field != "user" {
					t.Fatalf("%+q: got %s", other, s.body)
				}
			default:
				t.Fatalf("%+q: got %d %s", other, s.status, s.body)
			}
		}
		for seen, n := range made {
			if n > 5 {
				t.Errorf("%+q has %d tokens, want at most 5", seen, n)
			}
		}
		for other := range spelled {
			accepted++
			form := url.QueryEscape(domain + ":" + other)
			list := decodeAs[httpapi.List](w.t, w.do("GET", collection+"?user="+form, w.admin, ""))
			events := decodeAs[httpapi.History](w.t, w.do("GET", "/v1/users/"+strings.ReplaceAll(form, "+", "%20")+"/events", w.admin, ""))
			if n := made[reads(domain, other)]; len(list.Entries) != n || len(events.Entries) != n {
				t.Errorf("%+q: got %d tokens and %d events, want %d", other, len(list.Entries), len(events.Entries), n)
			}
		}
	})
	if accepted < 2*history {
		t.Errorf("%d spellings in %d histories were accepted, too few for this test", accepted, history)
	}
}
