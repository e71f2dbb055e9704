package outside

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// printed is the output of wrk 4.1.0.
const printed = `Running 2s test @ http://127.0.0.1:8080/
  4 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   352.03us  160.19us   4.01ms   81.07%
    Req/Sec    11.32k   527.92    12.43k    72.50%
  90012 requests in 2.00s, 14.08MB read
`

func TestTheRequestsOfWrkAreRead(t *testing.T) {
	got, err := parseWrk(printed + "Requests/sec:  45006.00\nTransfer/sec:      7.04MB\n")
	if err != nil || got != 90012 {
		t.Errorf("got %d (%v), want 90012", got, err)
	}
	for _, fault := range []string{
		"  Non-2xx or 3xx responses: 12\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
	} {
		if got, err := parseWrk(printed + fault); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(fault)) {
			t.Errorf("got %d (%v), want an error with %q", got, err, fault)
		}
	}
	if got, err := parseWrk("unable to connect"); err == nil {
		t.Errorf("got %d, want an error", got)
	}
}

// TestWrkSendsAllCredentials: one for each thread, or many in turns. It counts what the
// server saw.
func TestWrkSendsAllCredentials(t *testing.T) {
	if !HasWrk() {
		t.Skip("wrk is not installed")
	}
	for _, n := range []int{1, WrkThreads, 50} {
		var mu sync.Mutex
		seen := map[string]int{}
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.Header.Get("Authorization")]++
		}))
		var credentials []string
		for i := range n {
			credentials = append(credentials, fmt.Sprintf("Bearer %d", i))
		}
		sent, err := Wrk(t.TempDir(), s.URL+"/", credentials, time.Second)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, c := range credentials {
			if seen[c] == 0 {
				t.Errorf("of %d credentials no request had %q", n, c)
			}
			total += seen[c]
		}
		if len(seen) != n || sent.Requests < total-100 || sent.Requests > total {
			t.Errorf("the server saw %v; wrk reports %d requests", seen, sent.Requests)
		}
	}
}
