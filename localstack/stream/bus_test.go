package stream_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	"apitoken/events"
)

// busFault is a fault of the bus for all events.
type busFault int

const (
	healthy    busFault = iota
	down                // every PutEvents fails, and no event is stored
	unanswered          // every PutEvents stores its events and answers with an error
)

// busProxy is an HTTP proxy between the functions and the engine's EventBridge.
// It can fail, and it records which events the bus got.
type busProxy struct {
	engine string // the engine's URL
	url    string

	mu      sync.Mutex
	fault   busFault
	refused map[events.Stream]bool // the bus refuses these streams and accepts the others of the same call
	stored  []events.Message       // in the order in which the bus accepted them
	tried   map[string]int         // number of puts of each event, by id
}

func newBusProxy(t *testing.T, engine string) *busProxy {
	p := &busProxy{engine: engine, refused: map[events.Stream]bool{}, tried: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// set sets the fault of the bus, and the streams whose events the bus refuses.
func (p *busProxy) set(fault busFault, refused ...events.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.refused = fault, map[events.Stream]bool{}
	for _, s := range refused {
		p.refused[s] = true
	}
}

type putEvents struct {
	Entries []json.RawMessage
}

type putResults struct {
	FailedEntryCount int
	Entries          []object
}

func (p *busProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
		status, answer := p.forward(r, body)
		reply(w, status, answer)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.put(w, r, body)
}

// put forwards the entries that the bus accepts, and answers for all entries.
func (p *busProxy) put(w http.ResponseWriter, r *http.Request, body []byte) {
	var in, pass putEvents
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ms := make([]events.Message, len(in.Entries))
	var passed []events.Message
	for i, e := range in.Entries {
		ms[i] = messageOf(e)
		p.tried[ms[i].ID]++
		if p.fault != down && !p.refused[ms[i].Stream] {
			pass.Entries, passed = append(pass.Entries, e), append(passed, ms[i])
		}
	}
	var out putResults
	if len(pass.Entries) > 0 {
		forwarded, _ := json.Marshal(pass)
		status, answer := p.forward(r, forwarded)
		if status != http.StatusOK || json.Unmarshal(answer, &out) != nil || out.FailedEntryCount > 0 {
			reply(w, status, answer)
			return
		}
		p.stored = append(p.stored, passed...)
	}
	if p.fault != healthy {
		reply(w, http.StatusInternalServerError, []byte(`{"__type":"InternalException","message":"a fault of the test"}`))
		return
	}
	answer, _ := json.Marshal(p.mergeResults(ms, out))
	reply(w, http.StatusOK, answer)
}

// mergeResults returns the results for all entries. Forwarded entries have the
// engine's results.
func (p *busProxy) mergeResults(ms []events.Message, engines putResults) (all putResults) {
	for _, m := range ms {
		if p.refused[m.Stream] {
			all.FailedEntryCount++
			all.Entries = append(all.Entries, object{"ErrorCode": "ThrottlingException", "ErrorMessage": "a fault of the test"})
			continue
		}
		all.Entries, engines.Entries = append(all.Entries, engines.Entries[0]), engines.Entries[1:]
	}
	return all
}

// messageOf returns the event of an entry, or the zero Message for other events.
func messageOf(entry json.RawMessage) events.Message {
	var e struct{ Detail string }
	if json.Unmarshal(entry, &e) != nil {
		return events.Message{}
	}
	m, err := events.ParseDetail([]byte(e.Detail))
	if err != nil {
		return events.Message{}
	}
	return m
}

// forward sends a request to the engine.
func (p *busProxy) forward(r *http.Request, body []byte) (status int, answer []byte) {
	on, err := http.NewRequestWithContext(r.Context(), r.Method, p.engine+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	on.Header = r.Header.Clone()
	on.Header.Del("Accept-Encoding")
	on.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp, err := http.DefaultClient.Do(on)
	if err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		return http.StatusBadGateway, []byte(err.Error())
	}
	return resp.StatusCode, answer
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	w.Write(body)
}

// puts returns how often a function tried to put an event.
func (p *busProxy) puts(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried[id]
}

// accepted returns how often the bus accepted an event.
func (p *busProxy) accepted(id string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.stored {
		if m.ID == id {
			n++
		}
	}
	return n
}

// checkOrder checks what must hold at any time: the bus accepted no event before
// its predecessor, and a repeated event has the same content.
func (p *busProxy) checkOrder(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	stored := slices.Clone(p.stored)
	p.mu.Unlock()
	first := map[string]events.Message{}
	last := map[events.Stream]uint64{}
	for _, m := range stored {
		earlier, again := first[m.ID]
		switch {
		case m.ID == "":
			t.Error("the bus accepted an entry that is no event")
		case again && (earlier.Hash != m.Hash || !bytes.Equal(earlier.Data, m.Data)):
			t.Errorf("%s was repeated with other content", m.ID)
		case !again && m.Seq != last[m.Stream]+1:
			t.Errorf("%s arrived after number %d of its stream", m.ID, last[m.Stream])
		}
		if !again {
			first[m.ID], last[m.Stream] = m, m.Seq
		}
	}
}
