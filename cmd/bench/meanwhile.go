package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// beat is the time between two requests of a client.
const beat = 20 * time.Millisecond

// mostDoublings is how often longEnough doubles the number of tokens.
const mostDoublings = 3

// longEnough measures requests beside some work on n tokens. It measures again with
// twice as many tokens if the work ended before the requests: on a fast disk it does.
func longEnough(n int, measure func(f folder, n int) error) error {
	for try := 0; ; try++ {
		err := inFolder(func(f folder) error { return measure(f, n<<try) })
		if try == mostDoublings || !errors.Is(err, errEarly) {
			return err
		}
	}
}

var errEarly = errors.New("the work beside the requests ended before them; measure with more tokens")

// early returns errEarly if the work ended before the measurement, and the error of
// work that failed.
func early(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return cmp.Or(err, errEarly)
}

// requestTimes sends requests of some kinds for some time, at a moderate rate. It
// returns the 99th percentile of each kind in ms. next makes the n-th request of a
// client, with its token.
func requestTimes(d time.Duration, kinds int, next func(client, n int) (kind int, r *http.Request, token string, err error)) ([]float64, error) {
	all := make([][]float64, kinds)
	var mu sync.Mutex
	until := time.Now().Add(d)
	err := runClients(func(hc *http.Client, client int) error {
		for n := 0; time.Now().Before(until); n++ {
			kind, r, token, err := next(client, n)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := send(hc, r, token); err != nil {
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
	if err != nil {
		return nil, err
	}
	percentiles := make([]float64, kinds)
	for kind, some := range all {
		if len(some) < 100 {
			return nil, fmt.Errorf("only %d requests were answered in %v", len(some), d)
		}
		slices.Sort(some)
		percentiles[kind] = some[len(some)*99/100]
	}
	return percentiles, nil
}
