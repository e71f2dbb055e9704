//go:build !race

// The race detector makes sync.Pool drop some of its values. So this file counts
// allocations only without the race detector.

package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"apitoken/cmd/apitoken/jsonlog"
	"apitoken/cmd/apitoken/metrics"
)

// discarded is an http.ResponseWriter that keeps only the status.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(status int)      { d.status = status }

// client sends requests to the handler of a new folder, as its administrator.
type client struct {
	testing.TB
	handler http.Handler
	token   string
	answer  discarded
	users   int
}

// newClient returns a client of a server that counts with m; nil: it counts nothing.
func newClient(t testing.TB, m *metrics.Metrics) *client {
	h, token := assembledFrom(t, Config{Out: io.Discard, Logger: m.Logger(jsonlog.New(io.Discard).Logger()), Version: "test", metrics: m})
	c := &client{TB: t, handler: h, token: token, answer: discarded{header: http.Header{}}}
	c.send(c.whoAmI())
	c.create() // it is written after the use of the token: no later request stores a use
	return c
}

func (c *client) whoAmI() *http.Request {
	return httptest.NewRequestWithContext(c.Context(), http.MethodGet, "/v1/session/who-am-i", nil)
}

// create makes a token, each time for another user.
func (c *client) create() {
	c.users++
	body := strings.NewReader(fmt.Sprintf(`{"name":"t","user":{"name":"user%d"}}`, c.users))
	c.send(httptest.NewRequestWithContext(c.Context(), http.MethodPost, "/v1/auth/access-tokens/", body))
}

func (c *client) send(r *http.Request) {
	c.Helper()
	if r.Header["Authorization"] == nil {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	clear(c.answer.header)
	if c.handler.ServeHTTP(&c.answer, r); c.answer.status != http.StatusOK {
		c.Fatalf("got the status %d, want 200", c.answer.status)
	}
}

// TestRequestsMakeFewAllocations: a machine that is not quiet cannot measure time, but it
// counts allocations exactly. They are a third of the cost of a request beside net/http.
// The numbers are of the whole handler on the embedded store, without net/http. Raise one
// only with its reason:
//
// who-am-i makes 7 allocations in bbolt, for a read transaction; 6 for the view, the use
// and their MACs; 1 for the exchange with its log line and headers; 4 for the credential,
// the address, the query and the request id; 5 for the answer.
//
// create makes 560, with those of this test. A good third are pages of bbolt, and their
// number depends on the ids: so there is some room.
//
// Metrics make none.
func TestRequestsMakeFewAllocations(t *testing.T) {
	for name, m := range map[string]*metrics.Metrics{"without metrics": nil, "with metrics": metrics.New("test", nil)} {
		c := newClient(t, m)
		r := c.whoAmI()
		if n := testing.AllocsPerRun(500, func() { c.send(r) }); n > 23 {
			t.Errorf("%s: who-am-i makes %v allocations, want at most 23", name, n)
		}
		if n := testing.AllocsPerRun(100, c.create); n > 600 {
			t.Errorf("%s: create makes %v allocations, want at most 600", name, n)
		}
	}
}

func BenchmarkWhoAmI(b *testing.B)        { benchmarkWhoAmI(b, nil) }
func BenchmarkWhoAmICounted(b *testing.B) { benchmarkWhoAmI(b, metrics.New("test", nil)) }

func benchmarkWhoAmI(b *testing.B, m *metrics.Metrics) {
	c := newClient(b, m)
	r := c.whoAmI()
	b.ReportAllocs()
	for b.Loop() {
		c.send(r)
	}
}

func BenchmarkCreate(b *testing.B) {
	c := newClient(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.create()
	}
}
