package guard_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/scope/scopetest"
	"apitoken/events/secret"
)

const sample = "JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F"

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestRequestHasExactlyOneCredential(t *testing.T) {
	one := func(values ...string) []string { return values }
	for name, test := range map[string]struct {
		headers []string
		want    string // code, or empty for the sample
	}{
		"bearer":                    {one("Bearer " + sample), ""},
		"any case":                  {one("bEARER " + sample), ""},
		"more blanks":               {one("  Bearer \t " + sample + " "), ""},
		"api token":                 {one("Api-Token " + sample), ""},
		"api token in any case":     {one("API-TOKEN " + sample), ""},
		"with prefix":               {one("Bearer acme_" + sample), ""},
		"basic":                     {one(basic("ann:" + sample)), ""},
		"basic without user":        {one(basic(":" + sample)), ""},
		"basic in any case":         {one("BASIC" + basic("ann:" + sample)[5:]), ""},
		"no header":                 {nil, guard.CodeMissing},
		"empty header":              {one(""), guard.CodeMissing},
		"blank header":              {one(" \t"), guard.CodeMissing},
		"scheme alone":              {one("Bearer"), guard.CodeMissing},
		"scheme and blanks":         {one("Basic  "), guard.CodeMissing},
		"two headers":               {one("Bearer "+sample, "Bearer "+sample), guard.CodeRepeated},
		"two headers, one empty":    {one("", "Bearer "+sample), ""},
		"two headers, both empty":   {one("", " "), guard.CodeMissing},
		"two schemes":               {one("Bearer "+sample, "Negotiate x"), guard.CodeRepeated},
		"two schemes joined":        {one("Bearer " + sample + ", Negotiate x"), guard.CodeRepeated},
		"two malformed, joined":     {one("Bearer x, Bearer y"), guard.CodeRepeated},
		"two tokens, no blank":      {one("Bearer " + sample + "," + sample), guard.CodeRepeated},
		"token":                     {one("Token " + sample), ""},
		"token in any case":         {one("tOKEN " + sample), ""},
		"two other schemes":         {one(`Digest username="x", NTLM y`), guard.CodeRepeated},
		"bearer and an API key":     {one("Bearer x, ApiKey y"), guard.CodeRepeated},
		"three joined":              {one("Negotiate x,Basic y, Bearer z"), guard.CodeRepeated},
		"one with parameters":       {one(`Digest username="x", realm="y"`), guard.CodeScheme},
		"joined by a gateway":       {one("Bearer " + sample + ", Bearer " + sample), guard.CodeRepeated},
		"joined without blank":      {one("Bearer " + sample + ",Bearer " + sample), guard.CodeRepeated},
		"two tokens":                {one("Bearer " + sample + " " + sample), guard.CodeRepeated},
		"basic and bearer":          {one(basic("ann:"+sample) + ", Bearer " + sample), guard.CodeRepeated},
		"two tokens in basic":       {one(basic(sample + ":" + sample)), guard.CodeRepeated},
		"unknown scheme":            {one("Digest " + sample), guard.CodeScheme},
		"no scheme":                 {one(sample), guard.CodeScheme},
		"tab for the blank":         {one("Bearer\t" + sample), guard.CodeScheme},
		"shape":                     {one("Bearer hello"), guard.CodeMalformed},
		"checksum":                  {one("Bearer " + sample[:len(sample)-1] + "G"), guard.CodeMalformed},
		"basic, not base64":         {one("Basic ?"), guard.CodeMalformed},
		"basic, no colon":           {one(basic(sample)), guard.CodeMalformed},
		"basic, token as user name": {one(basic(sample + ":")), ""},
		"basic, x-oauth-basic":      {one(basic(sample + ":x-oauth-basic")), ""},
		"basic, x-oauth-basic user": {one(basic("x-oauth-basic:" + sample)), ""},
		"basic, token and password": {one(basic(sample + ":x")), guard.CodeMalformed},
		"basic, two in password":    {one(basic("ann:" + sample + " " + sample)), guard.CodeRepeated},
		"basic, password":           {one(basic("ann:hunter2")), guard.CodePassword},
		"basic, password like id":   {one(basic("ann:" + sample[:8])), guard.CodePassword},
		"basic, quoted password":    {one(basic(`ann:"pass word"`)), guard.CodePassword},
		"basic, variable":           {one(basic("ann:$TOKEN")), guard.CodeMalformed},
		"basic, mistyped token":     {one(basic("ann:" + swap(sample, 20))), guard.CodeMalformed},
		"basic, both parts empty":   {one(basic(":")), guard.CodeMalformed},
		"basic, two colons":         {one(basic("ann::" + sample)), guard.CodeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := guard.Credential(test.headers)
			if codeOf(t, err) != test.want {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if err == nil && got.ID+"."+got.Secret.Reveal() != sample {
				t.Errorf("got token %s, want the sent token", got.ID)
			}
		})
	}
}

