package httpapi_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"apitoken/events/secret"
	"apitoken/events/settings"
	"apitoken/functions/httpapi"
)

// triesAfterEnd is how often each racing goroutine still tries after the answer.
const triesAfterEnd = 3

// thief holds tokens of ann, and uses each of them as long as it can.
type thief struct {
	*scene
	answered atomic.Bool // the suspension, or the offboarding
	before   atomic.Int64
	mu       sync.Mutex
	texts    []string
	ids      []string
}

func newThief(t *testing.T) *thief {
	x := &thief{scene: newScene(t)}
	x.change(settings.Change{ChangeRate: new(0), TokenLimit: new(50)})
	for range 3 {
		x.learn(x.make(httpapi.CreateRequest{User: named("ann")}))
	}
	return x
}

func (x *thief) learn(made httpapi.Created, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.texts, x.ids = append(x.texts, text), append(x.ids, made.ID)
}

func (x *thief) any() (text, id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.texts[rand.IntN(len(x.texts))], x.ids[rand.IntN(len(x.ids))]
}

// try runs one way to use a token until the answer, and some times more. use returns
// whether the token passed.
func (x *thief) try(what string, use func() bool) {
	for after := 0; after < triesAfterEnd; {
		late := x.answered.Load() // before the call begins
		switch passed := use(); {
		case passed && late:
			x.t.Errorf("%s passed after the answer", what)
			return
		case passed:
			x.before.Add(1)
		}
		if late {
			after++
		}
	}
}

func (x *thief) authorize() bool {
	text, _ := x.any()
	return x.do("GET", "/v1/session/who-am-i", text, "").status == http.StatusOK
}

// create makes a token with a stolen one, and revokes one if the limit is reached.
func (x *thief) create() bool {
	text, id := x.any()
	switch s := x.do("POST", collection, text, ""); s.status {
	case http.StatusOK:
		made := decodeAs[httpapi.Created](x.t, s)
		x.learn(made, made.BearerToken.Reveal())
		return true
	case http.StatusConflict:
		return x.do("DELETE", collection+id, text, "").status == http.StatusOK
	}
	return false
}

// createForAnother is what an administrator who does not know of the suspension does.
func (x *thief) createForAnother() bool {
	s := x.do("POST", collection, x.admin, `{"user":{"name":"ann"}}`)
	if s.status != http.StatusOK {
		return false
	}
	made := decodeAs[httpapi.Created](x.t, s)
	x.learn(made, made.BearerToken.Reveal())
	return true
}

// rotate replaces the secret of the token that it shows.
func (x *thief) rotate() bool {
	text, _ := x.any()
	shown, err := secret.Parse(text)
	if err != nil {
		x.t.Error(err)
		return false
	}
	p, err := x.issuer.Guard().Check(x.t.Context(), shown, netip.Addr{})
	if err != nil {
		return false
	}
	made, renewed, err := x.issuer.Rotate(x.t.Context(), p, shown.ID, nil, nil)
	if err != nil {
		return false
	}
	x.learn(httpapi.Created{Entry: httpapi.Entry{ID: made.ID}}, renewed.Reveal())
	return true
}

// TestNothingPassesAfterASuspension: 50 goroutines authorize, create and rotate with
// every token that they hold, also with those that they have just made.
func TestNothingPassesAfterASuspension(t *testing.T) {
	for _, c := range []struct{ method, of, code string }{{"PUT", "suspension", "token_suspended"}, {"POST", "offboard", "token_revoked"}} {
		t.Run(c.of, func(t *testing.T) {
			x := newThief(t)
			ways := []struct {
				what string
				use  func() bool
			}{{"an authorize", x.authorize}, {"a create", x.create}, {"a rotation", x.rotate}, {"a create for ann", x.createForAnother}, {"a create", x.create}}
			var racing sync.WaitGroup
			for n := range 50 {
				racing.Go(func() { x.try(ways[n%len(ways)].what, ways[n%len(ways)].use) })
			}
			for x.before.Load() < 100 && !t.Failed() {
				_ = x.authorize()
			}
			s := x.do(c.method, "/v1/users/ann/"+c.of, x.admin, `{"reason":"stolen"}`)
			x.answered.Store(true)
			racing.Wait()
			s.expect(t, http.StatusOK, "")
			x.checkNothingWorks(s, c.code)
		})
	}
}

// checkNothingWorks shows each known token. No token was made after the answer.
func (x *thief) checkNothingWorks(s answer, code string) {
	x.t.Helper()
	refused := map[string]int{}
	for _, text := range x.texts {
		refused[x.do("GET", "/v1/session/who-am-i", text, "").expect(x.t, http.StatusUnauthorized, "").problem(x.t).Code]++
	}
	said := decodeAs[httpapi.Suspension](x.t, s)
	live := len(decodeAs[httpapi.List](x.t, x.do("GET", collection+"?user=ann&limit=1000", x.admin, "")).Entries)
	if !said.Suspended || live > said.LiveTokens { // a revocation that began before the answer may end later
		x.t.Errorf("got %s, but %d tokens are live", s.body, live)
	}
	if refused[code] == 0 {
		x.t.Errorf("the tokens were refused as %v, want some with %s", refused, code)
	}
	x.t.Logf("%d uses before, %d tokens, refused as %v", x.before.Load(), len(x.texts), fmt.Sprint(refused))
}
