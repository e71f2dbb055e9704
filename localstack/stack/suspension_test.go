package stack_test

import (
	"context"
	"encoding/json"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/infra/dynamo"
)

const (
	// racers is the number of clients that call while a suspension runs.
	racers = 50

	// lateCalls is the number of calls that must begin after the answer.
	lateCalls = 2 * racers
)

// thief has the secrets of one user, and calls with them. A call is one request,
// which nothing repeats.
type thief struct {
	*stack
	begun, late, accepted atomic.Int64
	answered              atomic.Bool // the suspension has its answer

	mu       sync.Mutex
	known    []string // whole tokens, with those that the calls got
	statuses map[string]int
}

// suspension suspends a user while fifty clients call with every secret of this user
// that they have, and with every secret that they get meanwhile. They authorize at
// the example API, whose authorizer is the service's, and ask who they are; they
// create, rotate another token, and rotate the acting one. No call that begins after
// the answer passes, no known secret authenticates, and no record is written.
func (s *stack) suspension(t *testing.T) {
	judy := newUser("judy")
	admin := s.api.client(s.admin)
	defer s.letUserRace(t, judy.Name)()
	racing := &thief{stack: s, statuses: map[string]int{}}
	for range 5 {
		racing.learn(s.createToken(t, httpapi.CreateRequest{User: judy}).BearerToken.Reveal())
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for n := range racers {
		all.Go(func() { racing.race(t, n, done) })
	}
	waitFor(t, func() bool { return racing.begun.Load() >= 2*racers && racing.accepted.Load() >= 5 })
	begun := time.Now()
	if answer, err := suspended(t.Context(), admin, judy.Name); err != nil || !answer.Suspended {
		t.Errorf("suspending: got %+v, %v", answer, err)
	}
	racing.answered.Store(true)
	t.Logf("the suspension took %v; %d calls began before its answer", time.Since(begun), racing.begun.Load())
	log := dynamo.New(s.root.DynamoDB(t), s.outputs["TokenTableName"])
	version := func() uint64 {
		h, err := log.Head(t.Context(), events.UserStream(judy.Name))
		if err != nil {
			t.Error(err)
		}
		return h.Version
	}
	before := version()
	waitFor(t, func() bool { return racing.late.Load() >= lateCalls })
	close(done)
	all.Wait()
	t.Logf("%d calls, %d of them late, %d commands accepted, %d secrets: %v",
		racing.begun.Load(), racing.late.Load(), racing.accepted.Load(), len(racing.known), racing.statuses)
	if after := version(); after != before {
		t.Errorf("%d records were written after the answer", after-before)
	}
	racing.expectNonePasses(t)
}

// letUserRace gives a user the largest limit and ends the limit of changes. It also
// limits the concurrency of the functions, as concurrentCreates does. The result
// undoes this.
func (s *stack) letUserRace(t *testing.T, user string) (undo func()) {
	t.Helper()
	admin := s.api.client(s.admin)
	was, err := admin.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.ChangeSettings(t.Context(), httpapi.SettingsChange{ChangeRate: new(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.SetLimit(t.Context(), user, new(50)); err != nil {
		t.Fatal(err)
	}
	functions := []string{"AuthorizeFunction", "CreateFunction", "RotateFunction", "SelfFunction", "ExampleFunction"}
	for _, f := range functions {
		s.limitConcurrency(t, f, 4)
	}
	return func() {
		for _, f := range functions {
			s.unlimitConcurrency(t, f)
		}
		if _, err := admin.ChangeSettings(t.Context(), httpapi.SettingsChange{ChangeRate: &was.ChangeRate}); err != nil {
			t.Error(err)
		}
	}
}

// suspended suspends a user. A call that a function without a free instance refuses
// is sent again.
func suspended(ctx context.Context, admin *httpapi.Client, user string) (s httpapi.Suspension, err error) {
	for range 200 {
		s, err = admin.Suspend(ctx, user, "stolen laptop")
		if !slices.Contains([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, statusOf(err)) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return s, err
}

// waitFor waits until a condition holds, for two minutes at most.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if t.Failed() || time.Now().After(deadline) {
			t.Error("the clients do not get far enough")
			return
		}
	}
}

func (f *thief) learn(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = append(f.known, text)
}

func (f *thief) secrets() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[:len(f.known):len(f.known)]
}

// race calls until done is closed, each time with another secret.
func (f *thief) race(t *testing.T, n int, done <-chan struct{}) {
	const tokens = "/v1/auth/access-tokens"
	for i := n; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		known := f.secrets()
		bearer, other := known[i*7%len(known)], known[i*11%len(known)]
		switch i % 6 {
		case 0, 1:
			f.call(t, "authorize", f.example, http.MethodGet, "", bearer)
		case 2:
			f.call(t, "who am I", f.api, http.MethodGet, "/v1/session/who-am-i", bearer)
		case 3:
			f.call(t, "create", f.api, http.MethodPost, tokens, bearer)
		case 4:
			f.call(t, "rotate", f.api, http.MethodPost, tokens+"/"+tokenID(t, other)+"/rotate", bearer)
		case 5:
			f.call(t, "rotate self", f.api, http.MethodPost, tokens+"/self/rotate", bearer)
		}
	}
}

// tokenID returns the id in a whole token.
func tokenID(t *testing.T, text string) string {
	shown, err := secret.Parse(text)
	if err != nil {
		t.Error(err)
	}
	return shown.ID
}

// early are the statuses of calls that race with commits and with the limit of
// tokens.
var early = []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict}

