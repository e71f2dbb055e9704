package attack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/settings/settingstest"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

var keys = func() events.Keys {
	k, err := events.ParseKeys("k1:" + strings.Repeat("QUJD", 11))
	if err != nil {
		panic(err)
	}
	return k
}()

const (
	collection = "/v1/auth/access-tokens"
	whoAmI     = "/v1/session/who-am-i"

	inRange    = "10.1.2.3"
	outOfRange = "192.0.2.1"
)

// scene is the whole service over HTTP on a store under attack.
type scene struct {
	testing.TB
	victim  victim
	now     time.Time
	store   events.Store // of the handler
	handler http.Handler
	issuer  *issuer.Issuer // of the handler
	admin   *held
	held    []*held
	opened  []*held          // sessions, see openSessions
	past    map[place][]item // the earlier and the present states of each item
	copies  copies
	notices []place       // the items of notices
	log     *bytes.Buffer // of the service since its last start
	open    func(testing.TB) victim
	remote  *remote // the service in other processes, which answers all calls; nil: handler answers
}

// held is a token or a session of the scene, and the truth about it.
type held struct {
	name, id, text, owner string

	scopes  []string
	ranges  []string
	expires time.Time // zero: never
	revoked bool
	off     bool // disabled, or its owner is suspended

	permissions []string // of a session, from groups

	old      string    // the outgoing secret with the id; empty: never rotated
	oldUntil time.Time // the end of its grace
}

// newScene makes a service with settings of several versions, and tokens of all
// kinds. Each item has its earlier states in past.
func newScene(t testing.TB, open func(testing.TB) victim) *scene {
	t.Helper()
	return newSceneServed(t, open, nil)
}

// newSceneServed is newScene with a service in other processes, which serve starts
// after the bootstrap. They use the clock of the machine, so the times of the scene are
// short then.
func newSceneServed(t testing.TB, open func(testing.TB) victim, serve func(*scene) *remote) *scene {
	t.Helper()
	s := &scene{TB: t, open: open, victim: open(t), now: time.Date(2026, 11, 21, 20, 59, 57, 642000000, time.UTC), past: map[place][]item{}, copies: copies{}}
	if serve != nil {
		s.now = time.Now().UTC()
	}
	s.bootstrap()
	brief := "60s"
	if serve != nil {
		s.remote, brief = serve(s), "1s"
	}
	for _, wish := range []wish{
		{Name: "plain", Owner: "ann"},
		{Name: "scoped", Owner: "ann", Scopes: []string{"GET " + collection + "*", "POST /elsewhere"}},
		{Name: "bound", Owner: "ann", SourceIPs: []string{"10.0.0.0/8", "2001:db8::/32"}},
		{Name: "full", Owner: "ann", Description: "of ann", ExpiresIn: "1H", Scopes: []string{"GET " + collection + "*", "POST /elsewhere"}, SourceIPs: []string{"10.0.0.0/8", "2001:db8::/32"}},
		{Name: "other", Owner: "bob"},
		{Name: "ended", Owner: "bob", Description: "of bob", ExpiresIn: "1H", Scopes: []string{"GET " + collection + "*"}, SourceIPs: []string{"10.0.0.0/8"}},
		{Name: "revoked", Owner: "ann"},
		{Name: "expired", Owner: "bob", ExpiresIn: brief},
		{Name: "lapsed", Owner: "ann", ExpiresIn: brief},
		{Name: "evan", Owner: "evan"},
		{Name: "rotated", Owner: "ann"},
		{Name: "replaced", Owner: "evan"},
		{Name: "disabled", Owner: "bob"},
		{Name: "suspended", Owner: "sue"},
	} {
		s.create(wish)
		s.remember()
	}
	s.changeLives()
	s.advance(5 * time.Minute)
	for _, name := range []string{"ended", "revoked"} {
		s.mustRevoke(s.token(name)) // a command of the owner also records the past expiries
		s.remember()
	}
	s.touchAll()
	s.collect()
	s.remember()
	return s
}

// bootstrap makes the administrator, and settings of several versions. In an
// earlier one evan has all permissions, and the limit is higher.
func (s *scene) bootstrap() {
	s.Helper()
	s.restart()
	i := issuer.New(issuer.Config{Store: s.victim.service(s), Keys: keys, Now: s.clock})
	made, text, err := i.Bootstrap(s.Context(), "admin", false)
	if err != nil {
		s.Fatal(err)
	}
	s.admin = &held{name: "admin", id: made.ID, text: text.Reveal(), owner: "admin"}
	s.held = append(s.held, s.admin)
	s.remember()
	for _, c := range []settings.Command{
		settings.Change{TokenLimit: new(50), ChangeRate: new(0)}, settings.Grant{User: "evan", Actions: settings.Actions()},
		settings.Grant{User: "evan"}, settings.Change{TokenLimit: new(tokenLimit)},
	} {
		s.change(c)
		s.remember()
	}
	s.restart()
}

const tokenLimit = 10

// change changes the settings.
func (s *scene) change(c settings.Command) {
	s.Helper()
	settingstest.Apply(s, s.victim.service(s), keys, s.now, 0, c)
}

func (s *scene) clock() time.Time { return s.now }

