package main

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/events/token"
	"apitoken/functions/httpapi"
	"apitoken/infra/eventfile"
)

const (
	crashCreates  = 1000
	crashClients  = 8
	crashOwners   = 250
	crashRestarts = 12
	crashLimit    = 5 // the default limit; the test does not change it
)

// TestKilledServerKeepsTokensLimitsAndEvents kills the server at random moments
// while clients create tokens. A create without an answer is repeated with its
// Idempotency-Key after the next start. Afterwards every answered token must
// authorize, each created token must have one answer, no owner may have more tokens
// than the limit, every chain and seal must verify, and
// every committed event must be in the file of events, in the order of each owner.
func TestKilledServerKeepsTokensLimitsAndEvents(t *testing.T) {
	seed := crashSeed(t)
	c := &crash{t: t, dir: filepath.Join(t.TempDir(), "data"), rnd: rand.New(rand.NewPCG(seed, 0)), limit: crashLimit}
	c.run()
	c.checkAnsweredTokens()
	c.endCleanly()
	committed := c.checkStore()
	c.checkOneAnswerForEachToken(committed)
	c.checkEvents(committed)
}

// crashSeed returns the seed of the random choices, and logs it.
func crashSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CRASH_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CRASH_SEED: %v", err)
		}
	}
	t.Logf("CRASH_SEED=%d repeats these choices", seed)
	return seed
}

// crash is one run of the test.
type crash struct {
	t      *testing.T
	dir    string
	rnd    *rand.Rand
	limit  int // live tokens of an owner
	server *server
	owners [crashCreates]string
	next   atomic.Int64 // index in owners of the next create

	mu       sync.Mutex
	answered []secret.Secret
	refused  int
	unknown  int
	lost     []request // without an answer until now
}

// request is one create.
type request struct{ key, owner string }

func (c *crash) start() {
	c.t.Helper()
	s, err := startServer(exec.Command("apitoken", "serve", "--listen", "127.0.0.1:0", "--data", c.dir, "--events-part", "50KB"))
	if err != nil {
		c.t.Fatalf("restarting: %v", err)
	}
	c.server = s
}

// run makes all creates. The clients take the owners one after another from one
// list. The server is started again and again. Each time but the last it is killed
// when a random number of requests have begun and a random time has passed.
func (c *crash) run() {
	for i := range c.owners {
		c.owners[i] = fmt.Sprintf("user%03d", c.rnd.IntN(crashOwners))
	}
	for range crashRestarts {
		c.start()
		// Even if all kills are late, creates are left for the last start.
		c.serveUntilKilled(c.rnd.Int64N(crashCreates/crashRestarts-2*crashClients), time.Duration(c.rnd.IntN(5000))*time.Microsecond)
	}
	c.start()
	c.serveUntilKilled(-1, 0)
	c.t.Logf("%d answered, %d refused at the limit, %d without an answer", len(c.answered), c.refused, c.unknown)
	if c.refused == 0 || c.unknown == 0 || len(c.answered) < crashCreates/2 {
		c.t.Errorf("the run does not show enough: %d answered, %d refused, %d without an answer", len(c.answered), c.refused, c.unknown)
	}
}

// serveUntilKilled lets the clients create tokens until the end of the list, or
// until the server is killed: when after requests have begun and pause has passed.
// A negative after means that the server is not killed.
func (c *crash) serveUntilKilled(after int64, pause time.Duration) {
	admin := c.client(c.admin())
	c.repeatLost(admin)
	var begun atomic.Int64
	var dead atomic.Bool
	var clients sync.WaitGroup
	killed := make(chan struct{})
	for range crashClients {
		clients.Go(func() {
			for !dead.Load() {
				i := c.next.Add(1) - 1
				if i >= crashCreates {
					return
				}
				if begun.Add(1)-1 == after {
					time.AfterFunc(pause, func() {
						dead.Store(true)
						c.server.end(syscall.SIGKILL)
						close(killed)
					})
				}
				c.create(admin, request{crand.Text(), c.owners[i]}, &dead)
			}
		})
	}
	clients.Wait()
	if after >= 0 {
		<-killed
	}
}

