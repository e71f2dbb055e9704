//go:build browser

package page_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/page"
)

// TestBrowserATokensLifeByKeyboardAlone uses no pointer and sets no field by script.
func TestBrowserATokensLifeByKeyboardAlone(t *testing.T) {
	s := newScene(t)
	b := open(t, s.server.URL+page.Under)
	b.visit("", "Sign in")
	b.tabTo("Token")
	b.keys(s.admin + kb.Enter)
	b.heading("My tokens")
	b.has("1 of 5 used", "admin_api_token")

	// The first tab stop leads past the navigation.
	b.keys(kb.Tab)
	if at := eval[string](b, focused); at != "Skip to the content" {
		t.Errorf("the first tab stop is %q", at)
	}
	b.tabTo("New token")
	b.keys(kb.Enter)
	b.heading("New token")

	// What is wrong is said at its field, with the focus there.
	b.tabTo("May do only")
	b.keys("nonsense")
	b.tabTo("Continue to the summary")
	b.keys(kb.Enter)
	b.wait("the error", "document.title.startsWith('Error: ')")
	if at := eval[string](b, focused); at != "May do only" {
		t.Errorf("the focus is at %q", at)
	}
	if eval[string](b, "document.activeElement.getAttribute('aria-invalid')") != "true" {
		t.Error("the field is not marked as invalid")
	}
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.keys("GET /v1/session/who-am-i")
	b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))) // the choices before it
	if at := eval[string](b, "document.activeElement.name"); at != "expires" && at != "until" {
		t.Errorf("before the scopes there is %q", at)
	}
	b.visit("create", "New token")
	b.tabTo("Name")
	b.keys("by keyboard")
	b.tabTo("30 days")
	b.keys(kb.ArrowUp)
	if at := eval[string](b, "document.querySelector('[name=expires]:checked').value"); at != "7D" {
		t.Errorf("the arrow key chose %q", at)
	}
	b.tabTo("Continue to the summary")
	b.keys(kb.Enter)
	b.heading("Check the new token")
	b.has("by keyboard", "(in 7 days)", "Nothing is made yet")
	b.tabTo("Make the token")
	b.keys(kb.Enter)
	b.heading("Your new token")
	text := eval[string](b, "document.querySelector('#secret').value.trim()")
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Fatalf("the shown token does not work: %v", err)
	}
	b.tabTo("Copy the token")
	b.keys(kb.Enter)
	b.wait("the word of the copy button", "document.querySelector('#secret-copied').textContent")
	b.tabTo("I have copied it")
	b.keys(kb.Enter)
	b.heading("by keyboard")

	b.tabTo("Name")
	b.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.keys("renamed" + kb.Enter)
	b.heading("renamed")
	b.has("The changes are saved")
	b.tabTo("Disable")
	b.keys(kb.Enter)
	b.wait("the state", "document.querySelector('.facts .state').textContent.includes('Disabled')")
	b.tabTo("Enable")
	b.keys(kb.Enter)
	b.wait("the state", "document.querySelector('.facts .state').textContent.includes('Active')")

	b.tabTo("Rotate")
	b.keys(kb.Enter)
	b.heading("Rotate renamed")
	b.tabTo("Rotate")
	b.keys(kb.Enter)
	b.heading("Your new secret")
	fresh := eval[string](b, "document.querySelector('#secret').value.trim()")
	if fresh == text || fresh[:8] != text[:8] {
		t.Errorf("the rotation shows another token")
	}
	b.tabTo("I have copied it")
	b.keys(kb.Enter)
	b.heading("renamed")
	b.tabTo("History")
	b.keys(kb.Enter)
	b.heading("History of renamed")
	b.has("Created", "Changed", "Disabled", "Enabled", "Rotated", "✓ Verified")
	b.tabTo("Back to the token")
	b.keys(kb.Enter)
	b.heading("renamed")
	b.tabTo("Revoke for ever")
	b.keys(kb.Enter)
	b.heading("Revoke renamed")
	b.tabTo("To confirm")
	b.keys("renamed" + kb.Enter)
	b.wait("the revocation", "document.body.innerText.includes('The token is revoked')")
	if _, err := s.client(fresh).GetSelf(t.Context()); err == nil {
		t.Error("the revoked token works")
	}
	b.quiet()
	b.tabTo("Sign out")
	b.keys(kb.Enter)
	b.heading("Sign in")
	b.has("You are signed out")
}

