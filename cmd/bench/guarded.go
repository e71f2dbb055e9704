package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
)

var (
	guardedRequest    = budget{"guarded request, CPU time of the server", "bare net/http, bbolt get and SHA-256 without a log", 1.7, "×"} // the aim is 1.5
	guardedLarge      = budget{"guarded request, large store, CPU time of the server", "the same with as many tokens", 0, "×"}
	guardedPercentile = budget{"guarded request, 99 % at 5,000 requests a second on 16 connections", "the same", 1.5, "×"} // the aim is 1.3
)

const (
	whoAmI      = "/v1/session/who-am-i"
	connections = 16
	latencyRate = 5000 // requests in a second
)

// guarded compares `apitoken serve` with the bare server: the CPU time of a guarded
// request, and the 99th percentile of its time at a constant rate.
func (b *bench) guarded(f folder) error {
	samples, err := f.fill(context.Background(), 1000)
	if err != nil {
		return err
	}
	return b.withBare(f, samples, 1000, func(ours, bare process) error {
		return cmp.Or(b.guardedTime(ours, bare, samples, outside.WrkThreads, guardedRequest), b.guardedLatency(ours, bare, samples))
	})
}

// withBare runs both servers on n tokens, and sends each token once: its first use
// writes.
func (b *bench) withBare(f folder, samples []sample, n int, measure func(ours, bare process) error) error {
	path, err := b.fillBare(samples, n)
	if err != nil {
		return err
	}
	bare, err := child("bare-read", path)
	if err != nil {
		return err
	}
	ours, err := b.serve(f)
	if err != nil {
		return errors.Join(err, bare.stop())
	}
	for _, p := range []process{ours, bare} {
		_, sendErr := send(b.reads(p, samples, 0))
		err = errors.Join(err, sendErr)
	}
	if err == nil {
		err = measure(ours, bare)
	}
	return errors.Join(err, ours.stop(), bare.stop())
}

// reads is a job of guarded requests, by many tokens.
func (b *bench) reads(p process, samples []sample, rate int) load.Job {
	j := load.Job{Addr: p.addr, Connections: connections, Rate: rate, For: b.slice}
	for _, s := range samples {
		j.Requests = append(j.Requests, load.Request{
			Text: load.Text(http.MethodGet, whoAmI, s.token.Text().Reveal(), ""), Status: http.StatusOK,
		})
	}
	return j
}

// guardedTime reports the CPU time of the server process for each request. Each slice
// sends the next tokens, as many as perSlice.
func (b *bench) guardedTime(ours, bare process, samples []sample, perSlice int, of budget) error {
	slice := func(p process) func() (outside.Slice, error) {
		var some []sample
		next := 0
		return func() (outside.Slice, error) {
			some = some[:0]
			for range perSlice {
				some = append(some, samples[next%len(samples)])
				next++
			}
			return outside.Measure(p.pid, func() (outside.Sent, error) { return b.fullLoad(p, some) })
		}
	}
	c, err := b.plan().Compare(func(s outside.Slice) float64 { return s.PerRequest }, slice(ours), slice(bare))
	if err != nil {
		return err
	}
	b.report(of.compared(c, "µs"))
	return nil
}

// fullLoad sends as much as the server answers: by wrk, or else by a process of this
// program.
func (b *bench) fullLoad(p process, samples []sample) (outside.Sent, error) {
	if !outside.HasWrk() {
		r, err := send(b.reads(p, samples, 0))
		return outside.Sent{Requests: r.Count()}, err
	}
	var credentials []string
	for _, s := range samples {
		credentials = append(credentials, "Bearer "+s.token.Text().Reveal())
	}
	return outside.Wrk(b.dir, p.url()+whoAmI, credentials, b.slice)
}

func (b *bench) guardedLatency(ours, bare process, samples []sample) error {
	slice := func(p process) func() (outside.Slice, error) {
		return func() (outside.Slice, error) {
			return outside.Measure(p.pid, percentile(b.reads(p, samples, latencyRate)))
		}
	}
	c, err := b.plan().Compare(func(s outside.Slice) float64 { return s.Value }, slice(ours), slice(bare))
	if err != nil {
		return err
	}
	b.report(guardedPercentile.compared(c, "ms"))
	return nil
}
