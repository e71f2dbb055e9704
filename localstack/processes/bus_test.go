package processes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/events"
)

// arrivals are the events that reached a bus, in their order.
type arrivals struct {
	mu  sync.Mutex
	all []arrival
}

type arrival struct {
	events.Message
	by string // the process that sent it
	at time.Time
}

func (a *arrivals) list() []arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[:len(a.all):len(a.all)]
}

// by returns the arrivals from one process.
func (a *arrivals) by(process string) (own []arrival) {
	for _, one := range a.list() {
		if one.by == process {
			own = append(own, one)
		}
	}
	return own
}

// bus is the EventBridge of one process. It has the bus "tokens".
type bus struct {
	*httptest.Server
	t       *testing.T
	process string
	all     *arrivals

	mu   sync.Mutex
	slow time.Duration // before each answer to PutEvents
	down bool
}

func newBus(t *testing.T, process string, all *arrivals) *bus {
	t.Helper()
	b := &bus{t: t, process: process, all: all}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *bus) set(f func(*bus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

// environment are the variables of the process that sends to this bus.
func (b *bus) environment() []string { return []string{"AWS_ENDPOINT_URL_EVENTBRIDGE=" + b.URL} }

func (b *bus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	slow, down := b.slow, b.down
	b.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var in struct {
		Name    string
		Entries []struct{ Detail string }
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case down:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"__type":"InternalException","message":"down"}`)
	case err != nil:
		b.t.Errorf("a request of %s: %v", b.process, err)
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeEventBus") && in.Name != "tokens":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"ResourceNotFoundException","message":"Event bus %s does not exist."}`, in.Name)
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeEventBus"):
		fmt.Fprintf(w, `{"Name":%q}`, in.Name)
	default:
		var results []string
		for _, e := range in.Entries {
			b.take(e.Detail)
			results = append(results, `{"EventId":"1"}`)
		}
		time.Sleep(slow)
		fmt.Fprintf(w, `{"FailedEntryCount":0,"Entries":[%s]}`, strings.Join(results, ","))
	}
}

func (b *bus) take(detail string) {
	m, err := events.ParseDetail([]byte(detail))
	if err != nil {
		b.t.Errorf("an event of %s: %v", b.process, err)
	}
	b.all.mu.Lock()
	defer b.all.mu.Unlock()
	b.all.all = append(b.all.all, arrival{m, b.process, time.Now()})
}