// TestBrowserTheSecretIsNotShownAgain: by Back, reload or history, and a form that is
// sent again makes no second token.
func TestBrowserTheSecretIsNotShownAgain(t *testing.T) {
	for _, script := range []bool{true, false} {
		s := newScene(t)
		b := open(t, s.server.URL+page.Under)
		b.signIn(s.admin)
		b.script(script)
		b.visit("create", "New token")
		b.fill("name", "once")
		b.press("Continue to the summary", "Check the new token")
		b.press("Make the token", "Your new token")
		text := eval[string](b, "document.querySelector('#secret').value.trim()")
		secret := text[9:]

		b.visit("", "My tokens")
		b.back()
		b.hasNot(secret)
		b.visit("", "My tokens")
		entries, err := chromedp.Run(b.ctx, chromedp.NavigationEntries())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries.Entries {
			if strings.Contains(e.URL+e.Title, secret) {
				t.Errorf("the history has %s %s", e.URL, e.Title)
			}
			if strings.HasPrefix(e.URL, b.base) {
				b.recall(e.ID)
				b.hasNot(secret)
			}
		}

		// The reload of an answer sends the form again.
		b.visit("create", "New token")
		b.fill("name", "twice")
		b.press("Continue to the summary", "Check the new token")
		b.press("Make the token", "Your new token")
		text = eval[string](b, "document.querySelector('#secret').value.trim()")
		b.do(chromedp.Reload())
		b.heading("This form was sent before")
		b.hasNot(text[9:])
		b.visit("", "My tokens")
		if all := b.text(); strings.Count(all, "twice") != 1 || strings.Count(all, "once") != 1 {
			t.Errorf("the tokens after the resubmission:\n%s", all)
		}
	}
}

// back presses the button Back.
func (b *tab) back() {
	b.t.Helper()
	entries, err := chromedp.Run(b.ctx, chromedp.NavigationEntries())
	if err != nil {
		b.t.Fatal(err)
	}
	b.recall(entries.Entries[entries.CurrentIndex-1].ID)
}

// recall goes to an entry of the history. The browser may send the form again, or show a
// page of its own in place of the answer.
func (b *tab) recall(entry int64) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, cdpage.NavigateToHistoryEntry, cdpage.NavigateToHistoryEntryParams{EntryID: entry})
		return err
	}))
	b.wait("the entry of the history", "location.href.startsWith('https:') || location.href.startsWith('chrome-error:')")
	time.Sleep(100 * time.Millisecond) // the browser may begin a second load
	b.wait("the entry of the history", "true")
	b.t.Logf("the history shows %q", eval[string](b, "document.title"))
}

func (b *tab) signIn(token string) {
	b.t.Helper()
	b.visit("sign-in", "Sign in")
	b.fill("token", token)
	b.press("Sign in with a token", "My tokens")
}

// TestBrowserAFormOfAnotherOriginIsRefused: another site posts a form to the page.
func TestBrowserAFormOfAnotherOriginIsRefused(t *testing.T) {
	s := newScene(t)
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<h1>Other</h1><form method="post" action="` + s.server.URL + `/ui/create"><input name="name" value="evil"><input name="expires" value="7D">` +
			`<input name="key" value="0123456789abcdef"><input name="step" value="make"></form><main><button onclick="document.forms[0].submit()">Go</button></main>`))
	}))
	t.Cleanup(other.Close)
	b := open(t, s.server.URL+page.Under)
	b.signIn(s.admin)
	b.do(chromedp.Navigate(strings.Replace(other.URL, "127.0.0.1", "localhost", 1)))
	b.heading("Other")
	eval[bool](b, "document.forms[0].submit(), true")
	b.heading("This form came from another site")
	list, err := s.client(s.admin).List(t.Context(), httpapi.ListQuery{})
	if err != nil || len(list.Entries) != 1 {
		t.Errorf("%d tokens, %v", len(list.Entries), err)
	}
}

// TestBrowserNoPageShowsItInAFrame: another site cannot put the page into a frame.
func TestBrowserNoPageShowsItInAFrame(t *testing.T) {
	s := newScene(t)
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<h1>Other</h1><iframe src="` + s.server.URL + `/ui/sign-in"></iframe>`))
	}))
	t.Cleanup(other.Close)
	b := open(t, s.server.URL+page.Under)
	b.do(chromedp.Navigate(other.URL))
	b.heading("Other")
	if all := strings.Join(b.said(), "\n"); !strings.Contains(all, "frame") {
		t.Errorf("the browser says %q", all)
	}
}

