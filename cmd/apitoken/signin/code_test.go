package signin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/oauth2-proxy/mockoidc"

	"apitoken/cmd/apitoken/signin"
	"apitoken/cmd/apitoken/signin/signintest"
)

// messages keeps the messages of a sign-in.
type messages struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *messages) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprintf(&m.text, format+"\n", args...)
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

func flowAt(i *signintest.Issuer) (signin.Flow, *messages) {
	m := &messages{}
	return signin.Flow{Issuer: i.Issuer(), ClientID: i.ClientID, Scopes: []string{"profile"}, Say: m.say}, m
}

// browse opens an address as a browser does.
func browse(t *testing.T, address string) (status int, page string) {
	t.Helper()
	return read(t, func() (*http.Response, error) { return http.Get(address) })
}

func read(t *testing.T, send func() (*http.Response, error)) (status int, page string) {
	t.Helper()
	res, err := send()
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(b)
}

// firstStep opens the address and returns where it leads.
func firstStep(t *testing.T, start string) *url.URL {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(start)
	if err != nil {
		t.Error(err)
		return &url.URL{}
	}
	defer res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Error(err)
		return &url.URL{}
	}
	return to
}

// TestTheCodeOfTheBrowserBecomesAnIDToken of the person, by PKCE, without a secret.
func TestTheCodeOfTheBrowserBecomesAnIDToken(t *testing.T) {
	i := signintest.Start(t)
	i.QueueUser(&mockoidc.MockUser{Subject: "ann-at-corp"})
	f, said := flowAt(i)
	var opened string
	var page string
	var all sync.WaitGroup
	f.Browser = func(start string) error {
		opened = start
		all.Go(func() {
			var status int
			if status, page = browse(t, start); status != http.StatusOK {
				t.Errorf("the browser ends at %d %s", status, page)
			}
		})
		return nil
	}
	token, err := f.Code(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all.Wait()
	p, err := oidc.NewProvider(t.Context(), i.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Verifier(&oidc.Config{ClientID: i.ClientID}).Verify(t.Context(), token.Reveal())
	if err != nil || got.Subject != "ann-at-corp" || got.Nonce == "" {
		t.Errorf("got %+v, %v", got, err)
	}
	forms := i.Forms()
	if len(forms) != 1 || len(forms[0].Get("code_verifier")) < 43 || !strings.HasPrefix(forms[0].Get("redirect_uri"), "http://127.0.0.1:") || forms[0].Get("client_id") != i.ClientID {
		t.Fatalf("the token endpoint got %v", forms)
	}
	address := said.String()[strings.Index(said.String(), i.Addr()):]
	asked, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	q := asked.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("scope") != "openid profile" || q.Get("response_type") != "code" || q.Get("nonce") != got.Nonce || q.Get("state") == "" {
		t.Errorf("the issuer was asked with %v", q)
	}
	for _, hidden := range []string{q.Get("state"), q.Get("nonce"), q.Get("code_challenge"), forms[0].Get("code_verifier")} {
		if strings.Contains(opened, hidden) || strings.Contains(page, hidden) {
			t.Errorf("the address %s of the browser, or its page, has %q", opened, hidden)
		}
	}
	if strings.Contains(page, forms[0].Get("code")) || !strings.Contains(page, "close this window") {
		t.Errorf("the last page is %q", page)
	}
	expectClosed(t, opened)
}

// expectClosed asks at the address once more. Another program may have its port now. The
// question itself would redirect, or say that it was used.
func expectClosed(t *testing.T, opened string) {
	t.Helper()
	ask := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := ask.Get(opened)
	if err != nil {
		return
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusSeeOther || r.StatusCode == http.StatusGone {
		t.Errorf("the port is still open after the sign-in: %s", r.Status)
	}
}

// TestOnlyTheAnswerToTheQuestionIsTaken: a page of another site, or another user of the
// machine, can send requests to the port. The command goes on to wait.
func TestOnlyTheAnswerToTheQuestionIsTaken(t *testing.T) {
	i := signintest.Start(t)
	f, _ := flowAt(i)
	var all sync.WaitGroup
	f.Browser = func(start string) error {
		all.Go(func() {
			base, _ := url.Parse(start)
			base.Path = ""
			to := firstStep(t, start)
			for address, want := range map[string]int{
				start:                                         http.StatusGone, // once only
				base.String():                                 http.StatusNotFound,
				base.String() + "/favicon.ico":                http.StatusNotFound,
				base.String() + "/callback":                   http.StatusBadRequest,
				base.String() + "/callback?code=evil":         http.StatusBadRequest,
				base.String() + "/callback?code=evil&state=x": http.StatusBadRequest,
				base.String() + "/callback?code=evil&state=" + to.Query().Get("nonce"):                      http.StatusBadRequest,
				base.String() + "/callback?code=evil&state=x&state=" + to.Query().Get("state"):              http.StatusBadRequest,
				base.String() + "/callback?error=access_denied&error_description=evil&state=":               http.StatusBadRequest,
				base.String() + "/callback?code=evil&%zz&state=" + url.QueryEscape(to.Query().Get("state")): http.StatusBadRequest,
			} {
				if status, page := browse(t, address); status != want || strings.Contains(page, "evil") {
					t.Errorf("%s: got %d %s, want %d", address, status, page, want)
				}
			}
			answer := base.String() + "/callback?code=evil&state=" + to.Query().Get("state")
			r, _ := http.NewRequest(http.MethodGet, answer, nil)
			r.Host = "evil.example" // DNS rebinding
			if status, _ := read(t, func() (*http.Response, error) { return http.DefaultClient.Do(r) }); status != http.StatusMisdirectedRequest {
				t.Errorf("another host: got %d", status)
			}
			if status, _ := read(t, func() (*http.Response, error) { return http.Post(answer, "text/plain", nil) }); status != http.StatusMethodNotAllowed {
				t.Errorf("POST: got %d", status)
			}
			if status, page := browse(t, to.String()); status != http.StatusOK {
				t.Errorf("the right answer: got %d %s", status, page)
			}
		})
		return nil
	}
	if _, err := f.Code(t.Context()); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// TestABadAnswerEndsTheSignIn with its reason, and without the code.
func TestABadAnswerEndsTheSignIn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(metadata map[string]any)
		answer string                 // the query of the answer, without the state; "": that of the issuer
		ask    func(asked url.Values) // changes what the issuer is asked
		want   string
	}{
		"denied":                 {nil, "error=access_denied&error_description=No%0Athanks", nil, "the sign-in was denied (access_denied): No thanks"},
		"an unknown error":       {nil, "error=server_error", nil, "the issuer refused the sign-in (server_error)"},
		"an error with a secret": {nil, "error=JhxND7ci.AWrRmHXR", nil, "the issuer refused the sign-in"},
		"no code":                {nil, "x=1", nil, "has no code"},
		"two codes":              {nil, "code=a&code=b", nil, "more than one"},
		"a wrong code":           {nil, "code=made-up-code-0123456789", nil, "exchanging the code at the issuer"},
		"another issuer":         {nil, "code=x&iss=https%3A%2F%2Fevil.example", nil, "another issuer (iss)"},
		"no issuer":              {func(m map[string]any) { m["authorization_response_iss_parameter_supported"] = true }, "code=x", nil, "does not name its issuer"},
		"another nonce":          {nil, "", func(q url.Values) { q.Set("nonce", "other") }, "for another sign-in (nonce)"},
		"another challenge":      {nil, "", func(q url.Values) { q.Set("code_challenge", strings.Repeat("x", 43)) }, "exchanging the code at the issuer"},
		"no scope openid":        {nil, "", func(q url.Values) { q.Set("scope", "profile") }, "gave no ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			i := signintest.Start(t)
			i.Change = c.change
			f, _ := flowAt(i)
			var all sync.WaitGroup
			f.Browser = func(start string) error {
				all.Go(func() {
					to := firstStep(t, start)
					q := to.Query()
					if c.answer != "" {
						browse(t, q.Get("redirect_uri")+"?"+c.answer+"&state="+url.QueryEscape(q.Get("state")))
						return
					}
					c.ask(q)
					to.RawQuery = q.Encode()
					browse(t, to.String())
				})
				return nil
			}
			_, err := f.Code(t.Context())
			all.Wait()
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "JhxND7ci") || strings.Contains(err.Error(), "made-up-code-0123456789") {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestAnUnsafeIssuerIsNotAsked, and none of its endpoints.
func TestAnUnsafeIssuerIsNotAsked(t *testing.T) {
	set := func(name, value string) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	for name, c := range map[string]struct {
		issuer string
		change func(map[string]any)
		want   string
	}{
		"http":                     {"http://issuer.example", nil, "http://issuer.example; allowed: https, and http on this machine"},
		"no URL":                   {"issuer", nil, "is not a URL"},
		"a password in it":         {"https://x:y@issuer.example", nil, "is not a URL"},
		"another scheme":           {"file://issuer.example/x", nil, "allowed: https"},
		"another issuer":           {"", set("issuer", "https://evil.example"), "issuer"},
		"http to authorize":        {"", set("authorization_endpoint", "http://evil.example/a"), "authorization_endpoint is http://evil.example"},
		"http for tokens":          {"", set("token_endpoint", "http://evil.example/t"), "token_endpoint is http://evil.example"},
		"http for devices":         {"", set("device_authorization_endpoint", "http://evil.example/d"), "device_authorization_endpoint is http://evil.example"},
		"a script to authorize":    {"", set("authorization_endpoint", "javascript:alert(1)"), "is not a URL"},
		"no PKCE":                  {"", func(m map[string]any) { m["code_challenge_methods_supported"] = []string{"plain"} }, "PKCE"},
		"no token endpoint at all": {"", set("token_endpoint", ""), "token_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			i := signintest.New(t)
			i.Change = c.change
			f, said := flowAt(i)
			f.Transport = i
			if c.issuer != "" {
				f.Issuer = c.issuer
				f.Transport = unreachable{t}
			}
			f.Browser = func(string) error { t.Error("the browser was opened"); return nil }
			for _, sign := range []func(context.Context) error{
				func(ctx context.Context) error { _, err := f.Code(ctx); return err },
				func(ctx context.Context) error { _, err := f.Device(ctx); return err },
			} {
				if err := sign(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
			}
			if said.String() != "" {
				t.Errorf("the command printed %s", said)
			}
		})
	}
}

// unreachable is a network that nothing may be sent to.
type unreachable struct{ t *testing.T }

func (u unreachable) RoundTrip(r *http.Request) (*http.Response, error) {
	u.t.Errorf("%s was asked", r.URL.Host)
	return nil, errors.New("unreachable")
}

// TestARedirectLeadsToNoUnsafeAddress.
func TestARedirectLeadsToNoUnsafeAddress(t *testing.T) {
	f := signin.Flow{Issuer: "https://issuer.example", ClientID: "x", Transport: redirecting{}, Say: t.Logf}
	if _, err := f.Code(t.Context()); err == nil || !strings.Contains(err.Error(), "http://evil.example; allowed: https") {
		t.Errorf("got %v, want a refusal of http://evil.example", err)
	}
}

type redirecting struct{}

func (redirecting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "issuer.example" {
		return nil, errors.New("another host was asked")
	}
	return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://evil.example/"}}, Body: http.NoBody, Request: r}, nil
}

// TestAnInterruptEndsTheSignIn at once, and closes the port.
func TestAnInterruptEndsTheSignIn(t *testing.T) {
	i := signintest.Start(t)
	f, said := flowAt(i)
	ctx, cancel := context.WithCancel(t.Context())
	var opened string
	f.Browser = func(start string) error {
		opened = start
		cancel()
		return errors.New("no browser")
	}
	if _, err := f.Code(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	expectClosed(t, opened)
	if !strings.Contains(said.String(), "open this address in a browser on this machine: "+i.Addr()) {
		t.Errorf("the command printed %s", said)
	}
}
