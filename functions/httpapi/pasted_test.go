package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"apitoken/localstack/longtest"
)

// pasted are the ways in which a token gets into the wrong field: whole, cut, in
// another case, with a prefix, and inside other text.
func pasted(token string) []string {
	var all []string
	cuts := []string{token, token[:20], token[:len(token)-1], token[1:], token[4:], token[9:], token[9:30], token[12:28], token[20:]}
	for _, text := range cuts {
		for _, form := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
			all = append(all, form, "qt_"+form, "Bearer "+form, "local:"+form, `"`+form+`"`, form+"\u200b", "\n"+form)
		}
	}
	return all
}

// holds are the requests with a text in one of their fields. The %s is for a text
// in JSON, and the %p for a text in a URL.
var holds = []struct{ method, path, body string }{
	{"POST", collection, `{"user":{"domain":%s,"name":"x"}}`},
	{"POST", collection, `{"user":{"name":%s}}`},
	{"POST", collection, `{"user":{"auth_id":%s}}`},
	{"POST", collection, `{"user":{"sid":%s}}`},
	{"POST", collection, `{"user":{"uid":%s}}`},
	{"POST", collection, `{"user":{"gid":%s}}`},
	{"POST", collection, `{"user":{"name":"ann","auth_id":%s}}`},
	{"POST", collection, `{"user":%s}`},
	{"POST", collection, `{"user":{%s:"x"}}`},
	{"POST", collection, `{%s:"x"}`},
	{"POST", collection, `{"name":%s,"nmae":1}`},
	{"POST", collection, `{"name":[%s]}`},
	{"POST", collection, `{"description":%s,"nmae":1}`},
	{"POST", collection, `{"expiration_time":%s}`},
	{"POST", collection, `{"expires_in":%s}`},
	{"POST", collection, `{"scopes":[%s]}`},
	{"POST", collection, `{"scopes":%s}`},
	{"POST", collection, `{"source_ips":[%s]}`},
	{"POST", collection, `{"source_ips":[%s,"192.0.2.1"],"expires_in":%s}`},
	{"POST", collection, `%s`},
	{"POST", collection, `{"name":%s`},
	{"PUT", "/v1/groups", `{"alias":%s,"group":"g","permissions":[]}`},
	{"PUT", "/v1/groups", `{"alias":"corp","group":"g","permissions":[%s]}`},
	{"POST", "/v1/auth/authorize", `{"token":"x","action":%s,"nmae":1}`},
	{"POST", "/v1/auth/authorize", `{"token":"x","source_ip":%s}`},
	{"POST", "/v1/auth/authorize", `{"token":[%s]}`},
	{"POST", "/v1/auth/authorize", `{%s:1}`},
	{"GET", collection + "?user=%p&limit=0", ""},
	{"GET", collection + "?user=oidc:%p", ""},
	{"GET", collection + "?state=%p", ""},
	{"GET", collection + "?state=active&state=%p", ""},
	{"GET", collection + "?after=%p", ""},
	{"GET", collection + "?limit=%p", ""},
	{"GET", collection + "?%p=1", ""},
	{"GET", collection + "%p", ""},
	{"DELETE", collection + "%p", ""},
	{"GET", collection + "%p/events", ""},
	{"GET", "/v1/users/%p/events?limit=0", ""},
	{"GET", "/v1/users/oidc:%p/events", ""},
	{"GET", "/v1/users/ann/events?after=%p", ""},
	{"GET", "/%p", ""},
}

// TestRefusalsRepeatNoPartOfASecret: no refusal repeats six characters of the secret
// of a pasted token. The token's id is public.
func TestRefusalsRepeatNoPartOfASecret(t *testing.T) {
	longtest.SkipSequential(t)
	w := newScene(t)
	refused, tokens := 0, []string{"JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F", "L7k8ljIC.jm1P5Y0ONaJfUJhslJbAjRAyr93rz5Fj"}
	for _, token := range tokens {
		for _, text := range pasted(token) {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range holds {
				target := strings.ReplaceAll(c.path, "%p", url.PathEscape(text))
				r := request(t, c.method, "/", w.admin)
				r.URL, err = url.Parse(target)
				if err != nil {
					t.Fatal(err)
				}
				r.RequestURI = target
				r.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(c.body, "%s", string(quoted))))
				s := handle(w.handler(), r)
				if s.status < http.StatusBadRequest {
					continue // some cut tokens are texts that the field may have
				}
				refused++
				if part := partOf(token, string(s.body)+fmt.Sprint(s.header)); part != "" {
					t.Errorf("%s %s with %q: the answer has %q: %s", c.method, c.path, c.body, part, s.body)
				}
			}
		}
	}
	for _, token := range tokens {
		if part := partOf(token, w.log.String()); part != "" {
			t.Errorf("the log has %q", part)
		}
	}
	if all := len(tokens) * len(pasted(strings.Repeat("x", 41))) * len(holds); refused < all*8/10 {
		t.Errorf("%d of %d requests were refused, too few for this test", refused, all)
	}
}

// requestID matches the id of a request, which is random: one in some hundred runs of
// the test it has six characters of a secret by chance.
var requestID = regexp.MustCompile(`[A-Z2-7]{26}`)

// partOf returns six consecutive characters of the token's secret that the text has,
// in any case, or "". It does not look at ids of requests.
func partOf(token, text string) string {
	text = strings.ToLower(requestID.ReplaceAllString(text, "-"))
	for i := 9; i+6 <= len(token); i++ {
		if part := strings.ToLower(token[i : i+6]); strings.Contains(text, part) {
			return part
		}
	}
	return ""
}