// TestBrowserEverythingWorksWithoutScriptAndBelowAPrefix.
func TestBrowserEverythingWorksWithoutScriptAndBelowAPrefix(t *testing.T) {
	s := newScene(t)
	gateway := httptest.NewTLSServer(http.StripPrefix("/prod", s.server.Config.Handler))
	t.Cleanup(gateway.Close)
	b := open(t, gateway.URL+"/prod/ui/")
	b.script(false)
	b.do(chromedp.Navigate(gateway.URL + "/prod/ui"))
	b.heading("Sign in")
	b.signIn(s.admin)
	if color := eval[string](b, "getComputedStyle(document.querySelector('.brand')).fontWeight"); color != "650" {
		t.Errorf("the style sheet is not there: %s", color)
	}
	b.press("New token", "New token")
	b.fill("name", "plain")
	b.press("Continue to the summary", "Check the new token")
	b.press("Change something", "New token")
	if got := eval[string](b, "document.querySelector('#name').value"); got != "plain" {
		t.Errorf("the form has lost the name: %q", got)
	}
	b.press("Continue to the summary", "Check the new token")
	b.press("Make the token", "Your new token")
	text := eval[string](b, "document.querySelector('#secret').value.trim()")
	if _, err := s.client(text).GetSelf(t.Context()); err != nil {
		t.Error(err)
	}
	if eval[int](b, "document.querySelectorAll('[data-copy]:not([hidden])').length") != 0 {
		t.Error("there is a copy button without a script")
	}
	b.press("I have copied it", "plain")
	b.press("Disable", "plain")
	b.press("Enable", "plain")
	b.press("Rotate", "Rotate plain")
	b.press("Rotate", "Your new secret")
	b.press("I have copied it", "plain")
	b.fill("confirm", "plain")
	b.press("End the previous secret now", "plain")
	b.press("History", "History of plain")
	b.press("Back to the token", "plain")
	b.press("Revoke for ever", "Revoke plain")
	b.fill("confirm", "plain")
	b.press("Revoke for ever", "plain")
	b.visit("settings", "Settings")
	b.fill("token_limit", "7")
	b.press("Save", "Settings")
	b.press("New group", "New group")
	b.fill("alias", "corp", "group", "/team")
	b.choose("#permission-view")
	b.press("Save the permissions", "Settings")
	b.press("/team", "Group /team")
	b.press("Save the permissions", "Settings")
	b.visit("user?user=ann", "User ann")
	b.press("Save the permissions", "User ann")
	b.visit("find", "Find a token")
	b.fill("what", "ann")
	b.press("Find", "Tokens of ann")
	if at := eval[string](b, "location.pathname"); at != "/prod/ui/all" {
		t.Errorf("the page has left its prefix: %s", at)
	}
	b.quiet()
}

// TestBrowserAHostileNameIsHarmless: the name is shown as it is, and runs nothing.
func TestBrowserAHostileNameIsHarmless(t *testing.T) {
	s := newScene(t)
	const hostile = `"><script>window.hit=1</script><img src=x onerror=window.hit=1>`
	b := open(t, s.server.URL+page.Under)
	b.signIn(s.admin)
	made, err := s.client(s.admin).Create(t.Context(), httpapi.CreateRequest{Name: hostile, Description: hostile})
	must(t, err)
	_, err = s.client(s.admin).SetGroup(t.Context(), httpapi.Group{Alias: "corp", Group: hostile, Permissions: []string{"view"}})
	must(t, err)
	for path, heading := range map[string]string{
		"": "My tokens", "token?id=" + made.ID: hostile, "rotate?id=" + made.ID: "Rotate " + hostile, "revoke?id=" + made.ID: "Revoke " + hostile,
		"history?id=" + made.ID: "History of " + hostile, "create?name=" + url.QueryEscape(hostile): "New token",
		"settings": "Settings", "group?alias=corp&group=" + url.QueryEscape(hostile): "Group " + hostile,
	} {
		b.visit(path, heading)
		if eval[bool](b, "'hit' in window") {
			t.Errorf("/%s ran the name", path)
		}
	}
	b.quiet()
}

// TestBrowserTheCookieIsClosedToScripts: the browser keeps it as it was sent.
func TestBrowserTheCookieIsClosedToScripts(t *testing.T) {
	s := newScene(t)
	b := open(t, s.server.URL+page.Under)
	b.signIn(s.admin)
	if got := eval[string](b, "document.cookie"); got != "" {
		t.Errorf("a script reads %q", got)
	}
	count := 0
	for _, c := range b.cookies() {
		count++
		if !strings.HasPrefix(c.Name, "__Host-") || !c.HTTPOnly || !c.Secure || c.SameSite != "Lax" || c.Path != "/" || !c.Session {
			t.Errorf("cookie %+v", c)
		}
	}
	if count != 2 {
		t.Errorf("the browser keeps %d cookies", count)
	}
}

// TestBrowserAViolationOfThePolicyIsSeen: the other tests would see one.
func TestBrowserAViolationOfThePolicyIsSeen(t *testing.T) {
	s := newScene(t)
	b := open(t, s.server.URL+page.Under)
	b.visit("sign-in", "Sign in")
	b.quiet()
	for _, plant := range []string{
		"document.head.append(Object.assign(document.createElement('style'), {textContent: 'p{color:red}'}))",
		"document.body.append(Object.assign(document.createElement('img'), {src: 'https://example.org/x.png'}))",
		"(() => { try { document.body.innerHTML = '<p>x</p>' } catch {} })()",
	} {
		eval[bool](b, plant+", true")
		b.wait("the message", "true")
		if len(b.said()) == 0 {
			t.Errorf("the browser does not complain about %s", plant)
		}
	}
}

// TestBrowserServesThisMachineWithoutTLS: the default address of serve has no TLS, and
// browsers accept the cookie from the machine itself.
func TestBrowserServesThisMachineWithoutTLS(t *testing.T) {
	s := newScene(t)
	plain := httptest.NewServer(s.server.Config.Handler)
	t.Cleanup(plain.Close)
	b := open(t, plain.URL+page.Under)
	b.signIn(s.admin)
	b.has("admin_api_token")
	b.quiet()
}