// TestDenialSaysWhatIsWrongWithTheCredential has a row for each mistake that
// people and programs make often.
func TestDenialSaysWhatIsWrongWithTheCredential(t *testing.T) {
	raw := base64.RawStdEncoding.EncodeToString([]byte("anna:" + sample))
	url := strings.NewReplacer("+", "-", "/", "_").Replace(base64.StdEncoding.EncodeToString([]byte("\xfb\xff:" + sample)))
	if !strings.ContainsAny(url, "-_") || len(raw)%4 == 0 {
		t.Fatalf("%s and %s are standard base64 with padding", url, raw)
	}
	for value, want := range map[string]string{
		"Bearer Bearer " + sample:                                    "the scheme is there twice",
		"Bearer bearer: " + sample:                                   "the scheme is there twice",
		"Token Bearer " + sample:                                     "the scheme is there twice",
		"Bearer " + basic("ann:"+sample):                             "the scheme is there twice",
		"Basic " + basic("ann:"+sample):                              "the scheme is there twice",
		"Basic Bearer " + sample:                                     "the scheme is there twice",
		basic("ann:Bearer " + sample):                                "the scheme is there twice",
		`Bearer "` + sample + `"`:                                    "quotes",
		`Bearer '` + sample + `'`:                                    "quotes",
		"Bearer `" + sample + "`":                                    "quotes",
		"Bearer \u201c" + sample + "\u201d":                          "quotes",
		basic(`ann:"` + sample + `"`):                                "quotes",
		`Token token="` + sample + `"`:                               "value of a name",
		`Bearer token=` + sample:                                     "value of a name",
		`Bearer access_token=` + sample:                              "value of a name",
		"Bearer" + sample:                                            "space between the scheme and the token is missing",
		"Bearer\t" + sample:                                          "space between the scheme and the token is missing",
		"Api-Token" + sample:                                         "space between the scheme and the token is missing",
		"Bearer: " + sample:                                          "colon or an equals sign",
		"Bearer:" + sample:                                           "colon or an equals sign",
		"Basic: eDp5":                                                "colon or an equals sign",
		"Bearer=" + sample:                                           "colon or an equals sign",
		sample:                                                       "scheme is missing",
		"acme_" + sample:                                             "scheme is missing",
		"Authorization: Bearer " + sample:                            "name of the header",
		"Digest x":                                                   "scheme is not supported",
		"Bearer " + sample + ",":                                     "comma",
		"Bearer ," + sample:                                          "comma",
		"Bearer " + sample + ";":                                     "comma",
		"Bearer " + strings.Replace(sample, ".", "%2E", 1):           "percent-encoded",
		"Bearer " + sample + "%0A":                                   "percent-encoded",
		"Bearer <" + sample + ">":                                    "brackets",
		"Bearer [" + sample + "]":                                    "brackets",
		"Bearer {" + sample + "}":                                    "brackets",
		"Bearer $APITOKEN_TOKEN":                                     "name of a variable",
		"Bearer ${TOKEN}":                                            "name of a variable",
		"Bearer {{token}}":                                           "name of a variable",
		"Bearer %TOKEN%":                                             "name of a variable",
		"Bearer " + sample + "\n":                                    "line break",
		"Bearer " + sample + "\r\n":                                  "line break",
		"Bearer " + sample + `\n`:                                    "line break",
		basic("ann:" + sample + "\n"):                                "line break",
		"Bearer \ufeff" + sample:                                     "not ASCII",
		"Bearer " + sample + "\u200b":                                "not ASCII",
		"Bearer \u00a0" + sample:                                     "not ASCII",
		"Bearer " + sample + " x":                                    "space or a tab",
		"Bearer my token":                                            "space or a tab",
		"Bearer hello world, foo bar":                                "space or a tab",
		"Bearer cat: token.txt, No such file":                        "space or a tab",
		"Bearer error: not found, please log in, then run":           "space or a tab",
		"Bearer " + sample + ", valid until tomorrow":                "space or a tab",
		"Token ask ann, or bob":                                      "space or a tab",
		`Digest username="x y", realm="a b", uri="/ x"`:              "scheme is not supported",
		"AWS4-HMAC-SHA256 Credential=a b, Signature=c d":             "scheme is not supported",
		"Bearer " + sample[:8]:                                       "only the id",
		"Bearer " + swap(sample, 20):                                 "checksum",
		"Bearer " + sample[:30]:                                      "8 letters and digits, a dot, and 32",
		"Basic " + base64.StdEncoding.EncodeToString([]byte(sample)): "has no colon",
		basic("ann:hunter2"):                                         "no call takes one there; send a token as the password",
		basic(sample + ":secret"):                                    "as its user name",
		basic("ann:"):                                                "has no password",
		"Basic " + url:                                               "another form of base64",
		"Basic " + raw:                                               "another form of base64",
		"Basic " + sample:                                            "use Bearer",
		"Basic ann:" + sample:                                        "use Bearer",
		"Basic ?":                                                    "not base64",
	} {
		_, err := guard.Credential([]string{value})
		d, ok := errors.AsType[*guard.Denial](err)
		if !ok || !strings.Contains(d.Detail, want) {
			t.Errorf("%q: got %v, want a denial with %q", value, err, want)
		}
		if ok && (d.Code == guard.CodeRepeated || secret.Within(d.Detail)) {
			t.Errorf("%q: got %+v, want no credential_repeated and no token", value, *d)
		}
	}
}

