package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"apitoken/events/sweep"
	"apitoken/infra/bolt"
)

const (
	sweepBudget = 3
	sweepTime   = 20 * time.Second
	beat        = 20 * time.Millisecond // between two requests of a client
)

// mostDoublings is how often sweepingLongEnough doubles the number of tokens.
const mostDoublings = 3

// sweepingLongEnough measures with n tokens, and again with twice as many if the sweep
// ended before the requests: on a fast disk it does.
func sweepingLongEnough(report func(budget), n int) error {
	for try := 0; ; try++ {
		err := inFolder(func(f folder) error { return sweeping(f, report, n<<try) })
		if try == mostDoublings || !errors.Is(err, errEarly) {
			return err
		}
	}
}

// sweeping compares the time of requests at a moderate rate with and without a sweep
// at the same time, on a store whose tokens are all due: the sweep warns about one
// half, and would then record the expiries of the other half.
func sweeping(f folder, report func(budget), n int) error {
	now := time.Now().UTC()
	f.expires = func(owner int) time.Time {
		if owner%2 == 1 {
			return now.Add(-time.Hour)
		}
		return now.AddDate(0, 0, 20)
	}
	samples, err := f.fill(context.Background(), n)
	if err != nil {
		return err
	}
	samples = slices.DeleteFunc(samples, func(s sample) bool { // the expired ones
		var owner int
		fmt.Sscanf(s.owner, "user%d", &owner)
		return owner%2 == 1
	})
	store, err := bolt.Open(f.file(), bolt.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	h, i := f.api(store, io.Discard)
	s, err := listen(h)
	if err != nil {
		return err
	}
	defer s.srv.Close()
	idle, err := f.latencies(s.url, samples)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := sweep.New(sweep.Config{Store: store, Issuer: i, Keys: f.keys}).Run(ctx)
		ended <- err
	}()
	busy, err := f.latencies(s.url, samples)
	stop()
	if err := errors.Join(err, early(<-ended)); err != nil {
		return err
	}
	of := fmt.Sprintf("meanwhile a sweep of %d tokens / without it, 99 %% of the ", n)
	report(budget{of + "who-am-i", busy.reads / idle.reads, sweepBudget, false, "x"})
	report(budget{of + "updates", busy.updates / idle.updates, sweepBudget, false, "x"})
	return nil
}

var errEarly = errors.New("the sweep ended before the requests; measure with more tokens")

// early returns errEarly if the sweep ended before the measurement, and the error of a
// sweep that failed.
func early(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return cmp.Or(err, errEarly)
}

// times are 99th percentiles in ms.
type times struct{ reads, updates float64 }

// latencies sends requests for some time.
func (f folder) latencies(url string, samples []sample) (times, error) {
	all := [2][]float64{}
	var mu sync.Mutex
	until := time.Now().Add(sweepTime)
	err := runClients(func(hc *http.Client, client int) error {
		for i := client; time.Now().Before(until); i += clients {
			began := time.Now()
			s, kind := samples[i%len(samples)], i/clients%2
			method, path, body := http.MethodGet, "/v1/session/who-am-i", ""
			if kind == 1 {
				method, path = http.MethodPatch, "/v1/auth/access-tokens/"+s.token.ID
				body = fmt.Sprintf(`{"name":"n%d"}`, began.UnixNano())
			}
			req, err := http.NewRequest(method, url+path, strings.NewReader(body))
			if err != nil {
				return err
			}
			if err := send(hc, req, s.token.Text().Reveal()); err != nil {
				return err
			}
			ms := float64(time.Since(began)) / float64(time.Millisecond)
			mu.Lock()
			all[kind] = append(all[kind], ms)
			mu.Unlock()
			time.Sleep(beat)
		}
		return nil
	})
	for _, some := range all {
		if len(some) < 100 && err == nil {
			err = fmt.Errorf("only %d requests were answered in %v", len(some), sweepTime)
		}
		slices.Sort(some)
	}
	if err != nil {
		return times{}, err
	}
	return times{all[0][len(all[0])*99/100], all[1][len(all[1])*99/100]}, nil
}
