package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
)

const (
	besideRate        = 400 // requests in a second
	besideConnections = 8
	// mostDoublings is how often longEnough doubles the number of tokens.
	mostDoublings = 3
)

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

// meanwhile measures requests without and with some work of the server. It returns a
// comparison for each kind of requests: of the 99th percentiles of their times. job
// makes the requests, which have the given word in what they write.
func meanwhile(f folder, work string, job func(p process, word string) load.Job) ([]outside.Comparison, error) {
	p, err := child("beside", work, f.dir)
	if err != nil {
		return nil, err
	}
	idle, err1 := timesOf(p, job(p, "idle"))
	err2 := p.startWork()
	busy, err3 := timesOf(p, job(p, "busy"))
	err = p.stop()
	if failed := cmp.Or(err1, err2, err3); failed != nil {
		return nil, failed
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitEarly {
		return nil, errEarly
	}
	if err != nil {
		return nil, err
	}
	var all []outside.Comparison
	for kind := range idle.percentiles {
		all = append(all, outside.Pair(busy.slice, idle.slice, busy.percentiles[kind], idle.percentiles[kind]))
	}
	return all, nil
}

type besideTimes struct {
	slice       outside.Slice
	percentiles []float64 // in ms
}

func timesOf(p process, j load.Job) (t besideTimes, err error) {
	t.slice, err = outside.Measure(p.pid, func() (outside.Sent, error) {
		r, err := send(j)
		for _, times := range r.Kinds {
			if err == nil && len(times) < 100 {
				err = fmt.Errorf("only %d requests were answered in %v", len(times), j.For)
			}
			t.percentiles = append(t.percentiles, outside.Percentile(load.Millis(times), 0.99))
		}
		return outside.Sent{Requests: r.Count()}, err
	})
	return t, err
}

// besideJob is a job at a moderate rate.
func besideJob(p process, d time.Duration, requests []load.Request) load.Job {
	return load.Job{Addr: p.addr, Connections: besideConnections, Rate: besideRate, For: d, Requests: requests}
}