func request(method, target, token string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// judge returns the verdict about a request.
func judge(g *guard.Guard, r *http.Request) (guard.Principal, error) {
	v := g.Judge(r.Context(), guard.QuestionOf(r, here))
	return v.Principal, v.Err()
}

func TestTokenInTheQueryIsRefused(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil).Text().Reveal()
	g := guardAt(s, now)
	for _, query := range []string{
		"access_token=" + shown, "access_token=hello", "access_token", "x=1&access_token=",
		"key=" + shown, shown, shown + "=1", "a=%zz&b=" + shown, "a=1;b=" + shown, "b=acme_" + shown,
		"b=" + strings.Replace(shown, ".", "%2e", 1), "%61ccess_token=hello",
		"authorization=Bearer%20" + shown, "b=Bearer+" + shown, "b=x" + shown + "y",
	} {
		p, err := judge(g, request("GET", "/v1/things?"+query, shown))
		if codeOf(t, err) != guard.CodeInQuery {
			t.Errorf("%s: got %+v %v, want %s", strings.ReplaceAll(query, shown, "TOKEN"), p, err, guard.CodeInQuery)
		}
	}
	if got := s.reads.Load(); got != 0 {
		t.Errorf("took %d reads, want none", got)
	}
	for _, query := range []string{"", "limit=3&after=x", "access_tokens=1", "id=" + shown[:8]} {
		if _, err := judge(g, request("GET", "/v1/things?"+query, shown)); err != nil {
			t.Errorf("%q: got %v, want it to pass", query, err)
		}
	}
}

func TestMalformedCredentialCausesNoRead(t *testing.T) {
	s := open(t)
	g := guardAt(s, now)
	good := put(t, s, nil).Text().Reveal()
	for _, malformed := range []string{"", "hello", good[1:], good + "x", "_" + good, good[:8] + "," + good[9:], swap(good, 12), strings.Repeat("A", 1<<20)} {
		if _, err := judge(g, request("GET", "/v1/things", malformed)); err == nil {
			t.Errorf("%.60q passed", malformed)
		}
	}
	if got := s.reads.Load(); got != 0 {
		t.Errorf("malformed credentials took %d reads, want none", got)
	}
	if _, err := judge(g, request("GET", "/v1/things", good)); err != nil || s.reads.Load() != 1 {
		t.Errorf("a good token got %v after %d reads, want it to pass after one", err, s.reads.Load())
	}
}

