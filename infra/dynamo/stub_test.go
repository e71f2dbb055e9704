package dynamo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"apitoken/infra/dynamo"
)

// answer is a stub's answer to one request. Without a status the connection
// breaks.
type answer struct {
	status int
	body   string
}

var (
	done     = answer{200, `{}`}
	broken   = answer{}
	internal = answer{500, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"x"}`}
)

func fault(code string) answer {
	return answer{400, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"no"}`, code)}
}

// cancelled is the answer to a transaction that failed for these reasons: one
// for each item, in the order of the items.
func cancelled(reasons ...string) answer {
	var rs []string
	for _, r := range reasons {
		rs = append(rs, fmt.Sprintf(`{"Code":%q,"Item":{"mac":{"S":"a sentinel that is secret"}}}`, r))
	}
	return answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"Transaction cancelled [` +
		strings.Join(reasons, ", ") + `]","CancellationReasons":[` + strings.Join(rs, ",") + `]}`}
}

// stub answers each call with the next planned answer for its operation. It
// repeats the last one.
type stub struct {
	mu    sync.Mutex
	plan  map[string][]answer
	calls []call
}

type call struct {
	op   string
	body []byte
}

var errBroken = errors.New("connection reset by peer")

func (s *stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.calls = append(s.calls, call{op, body})
	if len(s.plan[op]) == 0 {
		return nil, fmt.Errorf("%s was not expected", op)
	}
	a := s.plan[op][0]
	if len(s.plan[op]) > 1 {
		s.plan[op] = s.plan[op][1:]
	}
	if a.status == 0 {
		return nil, errBroken
	}
	return response(r, a), nil
}

func response(r *http.Request, a answer) *http.Response {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader([]byte(a.body))), ContentLength: int64(len(a.body)), Request: r,
	}
}

// of returns the bodies of the calls of one operation.
func (s *stub) of(op string) (bodies [][]byte) {
	for _, c := range s.calls {
		if c.op == op {
			bodies = append(bodies, c.body)
		}
	}
	return bodies
}

func decode(t *testing.T, body []byte) (in map[string]any) {
	t.Helper()
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// stubbed returns a store with a stub in place of the engine.
func stubbed(t testing.TB, plan map[string][]answer) (*dynamo.Store, *stub) {
	t.Helper()
	s := &stub{plan: plan}
	return dynamo.New(via(clientAt(t, "http://127.0.0.1:1"), s), "tokens"), s
}
