package metrics_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/metrics"
	"apitoken/cmd/readme/readmetest"
	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/relay"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/forward"
	"apitoken/functions/httpapi/machine"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

// scene is a service with metrics, on a store and a bus that can fail.
type scene struct {
	*testing.T
	m              *metrics.Metrics
	store          *brokenStore
	bolt           *bolt.Store
	bus            *brokenBus
	issuer         *issuer.Issuer
	relay          *relay.Relay
	api, forward   http.Handler
	log            bytes.Buffer
	notReady       error
	opened, now    time.Time
	id, text, past string // a token of ann, and its secret before the rotation, whose grace is over
}

// brokenStore fails in the ways that are set.
type brokenStore struct {
	events.Store
	token, touch, notify error
	conflicts            int // of the next commits
}

func (s *brokenStore) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	if s.token != nil {
		return events.View{}, events.Use{}, s.token
	}
	return s.Store.Token(ctx, id)
}

func (s *brokenStore) Touch(ctx context.Context, id string, u events.Use) error {
	return cmp.Or(s.touch, s.Store.Touch(ctx, id, u))
}

func (s *brokenStore) Notify(ctx context.Context, m events.Message) error {
	return cmp.Or(s.notify, s.Store.Notify(ctx, m))
}

func (s *brokenStore) Commit(ctx context.Context, c events.Commit) error {
	if s.conflicts > 0 {
		s.conflicts--
		return events.ErrConflict
	}
	return s.Store.Commit(ctx, c)
}

// brokenBus takes no message while fault is set.
type brokenBus struct{ fault error }

func (b *brokenBus) Put(context.Context, []events.Message) (map[string]error, error) {
	return nil, b.fault
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, bolt: bolttest.Open(t), bus: &brokenBus{}, opened: time.Now().UTC().Truncate(time.Microsecond)}
	s.now = s.opened
	clock := func() time.Time { return s.now }
	s.store = &brokenStore{Store: s.bolt}
	s.m = metrics.New("1.2.3", clock)
	logger := s.m.Logger(slog.New(slog.NewJSONHandler(&s.log, nil)))
	s.issuer = issuer.New(issuer.Config{Store: s.m.Counted(s.store), Keys: storetest.Keys, Now: clock, Logger: logger, Judged: s.m.Verdict, Introspected: s.m.Introspected})
	s.relay = relay.New(relay.Config{Outbox: s.bolt, Bus: s.m.Bus(s.bus), Logger: logger})
	s.api = machine.New(machine.Config{Issuer: s.issuer, Guard: s.issuer.Guard(), Logger: logger, Deployment: s.bolt.Deployment(), Observe: s.m.Request}, faces.All()...)
	s.forward = forward.New(forward.Config{Guard: s.issuer.Guard(), Logger: logger, Observe: s.m.Request})
	s.m.Watch(metrics.Sources{Guard: s.issuer.Guard(), Store: s.bolt, Ready: func(context.Context) error { return s.notReady }, Opened: s.opened})
	s.mint()
	return s
}

// mint makes the token of the scene.
func (s *scene) mint() {
	s.Helper()
	ann := guard.Principal{Owner: "ann"}
	made, before, err := s.issuer.Create(s.Context(), ann, "", token.Wish{})
	if err != nil {
		s.Fatal(err)
	}
	none := time.Duration(0)
	_, after, err := s.issuer.Rotate(s.Context(), ann, made.ID, nil, &none)
	if err != nil {
		s.Fatal(err)
	}
	s.id, s.text, s.past = made.ID, after.Reveal(), before.Reveal()
}

// call sends a request to the API. It returns nothing: the metrics say what happened.
func (s *scene) call(method, path, token string) {
	r := httptest.NewRequestWithContext(s.Context(), method, path, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("User-Agent", hostile)
	s.api.ServeHTTP(httptest.NewRecorder(), r)
}

// introspect asks the API about a token.
func (s *scene) introspect(text string) {
	r := httptest.NewRequestWithContext(s.Context(), "POST", "/v1/auth/authorize", strings.NewReader(`{"token":"`+text+`"}`))
	r.Header.Set("Authorization", "Bearer "+s.text)
	s.api.ServeHTTP(httptest.NewRecorder(), r)
}

// introspectOAuth asks as a client of OAuth.
func (s *scene) introspectOAuth(text string) {
	r := httptest.NewRequestWithContext(s.Context(), "POST", "/v1/oauth/introspect", strings.NewReader("token="+text))
	r.Header.Set("Authorization", "Bearer "+s.text)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.api.ServeHTTP(httptest.NewRecorder(), r)
}

// ask sends a question of nginx.
func (s *scene) ask(path, token string) {
	r := httptest.NewRequestWithContext(s.Context(), "GET", forward.Prefix+"nginx", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "X-Original-Method": {"GET"}, "X-Original-Uri": {path}, "X-Real-Ip": {"192.0.2.1"}}
	s.forward.ServeHTTP(httptest.NewRecorder(), r)
}

func (s *scene) written() string {
	s.Helper()
	var b bytes.Buffer
	if err := s.m.Write(s.Context(), &b); err != nil {
		s.Fatal(err)
	}
	return b.String()
}

// read returns the value of each series but the buckets and sums of histograms.
func (s *scene) read() map[string]float64 {
	s.Helper()
	values := map[string]float64{}
	for line := range strings.Lines(s.written()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" || strings.Contains(name, "_bucket") || strings.Contains(name, "_seconds_sum") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.Fatalf("the line %q: %v", line, err)
		}
		values[name] = v
	}
	return values
}

