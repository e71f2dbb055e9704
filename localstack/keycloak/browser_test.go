//go:build browser

package keycloak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"apitoken/functions/httpapi"
	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

// TestBrowserPeopleSignInAndMakeATokenOnThePage is the whole way of a person: from the
// page to Keycloak's form and back, a token, the sign-out.
func TestBrowserPeopleSignInAndMakeATokenOnThePage(t *testing.T) {
	s := &scene{T: t}
	s.serve(keycloak.Connect(t), "127.0.0.1:8443") // the addresses of the README, which has the pictures
	b := openTab(t, s.url+"/ui/")
	b.heading("Sign in")
	b.shoot("sign-in")
	b.press("Sign in with " + alias)
	b.keycloak(keycloak.Ann)
	b.heading("My tokens")
	b.press("New token")
	b.heading("New token")
	b.fill("#name", "laptop")
	b.press("Continue to the summary")
	b.heading("Check the new token")
	b.press("Make the token")
	b.heading("Your new token")
	b.shoot("new-token")
	with := s.client(value[string](b, "document.querySelector('#secret').value.trim()"))
	ann := s.signIn(keycloak.Ann)
	if who, err := with.WhoAmI(t.Context()); err != nil || who.User.AuthID != ann.User.AuthID {
		t.Errorf("the token acts for %+v, %v; want %s", who, err, ann.User.AuthID)
	}
	b.press("I have copied it")
	b.heading("laptop")
	b.visit("")
	b.heading("My tokens")
	b.shoot("my-tokens")
	b.press("Sign out")
	b.heading("Sign in")
	b.visit("")
	b.heading("Sign in")
	if list, err := ann.List(t.Context(), httpapi.ListQuery{Kind: "session"}); err != nil || len(list.Entries) != 1 {
		t.Errorf("after the sign-out Ann has the sessions %+v, %v; want the one of the test", list.Entries, err)
	}
	if _, err := with.WhoAmI(t.Context()); err != nil {
		t.Errorf("after the sign-out the token got %v", err)
	}
}

// TestBrowserTwoPeopleWithOneEMailSeeTheirOwnTokens in two browsers.
func TestBrowserTwoPeopleWithOneEMailSeeTheirOwnTokens(t *testing.T) {
	s := newScene(t)
	for _, person := range []string{keycloak.Ann, keycloak.Bob} {
		b := openTab(t, s.url+"/ui/create?name=of+"+person)
		b.heading("Sign in")
		b.press("Sign in with " + alias)
		b.keycloak(person)
		b.heading("New token") // where the person wanted to go
		b.press("Continue to the summary")
		b.heading("Check the new token")
		b.press("Make the token")
		b.heading("Your new token")
		b.visit("")
		b.heading("My tokens")
		text := value[string](b, "document.querySelector('main').innerText")
		if !strings.Contains(text, "of "+person) || strings.Count(text, "of ann")+strings.Count(text, "of bob") != 1 {
			t.Errorf("%s sees %s", person, text)
		}
	}
}

// tab is a browser with its own cookies.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// patience is the time in which a page must be there.
const patience = time.Minute

// openTab starts a browser at an address of the page.
func openTab(t *testing.T, address string) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(engines.Tool(t, engines.Chromium)), chromedp.NoSandbox, chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("font-render-hinting", "none"))
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	b := &tab{t: t, ctx: ctx, base: address[:strings.Index(address, "/ui/")+len("/ui/")]}
	if err := chromedp.Do(ctx); err != nil { // without a time limit, which would end the browser
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(900, 640))
	b.do(chromedp.Navigate(address))
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// value returns the value of an expression in the page.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// wait waits until the expression is true. Between two pages an expression may fail.
func (b *tab) wait(what, expression string) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		there, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && !!("+expression+")"))
		if err == nil && there {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s did not come (%v); the page is %s", what, err, value[string](b, "location.href.split('?')[0] + '\\n' + document.body.innerText"))
		}
	}
}

func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// heading waits for the page of the service with this heading.
func (b *tab) heading(text string) {
	b.t.Helper()
	b.wait("the heading "+text, fmt.Sprintf("location.href.startsWith(%s) && document.querySelector('h1')?.textContent === %s", quoted(b.base), quoted(text)))
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a text always has a form in JSON
	return string(b)
}

func (b *tab) fill(selector, text string) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf("(document.querySelector(%s).value = %s, true)", quoted(selector), quoted(text)))
}

// press clicks the button or link with this text.
func (b *tab) press(text string) {
	b.t.Helper()
	value[bool](b, "([...document.querySelectorAll('button, a')].find(e => e.textContent.trim() === "+quoted(text)+").click(), true)")
}

// keycloak signs a person in with Keycloak's form.
func (b *tab) keycloak(person string) {
	b.t.Helper()
	b.wait("Keycloak's form", "document.querySelector('#kc-form-login')")
	b.shoot("keycloak")
	b.fill("#username", person)
	b.fill("#password", keycloak.Password(person))
	value[bool](b, "(document.querySelector('#kc-login').click(), true)")
}

// shoot keeps a picture of the page in the folder APITOKEN_SCREENSHOTS, if there is one.
func (b *tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("APITOKEN_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "keycloak-"+name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
