package processes

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/lease"
	"apitoken/events/name"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/infra/dynamo"
	tablelease "apitoken/infra/dynamo/lease"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// scene is a table with its processes.
type scene struct {
	*testing.T
	arrivals
	table *drive.Table
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return &scene{T: t, table: drive.NewTable(t)}
}

// process is a process with its bus.
type process struct {
	*drive.Service
	*bus
	name  string
	admin *httpapi.Client
}

// start starts a process that sends events.
func (s *scene) start(name string) *process {
	s.Helper()
	p := &process{name: name, bus: newBus(s.T, name, &s.arrivals)}
	p.Service = s.table.Serve(p.environment(), "--bus", "tokens")
	p.admin = s.client(p.Service, s.table.Admin)
	return p
}

func (s *scene) client(p *drive.Service, token string) *httpapi.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 200}
	s.Cleanup(transport.CloseIdleConnections)
	return httpapi.NewClient("http://"+net.JoinHostPort(p.Host, p.Port), secret.New(token), &http.Client{Transport: transport, Timeout: 2 * time.Minute})
}

// create makes a token. It sends the same request again as long as the answer asks for
// that.
func (s *scene) create(c *httpapi.Client, in httpapi.CreateRequest) (made httpapi.Created, err error) {
	key := rand.Text()
	err = untilAvailable(func() error {
		made, err = c.CreateWithKey(s.Context(), key, in)
		return err
	})
	return made, err
}

// revoke ends a token. After an answer that asks for the same request again the token may
// have ended already.
func (s *scene) revoke(c *httpapi.Client, id string) error {
	tries := 0
	err := untilAvailable(func() error { tries++; return c.Revoke(s.Context(), id) })
	if p, is := errors.AsType[*httpapi.Problem](err); is && tries > 1 && p.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// untilAvailable calls call again as long as its answer asks for that.
func untilAvailable(call func() error) error {
	for {
		err := call()
		if p, is := errors.AsType[*httpapi.Problem](err); !is || !p.Retryable || p.Code != "unavailable" {
			return err
		}
	}
}

func wishOf(owner string) httpapi.CreateRequest {
	return httpapi.CreateRequest{User: &name.Identity{Name: owner}}
}

// holder waits until an event has arrived, and returns the process that sent the last
// one and the other process.
func (s *scene) holder(a, b *process) (holder, other *process) {
	s.Helper()
	engines.Eventually(s, time.Minute, "an event arrives", func() string {
		if len(s.list()) == 0 {
			return a.Log() + b.Log()
		}
		return ""
	})
	if all := s.list(); all[len(all)-1].by == b.name {
		return b, a
	}
	return a, b
}

// renewed waits until the lease of the relay is renewed.
func (s *scene) renewed() {
	s.Helper()
	leases := tablelease.New(s.table.Client, s.table.Name)
	read := func() lease.Entry {
		e, err := leases.Lease(s.Context(), "relay")
		if err != nil {
			s.Fatal(err)
		}
		return e
	}
	before := read()
	engines.Eventually(s, time.Minute, "the lease is renewed", func() string {
		if read().Beat == before.Beat {
			return "not yet"
		}
		return ""
	})
}

// work creates and revokes tokens of some users at the processes, until stop is called.
// A call at a process that is killed may fail.
func (s *scene) work(processes ...*process) (stop func(), without func(*process)) {
	var gone atomic.Pointer[process]
	ended := make(chan struct{})
	var all sync.WaitGroup
	for n, owner := range owners {
		all.Go(func() {
			for i := n; ; i++ {
				select {
				case <-ended:
					return
				case <-time.After(100 * time.Millisecond):
				}
				p := processes[i%len(processes)]
				if p == gone.Load() {
					continue
				}
				made, err := s.create(p.admin, wishOf(owner))
				if err == nil {
					err = s.revoke(p.admin, made.ID)
				}
				_, answered := errors.AsType[*httpapi.Problem](err)
				if err != nil && (answered || p != gone.Load()) {
					s.Errorf("at %s: %v", p.name, err)
				}
			}
		})
	}
	return func() {
		close(ended)
		all.Wait()
	}, func(p *process) { gone.Store(p) }
}

var owners = []string{"ann", "bob", "cyd", "dan"}

// expectAllArrived waits until each record of the log has arrived, and expects that each
// stream arrived in its order, with repeats.
func (s *scene) expectAllArrived() {
	s.Helper()
	want := s.records()
	engines.Eventually(s, time.Minute, "all events arrive", func() string {
		got := map[string]bool{}
		for _, a := range s.list() {
			got[a.ID] = true
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(id string) bool { return got[id] })
		if len(missing) == 0 {
			return ""
		}
		return fmt.Sprintf("%d of %d events are missing: %q", len(missing), len(want), missing[:min(5, len(missing))])
	})
	last := map[events.Stream]uint64{}
	for _, a := range s.list() {
		if a.Stream == "" {
			continue
		}
		if a.Seq > last[a.Stream]+1 {
			s.Errorf("%s arrived after %d of its stream", a.ID, last[a.Stream])
		}
		last[a.Stream] = max(last[a.Stream], a.Seq)
	}
	engines.Eventually(s, time.Minute, "the outbox is empty", func() string {
		ms, err := dynamo.New(s.table.Client, s.table.Name).Pending(s.Context(), time.Now().Add(time.Hour), 1000)
		if err != nil || len(ms) > 0 {
			return fmt.Sprintf("%d messages, %v", len(ms), err)
		}
		return ""
	})
}

// records are the ids of all records in the table.
func (s *scene) records() (ids []string) {
	s.Helper()
	store := dynamo.New(s.table.Client, s.table.Name)
	streams := []events.Stream{events.SettingsStream, events.UserStream("admin")}
	for _, owner := range owners {
		streams = append(streams, events.UserStream(owner))
	}
	for _, stream := range streams {
		rs, err := store.History(s.Context(), stream, 0, 100_000)
		if err != nil {
			s.Fatal(err)
		}
		for _, r := range rs {
			ids = append(ids, r.ID())
		}
	}
	return ids
}