// changes are the series with another value than before, with the difference. The store
// may become larger with each of them.
func changes(before, after map[string]float64) map[string]float64 {
	all := map[string]float64{}
	for name, v := range after {
		if v != before[name] && name != "apitoken_store_bytes" {
			all[name] = v - before[name]
		}
	}
	return all
}

// request are the changes that each answer makes.
func request(operation, code string, more map[string]float64) map[string]float64 {
	all := map[string]float64{
		`apitoken_requests_total{operation="` + operation + `",code="` + code + `"}`: 1,
		`apitoken_request_duration_seconds_count{operation="` + operation + `"}`:     1,
	}
	maps.Copy(all, more)
	return all
}

func verdict(code string, n float64) map[string]float64 {
	return map[string]float64{`apitoken_verdicts_total{code="` + code + `"}`: n}
}

func with(m map[string]float64, name string, n float64) map[string]float64 {
	m["apitoken_"+name] = n
	return m
}

// TestEachMetricMovesWithItsEventAlone: each row is one event, with all changes that it
// makes.
func TestEachMetricMovesWithItsEventAlone(t *testing.T) {
	const whoAmI, collection = "/v1/session/who-am-i", "/v1/auth/access-tokens/"
	committed := func(m map[string]float64) map[string]float64 {
		return with(with(m, "commits_total", 1), "commit_duration_seconds_count", 1)
	}
	fault := errors.New("the disk is gone")
	for name, c := range map[string]struct {
		event func(*scene)
		want  map[string]float64
	}{
		"nothing":                             {func(*scene) {}, map[string]float64{}},
		"an answer of the API":                {func(s *scene) { s.call("GET", whoAmI, s.text) }, request("self", "ok", verdict("ok", 1))},
		"no such path":                        {func(s *scene) { s.call("GET", "/no", s.text) }, request("none", "path_not_found", nil)},
		"an answer to a proxy":                {func(s *scene) { s.ask("/", s.text) }, request("forward", "ok", verdict("ok", 1))},
		"a denial":                            {func(s *scene) { s.call("GET", whoAmI, "x") }, request("self", "token_malformed", verdict("token_malformed", 1))},
		"a denial for a proxy":                {func(s *scene) { s.ask("/", "") }, request("forward", "credential_missing", verdict("credential_missing", 1))},
		"a refusal of the rules":              {func(s *scene) { s.call("GET", "/v1/settings", s.text) }, request("settings", "permission_denied", verdict("ok", 1))},
		"an introspection":                    {func(s *scene) { s.introspect(s.text) }, request("introspect", "ok", with(verdict("ok", 1), `introspections_total{code="ok"}`, 1))},
		"an introspection of an older secret": {func(s *scene) { s.introspect(s.past) }, request("introspect", "ok", with(verdict("ok", 1), `introspections_total{code="token_replaced"}`, 1))},
		"an introspection that is refused":    {func(s *scene) { s.introspect("x") }, request("introspect", "permission_denied", verdict("ok", 1))},
		"an introspection of OAuth": {func(s *scene) {
			s.introspectOAuth(s.text)
		}, request("introspect", "ok", with(verdict("ok", 1), `introspections_total{code="ok"}`, 1))},
		"an introspection of OAuth of an older secret": {func(s *scene) {
			s.introspectOAuth(s.past)
		}, request("introspect", "ok", with(verdict("ok", 1), `introspections_total{code="token_replaced"}`, 1))},
		"a commit": {func(s *scene) { s.call("POST", collection, s.text) }, committed(with(request("create", "ok", verdict("ok", 1)), "lag_seconds", 0))},
		"a conflict": {func(s *scene) {
			s.store.conflicts = 2
			s.call("POST", collection, s.text)
		}, committed(with(request("create", "ok", verdict("ok", 1)), "conflicts_total", 2))},
		"a fault of the store": {func(s *scene) {
			s.store.token = fault
			s.call("GET", whoAmI, s.text)
		}, with(request("self", "unavailable", verdict("unavailable", 1)), "faults_total", 1)},
		"a damaged view": {func(s *scene) {
			s.store.token = &events.DamagedView{TokenID: s.id, Reason: errors.New("it has no seal")}
			s.call("GET", whoAmI, s.text)
		}, with(with(request("self", "internal", verdict("internal", 1)), "faults_total", 1), "damaged_total", 1)},
		"a damaged view for a proxy": {func(s *scene) {
			s.store.token = &events.DamagedView{TokenID: s.id, Reason: errors.New("it has no seal")}
			s.ask("/", s.text)
		}, with(with(request("forward", "unavailable", verdict("internal", 1)), "faults_total", 1), "damaged_total", 1)},
		"a use that is dropped": {func(s *scene) {
			s.store.touch = fault
			s.call("GET", whoAmI, s.text)
		}, with(request("self", "ok", verdict("ok", 1)), "uses_not_stored_total", 1)},
		"a notice that is dropped": {func(s *scene) {
			s.store.notify = fault
			s.call("GET", whoAmI, s.past)
		}, with(request("self", "token_replaced", verdict("token_replaced", 1)), "notices_not_stored_total", 1)},
		"events in the file":     {func(s *scene) { s.relay.Once(s.Context()) }, map[string]float64{"apitoken_published_total": 2}},
		"events not in the file": {func(s *scene) { s.bus.fault = fault; s.relay.Once(s.Context()) }, map[string]float64{"apitoken_unpublished_total": 1}},
		"a minute without anything": {func(s *scene) { s.now = s.now.Add(time.Minute) }, map[string]float64{
			"apitoken_lag_seconds": 60, "apitoken_sweep_age_seconds": 60, "apitoken_collection_age_seconds": 60,
		}},
		"a sweep after a minute":      {func(s *scene) { s.now = s.now.Add(time.Minute); s.m.Swept(nil) }, map[string]float64{"apitoken_lag_seconds": 60, "apitoken_collection_age_seconds": 60}},
		"a collection after a minute": {func(s *scene) { s.now = s.now.Add(time.Minute); s.m.Collected(nil) }, map[string]float64{"apitoken_lag_seconds": 60, "apitoken_sweep_age_seconds": 60}},
		"a sweep and a collection that failed": {func(s *scene) { s.now = s.now.Add(time.Minute); s.m.Swept(fault); s.m.Collected(fault) }, map[string]float64{
			"apitoken_lag_seconds": 60, "apitoken_sweep_age_seconds": 60, "apitoken_collection_age_seconds": 60,
		}},
		"the end of readiness": {func(s *scene) { s.notReady = fault }, map[string]float64{"apitoken_ready": -1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			before := s.read()
			c.event(s)
			maps.DeleteFunc(c.want, func(_ string, n float64) bool { return n == 0 })
			if got := changes(before, s.read()); !maps.Equal(got, c.want) {
				t.Errorf("got the changes %v, want %v\n%s", got, c.want, s.log.String())
			}
		})
	}
}