// call makes a call and keeps the secret of its answer. If the call began after the
// answer of the suspension, it must be refused.
func (f *thief) call(t *testing.T, verb string, at site, method, path, bearer string) {
	late := f.answered.Load()
	f.begun.Add(1)
	a, err := at.send(t.Context(), method, path, bearer)
	if err != nil {
		t.Errorf("%s: %v", verb, err)
		return
	}
	f.count(verb, a.code(late))
	switch {
	case a.busy():
		time.Sleep(mathrand.N(200 * time.Millisecond))
	case late:
		if f.late.Add(1); a.status != http.StatusUnauthorized {
			t.Errorf("%s began after the answer of the suspension: got %d %s, want 401", verb, a.status, a.body)
		}
	case !slices.Contains(early, a.status):
		t.Errorf("%s: got %d %s", verb, a.status, a.body)
	case a.status == http.StatusOK && method == http.MethodPost:
		f.accepted.Add(1)
	}
	f.learnFrom(a)
}

// learnFrom keeps the secret of an answer that has one.
func (f *thief) learnFrom(a reply) {
	var made httpapi.Created
	if err := json.Unmarshal(a.body, &made); err == nil && made.BearerToken.Reveal() != "" {
		f.learn(made.BearerToken.Reveal())
	}
}

func (f *thief) count(verb, code string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses[verb+" "+code]++
}

// expectNonePasses uses every known secret at both APIs, which check it in two ways:
// the authorizer, and the function itself.
func (f *thief) expectNonePasses(t *testing.T) {
	var all sync.WaitGroup
	free := make(chan struct{}, 4)
	for _, bearer := range f.secrets() {
		for _, at := range []struct {
			site
			path string
		}{{f.example, ""}, {f.api, "/v1/session/who-am-i"}} {
			free <- struct{}{}
			all.Go(func() {
				defer func() { <-free }()
				a, err := at.send(t.Context(), http.MethodGet, at.path, bearer)
				for err == nil && a.busy() {
					a, err = at.send(t.Context(), http.MethodGet, at.path, bearer)
				}
				if err != nil || a.status != http.StatusUnauthorized {
					t.Errorf("a secret of token %s at %s%s: got %d %s, %v, want 401", tokenID(t, bearer), at.host, at.path, a.status, a.body, err)
				}
			})
		}
	}
	all.Wait()
}