// swap changes the character at i, so the checksum is wrong.
func swap(text string, i int) string {
	c := byte('A')
	if text[i] == c {
		c = 'B'
	}
	return text[:i] + string(c) + text[i+1:]
}

func TestScopesDecideWhichCallsAreAllowed(t *testing.T) {
	s := open(t)
	scoped := put(t, s, func(v *events.View) {
		v.Scopes = []string{"GET /v1/auth/access-tokens/*", "* /v1/users/ann/events"}
	}).Text().Reveal()
	free := put(t, s, nil).Text().Reveal()
	g := guardAt(s, now)
	for _, test := range []struct {
		method, path string
		allowed      bool
	}{
		{"GET", "/v1/auth/access-tokens/abc", true},
		{"GET", "/v1/auth/access-tokens/abc/events?limit=3", true},
		{"HEAD", "/v1/auth/access-tokens/abc", true},
		{"HEAD", "/v1/users/ann/events", true},
		{"DELETE", "/v1/auth/access-tokens/abc", false},
		{"GET", "/v1/users/ann/events", true},
		{"DELETE", "/v1/users/ann/events/", true},
		{"GET", "/v1/users/bob/events", false},
		{"GET", "/v1/auth/access-tokens/../../users/bob/events", false},
		{"GET", "/v1/auth/access-tokens//x", false},
		{"GET", "/v1/auth/access-tokens/a%2Fb", false},
		{"GET", "/v1/auth/access-tokens/%2e%2e%2fwho", false},
		{"GET", "/", false},
	} {
		p, err := judge(g, request(test.method, test.path, scoped))
		want := guard.CodeOutOfScope
		if test.allowed {
			want = ""
		}
		if codeOf(t, err) != want || p.TokenID == "" {
			t.Errorf("%s %s: got %v with token %q, want %q and the token's id", test.method, test.path, err, p.TokenID, want)
		}
		if _, err := judge(g, request(test.method, test.path, free)); err != nil {
			t.Errorf("%s %s: a token without scopes got %v", test.method, test.path, err)
		}
	}
}

// TestHostilePathsAreOutOfScope sends the paths as a client does: the server parses
// the request line. A line that the server refuses makes no call.
func TestHostilePathsAreOutOfScope(t *testing.T) {
	s := open(t)
	scoped := put(t, s, func(v *events.View) { v.Scopes = []string{scopetest.Scope} }).Text().Reveal()
	g := guardAt(s, now)
	authorize := func(path string) (string, bool) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return "", false
		}
		r.Header.Set("Authorization", "Bearer "+scoped)
		_, err = judge(g, r)
		return codeOf(t, err), true
	}
	parsed := 0
	for _, path := range scopetest.Hostile {
		code, ok := authorize(path)
		if !ok {
			continue
		}
		parsed++
		query := strings.Contains(path, "?") // the server cuts the query, and the rest is in scope or not
		if code != guard.CodeOutOfScope && !query {
			t.Errorf("%q: got %q, want %s", path, code, guard.CodeOutOfScope)
		}
	}
	if parsed < 90 {
		t.Errorf("the server parsed %d of %d paths, so this test shows little", parsed, len(scopetest.Hostile))
	}
	for _, path := range scopetest.Odd {
		if code, ok := authorize(path); !ok || code != "" {
			t.Errorf("%q: got %q, want it to pass", path, code)
		}
	}
}