// TestTheLagGrowsWhileTheRelayIsStuck, and is zero when the bus has all messages. The
// fault of the bus is known meanwhile.
func TestTheLagGrowsWhileTheRelayIsStuck(t *testing.T) {
	s := newScene(t)
	s.bus.fault = errors.New("no space left")
	for _, age := range []time.Duration{0, 90 * time.Second, time.Hour} {
		s.now = s.opened.Add(age)
		s.relay.Once(t.Context())
		if got := s.read()["apitoken_lag_seconds"]; got != age.Seconds() || !errors.Is(s.m.BusFault(), s.bus.fault) {
			t.Errorf("after %v: got the lag %v and the fault %v", age, got, s.m.BusFault())
		}
	}
	s.bus.fault = nil
	if _, err := s.relay.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.read()["apitoken_lag_seconds"]; got != 0 || s.m.BusFault() != nil {
		t.Errorf("at the end: got the lag %v and the fault %v", got, s.m.BusFault())
	}
}

// hostile is a text that would break a line or a label, if it were in one.
const hostile = "\"} 1\nevil{x=\""

// TestNoLabelHasATextOfAClient: labels have only words of the program, whatever is in a
// path, a name, a token or a header. The number of series has a bound.
func TestNoLabelHasATextOfAClient(t *testing.T) {
	s := newScene(t)
	for _, path := range []string{"/evil", "/v1/auth/access-tokens/evil", "/v1/users/evil/events", "/api/evil", "//evil", "/v1/auth/access-tokens/?user=evil&evil=1", "/%22%7D%201%0Aevil"} {
		for _, text := range []string{s.text, s.past, "evil", s.text + "evil", ""} {
			for _, method := range []string{"GET", "POST", "EVIL", "DELETE"} {
				s.call(method, path, text)
			}
			s.ask(path, text)
			s.ask(path+hostile, text)
		}
	}
	words := []string{"ok", "replayed", "none", "forward", issuer.ReasonActionMissing}
	words = append(words, machine.Codes()...)
	for _, r := range faces.Routes() {
		words = append(words, r.Function, r.Operation)
	}
	got := s.written()
	for _, secret := range []string{"evil", "ann", s.id, s.text, s.past, "access-tokens", "/v1"} {
		if strings.Contains(got, secret) {
			t.Errorf("the metrics have %q:\n%s", secret, got)
		}
	}
	for name := range s.read() {
		_, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		for label := range strings.SplitSeq(labels, ",") {
			key, value, _ := strings.Cut(label, "=")
			if value = strings.Trim(value, `"`); (key == "operation" || key == "code") && !slices.Contains(words, value) {
				t.Errorf("%s has the label %s", name, label)
			}
		}
	}
}

