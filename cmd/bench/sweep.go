package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"apitoken/events/sweep"
	"apitoken/infra/bolt"
)

const (
	sweepBudget = 3
	sweepTime   = 20 * time.Second
)

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

// times are 99th percentiles in ms.
type times struct{ reads, updates float64 }

// latencies sends requests for some time.
func (f folder) latencies(url string, samples []sample) (times, error) {
	all, err := requestTimes(sweepTime, 2, func(client, n int) (kind int, r *http.Request, token string, err error) {
		i := client + n*clients
		s, kind := samples[i%len(samples)], n%2
		method, path, body := http.MethodGet, "/v1/session/who-am-i", ""
		if kind == 1 {
			method, path = http.MethodPatch, "/v1/auth/access-tokens/"+s.token.ID
			body = fmt.Sprintf(`{"name":"n%d"}`, time.Now().UnixNano())
		}
		r, err = http.NewRequest(method, url+path, strings.NewReader(body))
		return kind, r, s.token.Text().Reveal(), err
	})
	if err != nil {
		return times{}, err
	}
	return times{all[0], all[1]}, nil
}