// TestTheRouterAndTheScopesSeeOnePath: a handler before the guard may change one
// form of the path. Then no scope allows the call.
func TestTheRouterAndTheScopesSeeOnePath(t *testing.T) {
	scoped := guard.Principal{Owner: "ann", Scopes: []string{scopetest.Scope}}
	for _, c := range []struct {
		url  url.URL
		want bool
	}{
		{url.URL{Path: "/v1/public/x"}, true},
		{url.URL{Path: "/v1/public/a b"}, true},
		{url.URL{Path: "/v1/public/x", RawPath: "/v1/public/%78"}, true},
		{url.URL{Path: "/v1/public/x", RawPath: "/v1/admin"}, false},
		{url.URL{Path: "/v1/admin", RawPath: "/v1/public/x"}, false},
		{url.URL{Path: "/v1/public/%zz", RawPath: "/v1/public/%zz"}, false},
		{url.URL{Path: "/v1/public/%2e%2e/admin"}, false},                       // an HTTP API's path: sent as %252e%252e
		{url.URL{Path: `/v1/public/a/b"`, RawPath: `/v1/public/a%2fb"`}, false}, // EscapedPath loses the encoded slash
		{url.URL{Path: "*"}, false},
		{url.URL{Opaque: "/v1/public/x"}, false},
		{url.URL{}, false},
	} {
		if got := scoped.Judge(guard.QuestionOf(&http.Request{Method: "GET", URL: &c.url}, here)).Allowed(); got != c.want {
			t.Errorf("%#v: got %t, want %t", c.url, got, c.want)
		}
	}
	stripped := false
	h := http.StripPrefix("/prefix", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stripped = scoped.Judge(guard.QuestionOf(r, here)).Allowed()
	}))
	h.ServeHTTP(nil, httptest.NewRequest("GET", "/prefix/v1/public/%41%20", nil))
	if !stripped {
		t.Error("a call is refused after http.StripPrefix")
	}
}

func TestTheCredentialIsTakenFromTheHeader(t *testing.T) {
	s := open(t)
	shown := put(t, s, nil).Text().Reveal()
	g := guardAt(s, now)
	r := request("GET", "/", shown)
	r.Header.Add("Authorization", "Bearer "+shown)
	if _, err := judge(g, r); codeOf(t, err) != guard.CodeRepeated {
		t.Errorf("two headers: got %v, want %s", err, guard.CodeRepeated)
	}
	if _, err := judge(g, request("GET", "/", "")); codeOf(t, err) != guard.CodeMissing {
		t.Errorf("no header: got %v, want %s", err, guard.CodeMissing)
	}
	if p, err := judge(g, request("GET", "/", shown)); err != nil || p.Owner != "ann" {
		t.Errorf("one header: got %+v %v, want ann", p, err)
	}
}

// FuzzCredential: every header gives a token, or a denial that repeats no part of
// the header.
func FuzzCredential(f *testing.F) {
	f.Add("Bearer " + sample)
	f.Add(basic("ann:" + sample))
	f.Add("Bearer " + sample + ", " + sample)
	f.Add("Bearer \"" + sample)
	f.Add("Token token=" + sample + ", x")
	f.Fuzz(func(t *testing.T, header string) {
		got, err := guard.Credential([]string{header})
		if err == nil {
			if _, perr := secret.Parse(got.Text().Reveal()); perr != nil {
				t.Fatalf("%q gave an invalid token: %v", header, perr)
			}
			return
		}
		if d, ok := errors.AsType[*guard.Denial](err); !ok || len(header) > 40 && strings.Contains(fmt.Sprint(d), header) {
			t.Fatalf("%q gave %v, want a denial that does not repeat it", header, err)
		}
	})
}

// FuzzQuery: the guard finds a token under every name and in every escaping that a
// handler would decode.
func FuzzQuery(f *testing.F) {
	s := open(f)
	shown := put(f, s, nil).Text().Reveal()
	g := guardAt(s, now)
	f.Add("key", "a=1&b=2")
	f.Add("a b", "%zz;;&=")
	f.Fuzz(func(t *testing.T, name, rest string) {
		r := request("GET", "/", shown)
		r.URL.RawQuery = rest + "&" + url.QueryEscape(name) + "=" + url.QueryEscape(shown)
		if _, err := judge(g, r); codeOf(t, err) != guard.CodeInQuery {
			t.Fatalf("%q: got %v, want %s", name, err, guard.CodeInQuery)
		}
	})
}
