package dynamo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// faulty stands between the SDK and the engine and makes requests go wrong in
// every way that a network and DynamoDB have, in the proportion that the
// request's context asks for.
type faulty struct {
	engine http.RoundTripper

	mu    sync.Mutex
	rand  *rand.Rand
	late  []*http.Request // sent by nobody yet, though already reported as failed
	count map[string]int  // faults by kind
}

func newFaulty(seed uint64) *faulty {
	return &faulty{engine: &http.Transport{MaxIdleConnsPerHost: 64}, rand: rand.New(rand.NewPCG(seed, seed)), count: map[string]int{}}
}

type rateKey struct{}

// withFaults asks for this share of the context's requests to go wrong.
func withFaults(ctx context.Context, rate float64) context.Context {
	return context.WithValue(ctx, rateKey{}, rate)
}

var (
	errUnapplied  = errors.New("injected: connection refused")
	errUnanswered = errors.New("injected: connection reset")
)

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	kind, due := f.choose(r, body)
	r = again(r, body)
	if due != nil {
		f.apply(due)
	}
	transaction := strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems")
	switch {
	case kind == "unapplied":
		return nil, errUnapplied
	case kind == "unanswered":
		f.apply(r)
		return nil, errUnanswered
	case kind == "late":
		f.keep(again(r, body))
		return nil, errUnanswered
	case kind == "internal":
		return response(r, internal), nil
	case kind == "applied internal":
		f.apply(r)
		return response(r, internal), nil
	case kind == "throttled":
		return response(r, fault("ThrottlingException")), nil
	case kind == "exceeded":
		return response(r, fault("ProvisionedThroughputExceededException")), nil
	case kind == "conflict" && transaction:
		return response(r, conflictOf(body)), nil
	case kind == "in progress" && transaction:
		f.keep(again(r, body))
		return response(r, fault("TransactionInProgressException")), nil
	}
	return f.engine.RoundTrip(r)
}

var kinds = []string{"unapplied", "unanswered", "late", "internal", "applied internal", "throttled", "exceeded", "conflict", "in progress"}

// choose says what becomes of a request, and may give one that lands late.
func (f *faulty) choose(r *http.Request, body []byte) (kind string, due *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rand.IntN(2) == 0 {
		f.forget(body)
	}
	if len(f.late) > 0 && f.rand.IntN(4) == 0 {
		due, f.late = f.late[0], f.late[1:]
	}
	if rate, _ := r.Context().Value(rateKey{}).(float64); f.rand.Float64() < rate {
		kind = kinds[f.rand.IntN(len(kinds))]
		f.count[kind]++
	}
	return kind, due
}

// forget gives a transaction another client request token, as if the engine had
// forgotten it, which DynamoDB does after ten minutes and emulators at once. It
// is then the conditions and the log alone that keep it from being done twice.
func (f *faulty) forget(body []byte) {
	member := []byte(`"ClientRequestToken":"`)
	if at := bytes.Index(body, member); at >= 0 {
		for i := range 8 {
			body[at+len(member)+i] = byte('a' + f.rand.IntN(26))
		}
	}
}

func (f *faulty) keep(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = append(f.late, r)
}

// apply sends a request whose answer nobody sees.
func (f *faulty) apply(r *http.Request) {
	if resp, err := f.engine.RoundTrip(r); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// land sends what is still to land.
func (f *faulty) land() {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	for _, r := range late {
		f.apply(r)
	}
}

// again is the request to be sent later: it does not end with its caller.
func again(r *http.Request, body []byte) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// conflictOf is the answer to a transaction of which one item was busy.
func conflictOf(body []byte) answer {
	var in struct{ TransactItems []json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil {
		panic(err)
	}
	reasons := make([]string, len(in.TransactItems))
	for i := range reasons {
		reasons[i] = ok
	}
	reasons[0] = "TransactionConflict"
	return cancelled(reasons...)
}