// repeatLost sends the creates without an answer again.
func (c *crash) repeatLost(admin *httpapi.Client) {
	lost := c.lost
	c.lost = nil
	for _, r := range lost {
		c.create(admin, r, new(atomic.Bool))
	}
}

func (c *crash) create(admin *httpapi.Client, r request, dead *atomic.Bool) {
	made, err := admin.CreateWithKey(context.Background(), r.key, httpapi.CreateRequest{User: &name.Identity{Name: r.owner}})
	c.mu.Lock()
	defer c.mu.Unlock()
	p, problem := errors.AsType[*httpapi.Problem](err)
	switch {
	case err == nil:
		c.answered = append(c.answered, made.BearerToken)
	case problem && p.Code == "token_limit_reached":
		c.refused++
	case !problem && dead.Load():
		c.unknown++
		c.lost = append(c.lost, r)
	default:
		c.t.Errorf("creating for %s: %v", r.owner, err)
	}
}

func (c *crash) admin() secret.Secret {
	c.t.Helper()
	text, err := datadir.ReadPrivate(filepath.Join(c.dir, "admin.token"))
	if err != nil {
		c.t.Fatal(err)
	}
	return secret.New(text)
}

func (c *crash) client(s secret.Secret) *httpapi.Client {
	return httpapi.NewClient(c.server.url, s, &http.Client{Transport: http.DefaultTransport, Timeout: 30 * time.Second})
}

func (c *crash) checkAnsweredTokens() {
	for i, s := range c.answered {
		if _, err := c.client(s).WhoAmI(context.Background()); err != nil {
			c.t.Errorf("the token of answer %d does not authorize: %v", i, err)
		}
	}
}

// endCleanly ends the last server. A server that has not sent all events within its few
// seconds leaves the rest to the next start, which follows then.
func (c *crash) endCleanly() {
	c.t.Helper()
	for range 10 {
		if err := c.server.end(syscall.SIGTERM); err != nil {
			c.t.Fatalf("ending the last server: %v\n%s", err, c.server.log)
		}
		if !strings.Contains(c.server.log.String(), "the file of events is late") {
			return
		}
		c.start()
	}
	c.t.Fatalf("ten servers did not send all events:\n%s", c.server.log)
}

// checkOneAnswerForEachToken: a token without an answer would take a slot with a
// secret that no client has. A second token for one request would be one too.
func (c *crash) checkOneAnswerForEachToken(committed map[events.Stream][]events.Record) {
	c.t.Helper()
	created := 0
	for s, rs := range committed {
		if owner, _ := s.Owner(); s.Kind() == events.UserStreams && owner != datadir.Admin {
			created += len(rs)
		}
	}
	ids := map[string]bool{}
	for _, s := range c.answered {
		ids[s.Reveal()] = true
	}
	if created != len(c.answered) || len(ids) != created {
		c.t.Errorf("%d tokens were created, %d answers have %d different tokens", created, len(c.answered), len(ids))
	}
}

