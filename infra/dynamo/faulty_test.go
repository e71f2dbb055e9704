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

// faulty is a transport between the SDK and the engine. It makes requests fail
// in every way that a network and DynamoDB have. The request's context sets the
// share of failed requests.
type faulty struct {
	engine http.RoundTripper

	mu    sync.Mutex
	rand  *rand.Rand
	late  []*http.Request // reported as failed, and to be sent later
	count map[string]int  // faults by kind
}

func newFaulty(seed uint64) *faulty {
	return &faulty{engine: &http.Transport{MaxIdleConnsPerHost: 64}, rand: rand.New(rand.NewPCG(seed, seed)), count: map[string]int{}}
}

type rateKey struct{}

// withFaults lets this share of the context's requests fail.
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
	r = copyOf(r, body)
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
		f.keep(copyOf(r, body))
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
		f.keep(copyOf(r, body))
		return response(r, fault("TransactionInProgressException")), nil
	}
	return f.engine.RoundTrip(r)
}

var kinds = []string{"unapplied", "unanswered", "late", "internal", "applied internal", "throttled", "exceeded", "conflict", "in progress"}

// choose returns the kind of fault for a request, "" for none. It may also
// return an earlier request that is to be sent now.
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
// forgotten the first. DynamoDB forgets it after ten minutes, emulators
// immediately. Then only the conditions and the log prevent that the transaction
// is applied twice.
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

// apply sends a request and drops its answer.
func (f *faulty) apply(r *http.Request) {
	if resp, err := f.engine.RoundTrip(r); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// land sends all requests that are to be sent later.
func (f *faulty) land() {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	for _, r := range late {
		f.apply(r)
	}
}

// copyOf returns a copy of the request for a later time: it does not end with
// the context of its caller.
func copyOf(r *http.Request, body []byte) *http.Request {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

// conflictOf is the answer to a transaction with one busy item.
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
