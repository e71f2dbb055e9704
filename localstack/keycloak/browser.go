package keycloak

import (
	"context"
	"crypto/tls"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Browser is a person's browser without a screen: it has cookies, follows redirects and
// sends forms.
type Browser struct {
	client *http.Client
	stop   func(*url.URL) bool // a redirect to this address is not followed; nil: each is
}

// NewBrowser returns a browser without cookies. It accepts every certificate.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{}
	b.client = &http.Client{
		Jar:       loopbackJar{jar},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if len(before) > 20 {
				return errors.New("more than 20 redirects")
			}
			if b.stop != nil && b.stop(next.URL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	return b
}

// loopbackJar keeps secure cookies of a loopback address also without TLS, as browsers
// do. Keycloak relies on it.
type loopbackJar struct{ http.CookieJar }

func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(secure(u), cookies)
}

func (j loopbackJar) Cookies(u *url.URL) []*http.Cookie { return j.CookieJar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	as := *u
	if u.Hostname() == "127.0.0.1" {
		as.Scheme = "https"
	}
	return &as
}

// Screen is what a browser shows after a request and its redirects.
type Screen struct {
	Status int
	URL    *url.URL
	Header http.Header
	Body   string
}

// Get opens an address.
func (b *Browser) Get(t testing.TB, address string) Screen {
	t.Helper()
	return b.visit(t, http.MethodGet, address, nil)
}

// GetOne opens an address and follows no redirect.
func (b *Browser) GetOne(t testing.TB, address string) Screen {
	t.Helper()
	b.stop = func(*url.URL) bool { return true }
	defer func() { b.stop = nil }()
	return b.Get(t, address)
}

// Begin opens an address that sends the person to Keycloak, and returns the address
// there without opening it.
func (b *Browser) Begin(t testing.TB, address string) *url.URL {
	t.Helper()
	got := b.GetOne(t, address)
	to, err := url.Parse(got.Header.Get("Location"))
	if err != nil || to.Host == "" {
		t.Fatalf("%s: got %d and the address %q, %v: %s", address, got.Status, to, err, Message(got.Body))
	}
	return to
}

// visit sends one request, and a form with it if there is one. Cleanup functions may
// use it: it does not end with the test's context.
func (b *Browser) visit(t testing.TB, method, address string, form url.Values) Screen {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	answer, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Screen{Status: answer.StatusCode, URL: answer.Request.URL, Header: answer.Header, Body: string(body)}
}

// Cookie returns a cookie that the browser would send to an address, or "".
func (b *Browser) Cookie(address *url.URL, name string) string {
	for _, c := range b.client.Jar.Cookies(address) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Authorize opens an address that leads to Keycloak's form, signs a person in there, and
// returns the address to which Keycloak sends the person back, without opening it. A
// browser that signed in there before gets no form.
func (b *Browser) Authorize(t testing.TB, address, person string) *url.URL {
	t.Helper()
	b.stop = func(u *url.URL) bool {
		return u.Query().Has("state") && (u.Query().Has("code") || u.Query().Has("error"))
	}
	defer func() { b.stop = nil }()
	got := b.Get(t, address)
	if got.Header.Get("Location") == "" {
		got = b.SignIn(t, got, person)
	}
	back, err := url.Parse(got.Header.Get("Location"))
	if err != nil || back.Host == "" {
		t.Fatalf("Keycloak sent %s back to %q, %v: %d %s", person, back, err, got.Status, Message(got.Body))
	}
	return back
}

// SignIn sends Keycloak's form with a person's name and password.
func (b *Browser) SignIn(t testing.TB, form Screen, person string) Screen {
	t.Helper()
	if !strings.Contains(form.Body, "kc-form-login") {
		t.Fatalf("%s: got %d without Keycloak's form: %s", form.URL, form.Status, Message(form.Body))
	}
	return b.Send(t, form, url.Values{"username": {person}, "password": {Password(person)}})
}

var (
	formAction = regexp.MustCompile(`<form\b[^>]*\baction="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input\b[^>]*\btype="hidden"[^>]*>`)
	named      = regexp.MustCompile(`\bname="([^"]*)"`)
	valued     = regexp.MustCompile(`\bvalue="([^"]*)"`)
	tags       = regexp.MustCompile(`(?s)<(script|style|head)\b.*?</(script|style|head)>|<[^>]*>`)
)

// Send sends the form of a screen with its hidden members and these members.
func (b *Browser) Send(t testing.TB, screen Screen, members url.Values) Screen {
	t.Helper()
	action := formAction.FindStringSubmatch(screen.Body)
	if action == nil {
		t.Fatalf("%s: got %d without a form: %s", screen.URL, screen.Status, Message(screen.Body))
	}
	to, err := screen.URL.Parse(html.UnescapeString(action[1]))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for _, input := range hidden.FindAllString(screen.Body, -1) {
		if name := named.FindStringSubmatch(input); name != nil {
			form.Set(name[1], "")
			if value := valued.FindStringSubmatch(input); value != nil {
				form.Set(name[1], html.UnescapeString(value[1]))
			}
		}
	}
	for name, values := range members {
		form[name] = values
	}
	return b.visit(t, http.MethodPost, to.String(), form)
}

// Message returns the text of a page without its marks.
func Message(page string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(page, " "))), " ")
}