// TestEachFamilyIsWrittenAsItIsDescribed: with a help, a type and the labels, in one
// place. Only these families are written.
func TestEachFamilyIsWrittenAsItIsDescribed(t *testing.T) {
	s := newScene(t)
	s.call("GET", "/v1/version", "")
	text := s.written()
	for _, f := range metrics.Families() {
		if !strings.Contains(text, "# HELP "+f.Name+" "+f.Help+"\n# TYPE "+f.Name+" "+f.Kind+"\n"+f.Name) {
			t.Errorf("%s is not written after its help and type:\n%s", f.Name, text)
		}
		if strings.HasSuffix(f.Name, "_total") != (f.Kind == "counter") {
			t.Errorf("%s is a %s", f.Name, f.Kind)
		}
	}
	if got := strings.Count(text, "# TYPE "); got != len(metrics.Families()) {
		t.Errorf("got %d families, want %d", got, len(metrics.Families()))
	}
	for name := range s.read() {
		bare, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		bare = strings.TrimSuffix(bare, "_count")
		i := slices.IndexFunc(metrics.Families(), func(f metrics.Family) bool { return f.Name == bare })
		if i < 0 {
			t.Errorf("%s has no family", name)
			continue
		}
		var keys []string
		for label := range strings.SplitSeq(labels, ",") {
			if key, _, ok := strings.Cut(label, "="); ok {
				keys = append(keys, key)
			}
		}
		if !slices.Equal(keys, metrics.Families()[i].Labels) {
			t.Errorf("%s: got the labels %q, want %q", name, keys, metrics.Families()[i].Labels)
		}
	}
}

// TestNilMetricsCountNothing, and change neither the store nor the bus nor the log.
// TestASharedStoreHasNoMetricsOfALocalOne: a table has no size that is known at once, and
// removes by itself what is past its retention.
func TestASharedStoreHasNoMetricsOfALocalOne(t *testing.T) {
	s := newScene(t)
	local := s.read()
	s.m.Watch(metrics.Sources{Guard: s.issuer.Guard(), Store: s.bolt, Ready: func(context.Context) error { return nil }, Opened: s.opened, Shared: true})
	shared := s.read()
	for name := range local {
		if _, there := shared[name]; there == slices.Contains([]string{"apitoken_store_bytes", "apitoken_collection_age_seconds"}, name) {
			t.Errorf("%s: shared has it: %v", name, there)
		}
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	var m *metrics.Metrics
	store, bus, logger := bolttest.Open(t), &brokenBus{}, slog.New(slog.DiscardHandler)
	m.Request("self", "ok", 0)
	m.Verdict(nil, nil)
	m.Introspected("")
	m.Swept(nil)
	m.Collected(nil)
	m.Watch(metrics.Sources{})
	if m.Counted(store) != events.Store(store) || m.Bus(bus) != events.Bus(bus) || m.Logger(logger) != logger {
		t.Error("something is wrapped")
	}
}

// TestREADMEHasEveryMetric compares the README's table with the metrics.
func TestREADMEHasEveryMetric(t *testing.T) {
	const header = "metric"
	var names []string
	for _, f := range metrics.Families() {
		names = append(names, f.Name)
	}
	readmetest.Compare(t, header, readmetest.Names(t, header), names)
}
