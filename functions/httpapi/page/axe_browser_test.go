//go:build browser

package page_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/page"
)

// states are all pages in all their states. Each leads the tab to one of them, and
// says what must be there: the heading, and selectors with the least number of
// elements. Without these, a page that did not come would have no fault.
func states(s *scene, ids map[string]string) []state {
	id := func(name string) string { return "id=" + ids[name] }
	failed := func(b *tab) { b.wait("the error", "document.title.startsWith('Error: ')") }
	return []state{
		{"tokens", "", "My tokens", nil, needs{"ul.tokens > li": 4, "ul.tokens .state": 4, "a.button[href=create]": 1}},
		{"tokens-ended", "?state=ended", "My tokens", nil, needs{"ul.tokens > li": 1, ".state.revoked": 1}},
		{"create", "create", "New token", nil, needs{"form[action=create]": 1, "[name=expires]": 5, "textarea": 2}},
		{"create-link", "create?name=ci&scopes=GET+/v1/things/*&expires=90D", "New token", nil, needs{".notice": 1, "#expires-90D:checked": 1}},
		{"create-wrong", "create", "New token", func(b *tab) {
			b.fill("scopes", "nonsense", "source_ips", "here")
			b.press("Continue to the summary", "New token")
			failed(b)
		}, needs{"[aria-invalid=true]": 2, ".wrong": 2}},
		{"review", "create", "New token", func(b *tab) {
			b.fill("name", "deploy from CI", "description", "Reads what it deploys", "scopes", "GET /v1/things/*\nPOST /v1/deployments", "source_ips", "192.0.2.0/24")
			b.press("Continue to the summary", "Check the new token")
		}, needs{"dl.facts dd": 5, "button[value=make]": 1}},
		{"token", "token?" + id("job"), "backup job", nil, needs{"dl.facts dd": 8, "form": 3, "a.danger": 1}},
		{"token-saved", "token?" + id("job"), "backup job", func(b *tab) {
			b.press("Save", "backup job")
			b.wait("the notice", "document.querySelector('.notice')")
		}, needs{".notice[role=status]": 1}},
		{"token-wrong", "token?" + id("job"), "backup job", func(b *tab) {
			b.fill("name", strings.Repeat("long ", 40))
			b.press("Save", "backup job")
			failed(b)
		}, needs{"#name[aria-invalid=true]": 1}},
		{"token-disabled", "token?" + id("paused"), "paused", nil, needs{".state.disabled": 1, "button[value=enable]": 1}},
		{"token-rotated", "token?" + id("rotated"), "rotated", nil, needs{"button[value=end-previous]": 1, "#confirm": 1}},
		{"token-revoked", "token?" + id("gone"), "gone", nil, needs{".state.revoked": 1}},
		{"rotate", "rotate?" + id("job"), "Rotate backup job", nil, needs{"[name=grace]": 4, "#confirm": 1}},
		{"rotate-wrong", "rotate?" + id("job"), "Rotate backup job", func(b *tab) {
			b.choose("#grace-3")
			b.press("Rotate", "Rotate backup job")
			failed(b)
		}, needs{"#confirm[aria-invalid=true]": 1}},
		{"revoke", "revoke?" + id("job"), "Revoke backup job", nil, needs{"#confirm": 1, "button.danger": 1}},
		{"revoke-wrong", "revoke?" + id("job"), "Revoke backup job", func(b *tab) {
			b.press("Revoke for ever", "Revoke backup job")
			failed(b)
		}, needs{"#confirm[aria-invalid=true]": 1}},
		{"history", "history?" + id("paused"), "History of paused", func(b *tab) {
			eval[bool](b, "document.querySelector('details').open = true")
		}, needs{"ol.history > li": 2, ".mark.good": 3, "details[open] pre": 1}},
		{"find", "find", "Find a token", nil, needs{"form[action=find] input": 1}},
		{"find-wrong", "find", "Find a token", func(b *tab) { b.press("Find", "Find a token"); failed(b) }, needs{"#what[aria-invalid=true]": 1}},
		{"found", "find", "Find a token", func(b *tab) {
			b.fill("what", s.admin)
			b.press("Find", "Find a token")
			b.wait("the result", "document.querySelector('#result')")
		}, needs{"dl.facts dd": 4}},
		{"all", "all", "All tokens", nil, needs{"ul.tokens > li": 5}},
		{"all-empty", "all?user=nobody", "Tokens of nobody", nil, needs{".empty": 1}},
		{"users", "user", "Users", nil, needs{"form[action=user]": 1}},
		{"user", "user?user=ann", "User ann", nil, needs{"form": 5, "[name=permission]": 4}},
		{"user-wrong", "user?user=ann", "User ann", func(b *tab) { b.press("Offboard", "User ann"); failed(b) }, needs{"[aria-invalid=true]": 1}},
		{"user-suspended", "user?user=bob", "User bob", nil, needs{".state.disabled": 1, "button[value=reinstate]": 1}},
		{"sessions", "sessions", "My sessions", nil, needs{"ul.tokens > li": 1, "form[action=sessions]": 1, ".state": 1}},
		{"settings", "settings", "Settings", nil, needs{"form[action=settings] input": 6, "tbody tr": 2, "a.button[href=group]": 1}},
		{"settings-wrong", "settings", "Settings", func(b *tab) {
			b.fill("token_limit", "51")
			b.press("Save", "Settings")
			failed(b)
		}, needs{"#token_limit[aria-invalid=true]": 1}},
		{"group", "group?alias=corp&group=" + url.QueryEscape(longGroup), "Group " + longGroup, nil, needs{"[name=permission]": 4, "[name=permission]:checked": 2}},
		{"group-new", "group", "New group", nil, needs{"form[action=group] input[type=text]": 2, "[name=permission]": 4}},
		{"group-wrong", "group", "New group", func(b *tab) {
			b.fill("alias", "Corp", "group", "/team")
			b.press("Save the permissions", "New group")
			failed(b)
		}, needs{"#alias[aria-invalid=true]": 1, ".wrong": 2, "#permission-wrong": 1}},
		{"missing", "token?id=zzzzzzzz", "There is no such token", nil, needs{".lead": 1}},
		{"nowhere", "nowhere", "There is no such page", nil, needs{".lead": 1}},
		{"secret", "create", "New token", func(b *tab) {
			b.fill("name", "shown once")
			b.press("Continue to the summary", "Check the new token")
			b.press("Make the token", "Your new token")
		}, needs{"#secret": 1, "#command": 1, "[data-copy]:not([hidden])": 2}},
		{"replayed", "create", "New token", func(b *tab) {
			b.fill("name", "sent twice")
			b.press("Continue to the summary", "Check the new token")
			b.press("Make the token", "Your new token")
			b.reload()
			b.heading("This form was sent before")
		}, needs{"a.button": 1}},
	}
}

