package httpapi_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/localstack/longtest"
)

// TestPrivileges asks every question of the matrix: who (each set of actions) × how
// (each kind of credential, with its scopes and addresses) × verb (each route, and
// each power of a route) × whose token or which user. matrix_rules_test.go has the
// answers. With APITOKEN_SHORTER=1 it asks about none and all of the actions.
func TestPrivileges(t *testing.T) {
	sets, least := subsets(settings.Actions()), 30_000
	if longtest.Shorter() {
		least = 3_000
		sets = slices.DeleteFunc(sets, func(holds []string) bool { return len(holds) > 0 && len(holds) < len(settings.Actions()) })
	}
	var found findings
	t.Run("holding", func(t *testing.T) {
		for _, holds := range sets {
			t.Run(strings.Join(append([]string{"-"}, holds...), ","), func(t *testing.T) {
				t.Parallel()
				g := newGrid(t, holds)
				for _, v := range verbs() {
					for _, by := range callers() {
						if by.denied != yes && len(holds) != 0 && len(holds) != len(settings.Actions()) {
							continue // for a refused credential no action matters: none and all are enough
						}
						for _, whose := range v.targets() {
							g.check(cell{verb: v, caller: by, holds: holds, target: whose}, &found)
						}
					}
				}
			})
		}
	})
	if found.cells < least {
		t.Errorf("only %d cells were checked", found.cells)
	}
	if !longtest.Shorter() { // with some sets left out, no set shows which action guards what
		found.checkActions(t)
	}
}

// subsets are all sets of these actions, each in their order.
func subsets(actions []string) (all [][]string) {
	for n := range 1 << len(actions) {
		set := []string{}
		for i, action := range actions {
			if n&(1<<i) != 0 {
				set = append(set, action)
			}
		}
		all = append(all, set)
	}
	return all
}

// targets are what the verb can be about.
func (v verb) targets() []target {
	switch v.about {
	case aToken:
		return tokenTargets()
	case aUser:
		return userTargets()
	case itself:
		return []target{{name: "the acting token", own: true, acting: true}}
	}
	return []target{{name: "nothing"}}
}

func (c cell) String() string {
	return fmt.Sprintf("%s holding %v: %s (%s %s) of %s", c.caller.name, c.holds, c.name, c.method(), c.path(c.target), c.target.name)
}

// check asks one question.
func (g *grid) check(c cell, found *findings) {
	whose := c.target
	c.target = g.filled(whose)
	shown, done := g.shown(c)
	defer done()
	if whose.acting {
		c.target.user, c.target.id, c.target.text = shown.user, shown.id, shown.text
	}
	if c.caller.limits == covers && whose.acting && c.about == aToken { // the scope names the id, which was not known before
		g.cover(c)
	}
	got, expected := g.ask(c, c.target, shown.text), want(c)
	code := verdict("")
	if got.status != http.StatusOK {
		code = verdict(got.problem(g.t).Code)
	}
	if got.status != statuses[expected] || code != expected {
		g.t.Errorf("%v: got %d %q, want %d %q\n%s", c, got.status, code, statuses[expected], expected, got.body)
	}
	g.checkSecrets(c, got)
	if code == yes && c.lists {
		g.checkList(c, got)
	}
	if c.hidden(code) {
		g.checkHidden(c, got, shown.text)
	}
	found.note(c, code == yes)
	if code == yes && c.manages {
		g.repair(c, whose, got)
	}
}

// hidden: the answer must not tell whether there is such a token, or such a user.
func (c cell) hidden(code verdict) bool {
	if c.own() || c.caller.denied != yes || c.has("view") {
		return false
	}
	return c.about == aToken || c.about == aUser && !c.has("edit") && (code == "permission_denied" || c.lists)
}

// checkHidden compares the answer with that about a token or a user that does not
// exist. Only the request id differs, and the id in the path, which the caller sent.
func (g *grid) checkHidden(c cell, got answer, shown string) {
	absent := g.absent(c)
	missing := g.ask(c, absent, shown)
	plain := func(a answer, id string) ([]byte, http.Header) {
		h := a.header.Clone()
		h.Del("X-Request-Id")
		body := bytes.ReplaceAll(a.body, []byte(a.header.Get("X-Request-Id")), []byte("REQUEST"))
		return bytes.ReplaceAll(body, []byte(`access-tokens/`+id), []byte("access-tokens/ID")), h
	}
	a, ah := plain(got, c.target.id)
	b, bh := plain(missing, absent.id)
	if got.status != missing.status || !bytes.Equal(a, b) || !maps.EqualFunc(ah, bh, slices.Equal) {
		g.t.Errorf("%v: got\n%d %v\n%s\nfor what does not exist\n%d %v\n%s", c, got.status, ah, a, missing.status, bh, b)
	}
}

// checkSecrets: only a call that hands out a secret has one in its answer.
func (g *grid) checkSecrets(c cell, got answer) {
	hands := strings.HasPrefix(c.name, "create") || strings.HasPrefix(c.name, "rotate")
	if has := bytes.Contains(got.body, []byte(`"bearer_token":"`)); has != (hands && got.status == http.StatusOK) {
		g.t.Errorf("%v: the answer has a secret: %t\n%s", c, has, got.body)
	}
	if text := c.target.text; text != "" && bytes.Contains(got.body, []byte(text[9:])) {
		g.t.Errorf("%v: the answer has the secret of the target\n%s", c, got.body)
	}
}

// checkList: without view a caller sees only its own tokens.
func (g *grid) checkList(c cell, got answer) {
	others, own := 0, 0
	for _, e := range decodeAs[httpapi.List](g.t, got).Entries {
		if e.User.Name == self {
			own++
		} else {
			others++
		}
	}
	all := c.about == nothing
	wantOthers := c.has("view") && !c.own() && !c.target.missing
	if (others > 0) != wantOthers || (own > 0) != (all || c.own()) {
		g.t.Errorf("%v: got %d tokens of others and %d of its own", c, others, own)
	}
}

// repair undoes what a successful call has done.
func (g *grid) repair(c cell, whose target, got answer) {
	if bytes.Contains(got.body, []byte(`"bearer_token":"`)) && c.about == aUser {
		g.revoke(decodeAs[httpapi.Created](g.t, got).ID)
	}
	if c.about != nothing && !whose.acting && !whose.expired {
		g.renew(whose)
	}
}

// cover gives the acting token the scope of the call about its own id.
func (g *grid) cover(c cell) {
	_, err := g.issuer.Update(g.t.Context(), root, c.target.id, token.Update{Wish: g.wish(c), Given: token.Members{Scopes: true}})
	g.ok(err)
}