// checkStore opens the store and checks every stream: its limit, its chain and its
// seal, and that folding its records gives its head. It returns all committed
// records.
func (c *crash) checkStore() map[events.Stream][]events.Record {
	c.t.Helper()
	ctx := c.t.Context()
	f, err := datadir.OpenExisting(ctx, c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	committed := map[events.Stream][]events.Record{}
	streams := []events.Stream{events.SettingsStream, events.UserStream(datadir.Admin), events.SessionStream(datadir.Admin)}
	for n := range crashOwners {
		owner := fmt.Sprintf("user%03d", n)
		streams = append(streams, events.UserStream(owner), events.SessionStream(owner))
	}
	for _, s := range streams {
		if rs := c.checkStream(ctx, f, s); len(rs) > 0 {
			committed[s] = rs
		}
	}
	left, err := f.Store.Pending(ctx, time.Now().Add(time.Hour), 1)
	if err != nil || len(left) > 0 {
		c.t.Errorf("after a clean end the outbox holds %d messages, %v; want none", len(left), err)
	}
	return committed
}

func (c *crash) checkStream(ctx context.Context, f *datadir.Folder, s events.Stream) []events.Record {
	c.t.Helper()
	head, err := f.Store.Head(ctx, s)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := head.Check(f.Keys, s); err != nil {
		c.t.Errorf("the seal: %v", err)
	}
	rs, err := f.Store.History(ctx, s, 0, crashCreates)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := events.Verify(events.Hash{}, rs); err != nil {
		c.t.Errorf("the chain: %v", err)
	}
	if uint64(len(rs)) != head.Version || (len(rs) > 0 && rs[len(rs)-1].Hash != head.Hash) {
		c.t.Errorf("stream %s: its head has version %d, but it has %d records or ends in another hash", s, head.Version, len(rs))
	}
	if s.Kind() == events.UserStreams {
		c.checkFold(s, head, rs)
	}
	return rs
}

// checkFold checks the limit after each record, and the state at the end.
func (c *crash) checkFold(s events.Stream, head events.Head, rs []events.Record) {
	c.t.Helper()
	owner, _ := s.Owner()
	state := token.State{Owner: owner}
	for _, r := range rs {
		fact, err := events.Decode(r)
		if err != nil {
			c.t.Fatal(err)
		}
		state = token.Fold(state, fact, r.At)
		if n := state.Live(r.At); n > c.limit {
			c.t.Errorf("%s: %d live tokens, the limit is %d", r.ID(), n, c.limit)
		}
	}
	if len(rs) == 0 {
		return
	}
	got, err := token.EncodeState(state)
	if err != nil || !bytes.Equal(got, head.State) {
		c.t.Errorf("stream %s: folding its records gives %s (%v), its head has %s", s, got, err, head.State)
	}
}

// checkEvents reads the file of events. Each committed record must be in it at
// least once. Without the repeated lines each stream must be in order and chained.
func (c *crash) checkEvents(committed map[events.Stream][]events.Record) {
	c.t.Helper()
	got, repeats := c.published()
	total := 0
	for s, rs := range committed {
		total += len(rs)
		if len(got[s]) != len(rs) {
			c.t.Errorf("stream %s: %d events were published, %d records committed", s, len(got[s]), len(rs))
			continue
		}
		if err := events.VerifyMessages(events.Hash{}, got[s]); err != nil {
			c.t.Errorf("the published stream %s: %v", s, err)
		}
		if last := got[s][len(rs)-1].Hash; last != rs[len(rs)-1].Hash {
			c.t.Errorf("the published stream %s ends in %s, want %s", s, last, rs[len(rs)-1].Hash)
		}
	}
	if len(got) != len(committed) {
		c.t.Errorf("%d streams were published, %d were committed", len(got), len(committed))
	}
	c.t.Logf("%d events committed, %d lines repeated", total, repeats)
}

func (c *crash) published() (streams map[events.Stream][]events.Message, repeats int) {
	c.t.Helper()
	streams = map[events.Stream][]events.Message{}
	seen := map[string]bool{}
	for line := range bytes.Lines(c.eventFile()) {
		m := c.message(line)
		if seen[m.ID] {
			repeats++
			continue
		}
		seen[m.ID] = true
		streams[m.Stream] = append(streams[m.Stream], m)
	}
	return streams, repeats
}

// eventFile reads all parts of the file of events.
func (c *crash) eventFile() (all []byte) {
	c.t.Helper()
	parts, err := eventfile.Parts(filepath.Join(c.dir, "events.jsonl"))
	for _, part := range parts {
		b, rerr := os.ReadFile(part)
		all, err = append(all, b...), errors.Join(err, rerr)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("the file of events has %d parts", len(parts))
	return all
}

// message reads a line. It has the same members as an event of EventBridge.
func (c *crash) message(b []byte) events.Message {
	c.t.Helper()
	var line struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(b, &line); err != nil {
		c.t.Fatalf("a line of events.jsonl: %v: %q", err, b)
	}
	m, err := events.ParseDetail(line.Detail)
	if err != nil {
		c.t.Fatal(err)
	}
	if line.Source != events.Source || line.DetailType != m.Type {
		c.t.Errorf("event %s comes from %q with detail-type %q, want %q and %q", m.ID, line.Source, line.DetailType, events.Source, m.Type)
	}
	return m
}