// needs are selectors with the least number of elements.
type needs map[string]int

type state struct {
	name, path, heading string
	then                func(*tab)
	needs               needs
}

// longGroup is a group as directories name it.
const longGroup = "CN=Storage-Administrators-of-the-Computing-Centre,OU=Groups,DC=example,DC=com"

// furnish makes tokens, users and groups for the states.
func furnish(t *testing.T, s *scene) map[string]string {
	t.Helper()
	admin := s.client(s.admin)
	if _, err := admin.SetLimit(t.Context(), "admin", new(20)); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for name, in := range map[string]httpapi.CreateRequest{
		"job":     {Name: "backup job", Description: "Reads each volume at night", ExpiresIn: "12D", Scopes: []string{"GET /v1/volumes/*", "POST /v1/snapshots"}, SourceIPs: []string{"192.0.2.0/24", "2001:db8::/32"}},
		"paused":  {Name: "paused"},
		"rotated": {Name: "rotated", ExpiresIn: "90D"},
		"gone":    {Name: "gone"},
	} {
		made, err := admin.Create(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = made.ID
	}
	s.make(httpapi.CreateRequest{User: user("ann"), Name: "of ann"})
	s.make(httpapi.CreateRequest{User: user("bob"), Name: "of bob"})
	_, err := admin.Update(t.Context(), ids["paused"], httpapi.UpdateRequest{Enabled: new(false)})
	must(t, err)
	_, err = admin.Rotate(t.Context(), ids["rotated"], httpapi.RotateRequest{})
	must(t, err)
	must(t, admin.Revoke(t.Context(), ids["gone"]))
	_, err = admin.Suspend(t.Context(), "bob", "")
	must(t, err)
	for _, g := range []httpapi.Group{
		{Alias: "corp", Group: longGroup, Permissions: []string{"view", "create"}},
		{Alias: "sixteen-letters1", Group: "/team/admins", Permissions: []string{"view", "create", "edit", "delete"}},
	} {
		_, err = admin.SetGroup(t.Context(), g)
		must(t, err)
	}
	return ids
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestBrowserNoPageHasAFault: axe-core finds nothing on any page, in any state, in the
// bright and in the dark scheme and at 320 pixels, and nothing violates the policy.
func TestBrowserNoPageHasAFault(t *testing.T) {
	s := newScene(t)
	s.api.(*switched).ways = `{"issuers":[{"alias":"staff","issuer":"https://login.example.com/realms/staff","client_id":"x","device":true,"browser":true}],"password":true}`
	ids := furnish(t, s)
	b := open(t, s.server.URL+page.Under)
	b.signIn(s.admin)
	for _, each := range states(s, ids) {
		t.Run(each.name, func(t *testing.T) { b.on(t).judge(each) })
	}
	out := open(t, s.server.URL+page.Under)
	for _, each := range []state{
		{"sign-in", "sign-in", "Sign in", nil, needs{"form": 2, "ul.ways a": 1}},
		{"sign-in-idle", "sign-in?ended=idle", "Sign in", nil, needs{".notice": 1}},
		{"sign-in-wrong", "sign-in", "Sign in", func(b *tab) {
			b.fill("token", "nonsense")
			b.press("Sign in with a token", "Sign in")
			b.wait("the error", "document.title.startsWith('Error: ')")
		}, needs{"#token[aria-invalid=true]": 1}},
	} {
		t.Run(each.name, func(t *testing.T) { out.on(t).judge(each) })
	}
}

// judge leads the tab to a state and checks it in each form.
func (b *tab) judge(s state) {
	b.t.Helper()
	b.size(1280)
	b.media("prefers-color-scheme", "light")
	b.visit(s.path, s.heading)
	if s.then != nil {
		s.then(b)
	}
	for selector, least := range s.needs {
		if got := eval[int](b, "document.querySelectorAll("+quoted(selector)+").length"); got < least {
			b.t.Errorf("%d elements are %s, want %d at least", got, selector, least)
		}
	}
	if got := eval[int](b, "document.querySelectorAll('h1').length"); got != 1 {
		b.t.Errorf("%d headings of the first level", got)
	}
	b.quiet()
	b.faultless("1280")
	b.shoot(s.name + "-1280")
	b.media("prefers-color-scheme", "dark")
	b.faultless("dark")
	b.shoot(s.name + "-dark")
	b.media("prefers-color-scheme", "light")
	b.size(320)
	if wide := eval[int](b, "document.documentElement.scrollWidth"); wide > 320 {
		b.t.Errorf("at 320 pixels the page is %d pixels wide", wide)
	}
	b.faultless("320")
	b.shoot(s.name + "-320")
	b.said() // axe-core tries what the policy forbids
}

func (b *tab) faultless(where string) {
	b.t.Helper()
	for _, fault := range b.axe() {
		b.t.Errorf("%s: %s", where, fault)
	}
}

// on returns the tab for a subtest.
func (b *tab) on(t *testing.T) *tab {
	b.t = t
	return b
}

func (b *tab) choose(selector string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf("document.querySelector(%s).checked = true", quoted(selector)))
}

// TestBrowserAPlantedFaultIsFound: axe-core sees what the tests above rely on.
func TestBrowserAPlantedFaultIsFound(t *testing.T) {
	s := newScene(t)
	b := open(t, s.server.URL+page.Under)
	for plant, rule := range map[string]string{
		"document.querySelector('label[for=token]').remove()":                                                           "label",
		"document.querySelector('h1').style.color = '#ddd'":                                                             "color-contrast",
		"document.documentElement.removeAttribute('lang')":                                                              "html-has-lang",
		"document.querySelector('main').append(Object.assign(document.createElement('button')))":                        "button-name",
		"document.querySelector('#token').setAttribute('aria-describedby', 'x'), document.querySelector('h1').remove()": "page-has-heading-one",
	} {
		b.visit("sign-in", "Sign in")
		eval[bool](b, plant+", true")
		if got := strings.Join(b.axe(), "\n"); !strings.Contains(got, rule+":") {
			t.Errorf("%s: axe-core found %q, want %s", plant, got, rule)
		}
	}
}

// TestBrowserNothingIsCrowded: a long name breaks no button, and texts keep a distance.
func TestBrowserNothingIsCrowded(t *testing.T) {
	s := newScene(t)
	text := s.make(httpapi.CreateRequest{User: user("Maximiliane-von-und-zu-Beispielhausen"), Name: "only"})
	b := open(t, s.server.URL+page.Under)
	b.size(320)
	number := func(what, expression string, least, most float64) {
		t.Helper()
		if got := eval[float64](b, expression); got < least || got > most {
			t.Errorf("%s: got %g pixels, want %g to %g", what, got, least, most)
		}
	}
	b.visit("sign-in", "Sign in")
	number("the line above the only way to sign in", "parseFloat(getComputedStyle(document.querySelector('h1 + section')).borderTopWidth)", 0, 0)
	b.signIn(text)
	number("the height of the button Sign out", "document.querySelector('.out button').offsetHeight", 20, 42)
	b.visit("?state=ended", "My tokens")
	number("the distance above the empty list", "document.querySelector('.empty').getBoundingClientRect().top - document.querySelector('.tabs').getBoundingClientRect().bottom", 12, 40)
	_, err := s.client(s.admin).SetLimit(t.Context(), "Maximiliane-von-und-zu-Beispielhausen", new(1))
	must(t, err)
	b.visit("create", "New token")
	b.press("Continue to the summary", "Check the new token")
	b.press("Make the token", "New token")
	number("the distance below the problem of the form", "document.querySelector('form[action=create]').getBoundingClientRect().top - document.querySelector('[role=alert]').getBoundingClientRect().bottom", 12, 40)
}

// TestBrowserForcedColoursKeepWhatThePageSays: borders of buttons and fields stay, and
// states have words.
func TestBrowserForcedColoursKeepWhatThePageSays(t *testing.T) {
	s := newScene(t)
	ids := furnish(t, s)
	b := open(t, s.server.URL+page.Under)
	b.signIn(s.admin)
	b.media("forced-colors", "active")
	for name, path := range map[string]string{"tokens": "", "token": "token?id=" + ids["job"], "create": "create"} {
		b.do(navigate(b.base + path))
		b.wait("the page", "document.querySelector('main button, main .button')")
		if got := eval[int](b, "[...document.querySelectorAll('main button:not([hidden]), main .button, main input[type=text]')].filter(e => parseFloat(getComputedStyle(e).borderTopWidth) < 1).length"); got != 0 {
			t.Errorf("%s: %d buttons or fields have no border", name, got)
		}
		b.shoot(name + "-forced")
	}
	if got := eval[string](b, "matchMedia('(forced-colors: active)').matches.toString()"); got != "true" {
		t.Error("the browser does not force colours")
	}
}
