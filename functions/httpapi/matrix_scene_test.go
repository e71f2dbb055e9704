package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/events/token"
)

// self is the user of the caller's tokens.
const self = "caller"

// grid is a service with a caller that holds some actions.
type grid struct {
	*scene
	handler http.Handler
	holds   []string
	callers map[string]target   // the tokens that are shown more than once, by their key
	targets map[string]target   // by name
	scopes  map[string][]string // of these tokens
	users   int                 // made so far
}

func newGrid(t *testing.T, holds []string) *grid {
	g := &grid{scene: newScene(t), holds: holds, callers: map[string]target{}, targets: map[string]target{}, scopes: map[string][]string{}}
	g.change(settings.Change{TokenLimit: new(50), ChangeRate: new(0)})
	for _, user := range []string{self, "suspended"} {
		g.change(settings.Grant{User: user, Actions: holds})
	}
	g.handler = g.scene.handler()
	g.makeCallers()
	for _, t := range append(tokenTargets(), userTargets()...) {
		if !t.acting && !t.expired {
			g.renew(t)
		}
	}
	return g
}

// root is the caller that prepares the scene.
var root = guard.Principal{Owner: "admin"}

func (g *grid) ok(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// mint makes a token of the user.
func (g *grid) mint(user string, w token.Wish) target {
	g.t.Helper()
	made, text, err := g.issuer.Create(g.t.Context(), root, user, w)
	g.ok(err)
	return target{user: user, id: made.ID, text: text.Reveal(), own: user == self}
}

// makeCallers makes the refused credentials, and the expired targets.
func (g *grid) makeCallers() {
	short := token.Wish{ExpiresIn: time.Minute}
	g.callers["an expired token"] = g.mint(self, short)
	for name, user := range map[string]string{"own, expired": self, "ann's, expired": "ann"} {
		g.targets[name] = g.mint(user, short)
	}
	g.sleep(2 * time.Minute)
	for _, name := range []string{"an outgoing secret", "a replaced secret", "a disabled token", "a revoked token", "a suspended user"} {
		g.callers[name] = g.mint(self, token.Wish{})
	}
	ctx := g.t.Context()
	_, _, err := g.issuer.Rotate(ctx, root, g.callers["an outgoing secret"].id, nil, nil)
	g.ok(err)
	_, _, err = g.issuer.Rotate(ctx, root, g.callers["a replaced secret"].id, nil, new(time.Duration(0)))
	g.ok(err)
	_, err = g.issuer.Update(ctx, root, g.callers["a disabled token"].id, token.Update{Enabled: new(false)})
	g.ok(err)
	g.ok(g.issuer.Revoke(ctx, root, g.callers["a revoked token"].id))
	g.callers["a suspended user"] = g.mint("suspended", token.Wish{})
	_, err = g.issuer.Suspend(ctx, root, "suspended", "")
	g.ok(err)
	g.callers["no credential"] = target{id: secret.Mint("").ID}
	unknown := secret.Mint("")
	g.callers["an unknown token"] = target{id: unknown.ID, text: unknown.Text().Reveal()}
}

// narrowWish is a token within the bounds of the callers covers and inside.
func narrowWish() token.Wish {
	return token.Wish{Scopes: []string{"GET /v1/things/*"}, SourceIPs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, ExpiresIn: 365 * 24 * time.Hour}
}

// renew gives the target a new user or a new token, as if nothing had happened.
func (g *grid) renew(t target) {
	g.t.Helper()
	wish := token.Wish{ExpiresIn: 365 * 24 * time.Hour}
	if t.narrow {
		wish = narrowWish()
	}
	g.users++
	user := fmt.Sprintf("user%d", g.users)
	if t.own {
		user = self
		g.grant(self, g.holds)
		g.revoke(g.targets[t.name].id)
	}
	g.grant(user, t.holds)
	made := target{user: user, id: secret.Mint("").ID, text: secret.Mint("").Text().Reveal()}
	if !t.missing {
		made = g.mint(user, wish)
	}
	if t.revoked {
		g.revoke(made.id)
	}
	if t.suspended {
		_, err := g.issuer.Suspend(g.t.Context(), root, user, "")
		g.ok(err)
	}
	g.targets[t.name] = made
}

// revoke ends a token, if there is one.
func (g *grid) revoke(id string) {
	if id != "" {
		_ = g.issuer.Revoke(g.t.Context(), root, id) // it may have ended
	}
}

func (g *grid) grant(user string, actions []string) {
	if len(actions) > 0 {
		settingstest.Apply(g.t, g.store, g.keys, g.clock(), 0, settings.Grant{User: user, Actions: actions})
	}
}

// filled is the target with the user and the token that it has now.
func (g *grid) filled(t target) target {
	now := g.targets[t.name]
	t.user, t.id, t.text = now.user, now.id, now.text
	return t
}

// shown is the token that the caller shows. A call that changes the acting token gets
// one of its own; done ends it.
func (g *grid) shown(c cell) (shown target, done func()) {
	lasting := c.caller.denied != yes || c.caller.limits == outgoing
	once := !lasting && (c.target.acting || c.about == itself) && (c.manages || c.caller.limits == covers)
	key, call := c.key(), c.method()+" "+c.path(c.target)
	if made, ok := g.callers[key]; ok && !once && (c.caller.limits != covers || slices.Contains(g.scopes[key], call)) {
		return made, func() {}
	}
	wish := g.wish(c)
	made := g.mint(self, wish)
	if once {
		return made, func() { g.revoke(made.id) }
	}
	g.revoke(g.callers[key].id) // the targets have changed
	g.callers[key], g.scopes[key] = made, wish.Scopes
	return made, func() {}
}

// key names the token that the caller shows more than once.
func (c cell) key() string {
	switch c.caller.limits {
	case elsewhere:
		return c.caller.name + " for " + c.method()
	case covers:
		return c.caller.name + " for " + c.route
	}
	return c.caller.name
}

// wish is the token of a caller.
func (g *grid) wish(c cell) (w token.Wish) {
	switch c.caller.limits {
	case covers:
		w.Scopes = append(g.calls(c), "GET /v1/things/*")
	case elsewhere:
		w.Scopes = []string{"GET /v1/things/*"}
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if method != c.method() {
				w.Scopes = append(w.Scopes, method+" /*")
			}
		}
	case inside, outside:
		w.SourceIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	case expiring:
		w.ExpiresIn = time.Hour
	}
	return w
}