func (s *scene) advance(d time.Duration) {
	if s.remote != nil {
		time.Sleep(min(d/100, 2*time.Second))
		s.now = time.Now().UTC()
	} else {
		s.now = s.now.Add(d)
	}
	s.restart()
}

// restart starts the service again. It then has no cached settings.
func (s *scene) restart() {
	s.Helper()
	s.store = s.victim.service(s)
	s.log = &bytes.Buffer{}
	logger := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelError}))
	s.issuer = issuer.New(issuer.Config{Store: s.store, Keys: keys, Now: s.clock, Logger: logger})
	s.handler = machine.New(machine.Config{
		Issuer: s.issuer, Guard: s.issuer.Guard(), Now: s.clock, Deployment: "51af3dc0-da77-11e4-872e-1234567db123", Logger: logger,
	}, httpapi.Face())
}

// remember adds the present state of each item to past.
func (s *scene) remember() map[place]item {
	s.Helper()
	all := s.victim.items(s)
	for p, i := range all {
		if known := s.past[p]; len(known) == 0 || !reflect.DeepEqual(known[len(known)-1], i) {
			s.past[p] = append(known, i)
		}
	}
	s.restart()
	return all
}

// older returns the earlier states of an item.
func (s *scene) older(p place, present item) []item {
	return slices.DeleteFunc(slices.Clone(s.past[p]), func(i item) bool { return reflect.DeepEqual(i, present) })
}

// answer is an answer of the service.
type answer struct {
	status int
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func (a answer) fault() bool { return a.status >= 500 }

// call sends a request with a token from an address.
func (s *scene) call(by *held, method, path, from, body string) answer {
	s.Helper()
	if s.victim.service(s) != s.store {
		s.restart() // the attacker has closed the store
	}
	r := httptest.NewRequestWithContext(s.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 40000).String()
	r.Header.Set("Authorization", "Bearer "+by.text)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.remote != nil {
		a := s.remote.call(s, r, from)
		s.now = time.Now().UTC()
		return a
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Body.Bytes()}
}

func decoded[T any](s *scene, a answer) (v T) {
	s.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		s.Fatalf("decoding the answer %s: %v", a, err)
	}
	return v
}

// wish is the body of a create.
type wish struct {
	Owner       string   `json:"-"`
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	ExpiresIn   string   `json:"expires_in,omitempty"`
	Scopes      []string `json:"scopes,omitempty"`
	SourceIPs   []string `json:"source_ips,omitempty"`
}

// askCreate sends a create of the administrator for a user.
func (s *scene) askCreate(w wish) answer {
	s.Helper()
	body, err := json.Marshal(struct {
		User map[string]string `json:"user"`
		wish
	}{map[string]string{"name": w.Owner}, w})
	if err != nil {
		s.Fatal(err)
	}
	return s.call(s.admin, "POST", collection, inRange, string(body))
}

func (s *scene) create(w wish) *held {
	s.Helper()
	a := s.askCreate(w)
	if a.status != http.StatusOK {
		s.Fatalf("creating %+v: got %s", w, a)
	}
	return s.hold(w, a)
}

// hold adds the token of an answer to the truth.
func (s *scene) hold(w wish, a answer) *held {
	s.Helper()
	made := decoded[httpapi.Created](s, a)
	h := &held{name: cmp.Or(w.Name, made.ID), id: made.ID, text: made.BearerToken.Reveal(), owner: w.Owner, scopes: w.Scopes, ranges: w.SourceIPs}
	if w.ExpiresIn != "" {
		h.expires = made.ExpirationTime.Time
	}
	s.held = append(s.held, h)
	return h
}

func (s *scene) token(name string) *held {
	s.Helper()
	all := s.all()
	n := slices.IndexFunc(all, func(h *held) bool { return h.name == name })
	if n < 0 {
		s.Fatalf("the scene has no token or session %s", name)
	}
	return all[n]
}

// all returns the tokens and the sessions.
func (s *scene) all() []*held { return slices.Concat(s.held, s.opened) }

func (s *scene) askRevoke(h *held) answer {
	s.Helper()
	return s.call(s.admin, "DELETE", collection+"/"+h.id, inRange, "")
}

func (s *scene) mustRevoke(h *held) {
	s.Helper()
	if a := s.askRevoke(h); a.status != http.StatusOK {
		s.Fatalf("revoking %s: got %s", h.name, a)
	}
	h.revoked = true
}

// touchAll uses each live token, so that each has a stored use.
func (s *scene) touchAll() {
	s.Helper()
	for _, h := range s.held {
		s.call(h, "GET", whoAmI, inRange, "")
	}
}

// copies are the audit copies: every event in the order of its stream.
type copies map[events.Stream][]events.Message

// collect takes copies of all events in the outbox.
func (s *scene) collect() {
	s.Helper()
	ms, err := s.victim.service(s).Pending(s.Context(), s.now.Add(year), math.MaxInt32)
	if err != nil {
		s.Fatal(err)
	}
	for _, m := range ms {
		if m.Stream != "" { // a notice is in no stream
			s.copies[m.Stream] = append(s.copies[m.Stream], m)
		}
	}
}

// Copy implements audit.Reader.
func (c copies) Copy(_ context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	ms := slices.DeleteFunc(slices.Clone(c[s]), func(m events.Message) bool { return m.Seq <= after })
	return ms[:min(len(ms), limit)], nil
}
