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

// busTrouble is what is wrong with the bus.
type busTrouble int

const (
	healthy busTrouble = iota
	down               // every PutEvents fails, and nothing is taken
	mute               // every PutEvents is taken, and answered with a failure
)

// busProxy stands between the functions and the engine's EventBridge. It fails
// on command, and keeps what the bus took.
type busProxy struct {
	engine engine
	url    string

	mu      sync.Mutex
	trouble busTrouble
	refused map[events.Stream]bool // whose events the bus refuses, taking the others of the same call
	took    []events.Message       // in the order in which the bus took them
	tried   map[string]int         // how often each event was to be put, by id
}

func newBusProxy(t *testing.T, e engine) *busProxy {
	p := &busProxy{engine: e, refused: map[events.Stream]bool{}, tried: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// set makes the bus fail; refused are the streams whose events alone do.
func (p *busProxy) set(trouble busTrouble, refused ...events.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.refused = trouble, map[events.Stream]bool{}
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

// put forwards the entries that the bus takes, and answers for all.
func (p *busProxy) put(w http.ResponseWriter, r *http.Request, body []byte) {
	var in, pass putEvents
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ms := make([]events.Message, len(in.Entries))
	var passed []events.Message
	for i, e := range in.Entries {
		ms[i] = message(e)
		p.tried[ms[i].ID]++
		if p.trouble != down && !p.refused[ms[i].Stream] {
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
		p.took = append(p.took, passed...)
	}
	if p.trouble != healthy {
		reply(w, http.StatusInternalServerError, []byte(`{"__type":"InternalException","message":"the test says so"}`))
		return
	}
	answer, _ := json.Marshal(p.merge(ms, out))
	reply(w, http.StatusOK, answer)
}

// merge is the answer for all entries: the engine's for those that it got.
func (p *busProxy) merge(ms []events.Message, engines putResults) (all putResults) {
	for _, m := range ms {
		if p.refused[m.Stream] {
			all.FailedEntryCount++
			all.Entries = append(all.Entries, object{"ErrorCode": "ThrottlingException", "ErrorMessage": "the test says so"})
			continue
		}
		all.Entries, engines.Entries = append(all.Entries, engines.Entries[0]), engines.Entries[1:]
	}
	return all
}

// message is the event of an entry, the zero one if it is none of ours.
func message(entry json.RawMessage) events.Message {
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

func (p *busProxy) forward(r *http.Request, body []byte) (status int, answer []byte) {
	on, err := http.NewRequestWithContext(r.Context(), r.Method, string(p.engine)+r.URL.RequestURI(), bytes.NewReader(body))
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

// times is how often an event was to be put.
func (p *busProxy) times(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tried[id]
}

// taken is how often the bus took an event.
func (p *busProxy) taken(id string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.took {
		if m.ID == id {
			n++
		}
	}
	return n
}

// check holds what must be true of the bus at any time: no event came before
// its predecessor, and each repeat is the event that it repeats.
func (p *busProxy) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	took := slices.Clone(p.took)
	p.mu.Unlock()
	first := map[string]events.Message{}
	last := map[events.Stream]uint64{}
	for _, m := range took {
		earlier, again := first[m.ID]
		switch {
		case m.ID == "":
			t.Error("the bus took something that is no event")
		case again && (earlier.Hash != m.Hash || !bytes.Equal(earlier.Data, m.Data)):
			t.Errorf("%s came again with other content", m.ID)
		case !again && m.Seq != last[m.Stream]+1:
			t.Errorf("%s came when the last of its stream was %d", m.ID, last[m.Stream])
		}
		if !again {
			first[m.ID], last[m.Stream] = m, m.Seq
		}
	}
}