// calls are the calls of this route about all targets, and about what does not exist.
func (g *grid) calls(c cell) (scopes []string) {
	about := append([]target{c.target, g.absent(c)}, c.targets()...)
	for _, t := range about {
		if t.id == "" {
			t = g.filled(t)
		}
		scope := c.method() + " " + c.path(t)
		if (c.about != aToken || t.id != "") && !slices.Contains(scopes, scope) { // without an id it is the token that is made now
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// absent is the target of the same kind that does not exist.
func (g *grid) absent(c cell) target {
	if c.about == aUser {
		return g.filled(target{name: "nobody", missing: true})
	}
	return g.filled(target{name: "missing", missing: true})
}

// ask sends the call of the cell about a target with a token.
func (g *grid) ask(c cell, t target, shown string) answer {
	fill := strings.NewReplacer("{user}", t.user, "{token}", t.text, "{now}", g.clock().Format(time.RFC3339Nano))
	path := c.path(t)
	if c.query != "" {
		path += "?" + fill.Replace(c.query)
	}
	r := request(g.t, c.method(), path, shown)
	if c.body != "" {
		body := fill.Replace(c.body)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	if c.ifMatch != "" {
		r.Header.Set("If-Match", c.ifMatch)
	}
	r.RemoteAddr = "10.1.2.3:4567"
	if c.caller.limits == outside {
		r.RemoteAddr = "192.0.2.1:4567"
	}
	return handle(g.handler, r)
}
