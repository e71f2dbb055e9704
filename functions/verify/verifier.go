package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/functions/wiring/telemetry"
)

const (
	// bound is the longest time of a run.
	bound = 10 * time.Minute

	// margin is the time reserved at the end of an invocation for the log line. The
	// function's timeout in template.yaml is bound + margin.
	margin = 30 * time.Second

	// segments is the number of parts of each table. A part is small, so a run that
	// reaches the bound loses little work.
	segments = 256

	// workers is the number of parts that are compared at the same time. Each needs
	// the memory of a few pages.
	workers = 8
)

// verifier compares both tables, part by part. The memory that it needs does not
// grow with the tables.
type verifier struct {
	compare  compare.Comparison
	streams  func(ctx context.Context, segment, n int, f func(events.Stream) error) error
	ids      func(ctx context.Context, segment, n int, f func(id string) error) error
	segments int
	log      *slog.Logger
	now      func() time.Time
}

// run is one run of the verifier.
type run struct {
	*verifier
	once compare.Once

	comparedStreams, comparedTokens, findings, unverified atomic.Int64
}

// handle never fails because of a finding or of a part that was not reached.
// Lambda would repeat the run, and the alarms say it already.
func (v *verifier) handle(ctx context.Context) (outcome, error) {
	began := v.now()
	r := &run{verifier: v}
	work, cancel := withBound(ctx)
	defer cancel()
	r.compareAll(work)
	r.logRun(ctx, v.now().Sub(began))
	return outcome{r.comparedStreams.Load(), r.comparedTokens.Load(), r.findings.Load(), r.unverified.Load()}, nil
}

// outcome is the answer to a person who invokes the function.
type outcome struct {
	Streams    int64 `json:"streams"`
	Tokens     int64 `json:"tokens"`
	Findings   int64 `json:"findings"`
	Unverified int64 `json:"unverified"`
}

// withBound ends the work before Lambda ends the invocation, and after the bound.
func withBound(ctx context.Context) (context.Context, context.CancelFunc) {
	end := time.Now().Add(bound)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-margin).Before(end) {
		end = deadline.Add(-margin)
	}
	return context.WithDeadline(ctx, end)
}

// part is a segment of one of the two tables.
type part struct {
	ofTokens bool // of the token table, otherwise of the audit table
	segment  int
}

// parts returns all parts in random order. So a run that reaches the bound leaves
// out other parts each day.
func (v *verifier) parts() (all []part) {
	for s := range v.segments {
		all = append(all, part{false, s}, part{true, s})
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (r *run) compareAll(ctx context.Context) {
	queue := make(chan part)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for p := range queue {
				r.comparePart(ctx, p)
			}
		})
	}
	for _, p := range r.parts() {
		queue <- p
	}
	close(queue)
	all.Wait()
}

// comparePart counts a part as unverified if it could not be read to its end.
func (r *run) comparePart(ctx context.Context, p part) {
	err := ctx.Err()
	switch {
	case err != nil:
	case p.ofTokens:
		err = r.ids(ctx, p.segment, r.segments, func(id string) error { return r.compareToken(ctx, id) })
	default:
		err = r.streams(ctx, p.segment, r.segments, func(s events.Stream) error { return r.compareStream(ctx, s) })
	}
	if err == nil {
		return
	}
	r.unverified.Add(1)
	if ctx.Err() == nil {
		r.log.LogAttrs(ctx, slog.LevelError, "a part of a table was not compared", slog.Bool("tokens", p.ofTokens), slog.Int("segment", p.segment), slog.String("error", err.Error()))
	}
}

func (r *run) compareStream(ctx context.Context, s events.Stream) error {
	report, err := r.compare.Stream(ctx, s)
	if err != nil {
		return r.skip(ctx, "stream", string(s), err)
	}
	r.comparedStreams.Add(1)
	r.report(ctx, report.Findings...)
	return nil
}

func (r *run) compareToken(ctx context.Context, id string) error {
	f, err := r.compare.View(ctx, id)
	if err != nil {
		return r.skip(ctx, "token_id", id, err)
	}
	r.comparedTokens.Add(1)
	if f != nil {
		r.report(ctx, *f)
	}
	return nil
}

// skip counts a stream or a token that could not be compared, and continues with
// the next one. It returns an error only at the bound.
func (r *run) skip(ctx context.Context, kind, name string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	r.unverified.Add(1)
	r.log.LogAttrs(ctx, slog.LevelError, "not compared", slog.String(kind, name), slog.String("error", err.Error()))
	return nil
}

// report raises the alarm, with one line for each finding.
func (r *run) report(ctx context.Context, found ...audit.Finding) {
	for _, f := range r.once.First(found...) {
		r.findings.Add(1)
		r.log.LogAttrs(ctx, slog.LevelError, "the comparison found a disagreement", slog.String("kind", string(f.Kind)),
			slog.String("id", f.ID), slog.String("detail", f.Detail), slog.Any(telemetry.AuditMismatch, telemetry.Count(1)))
	}
}

// logRun writes the one line of a run.
func (r *run) logRun(ctx context.Context, duration time.Duration) {
	level, code := slog.LevelInfo, "ok"
	if r.unverified.Load() > 0 {
		level, code = slog.LevelError, "unavailable"
	}
	r.log.LogAttrs(ctx, level, telemetry.Request,
		slog.String("operation", "verify"), slog.String("code", code), slog.Duration("duration", duration),
		slog.Int64("streams", r.comparedStreams.Load()), slog.Int64("tokens", r.comparedTokens.Load()), slog.Int64("findings", r.findings.Load()),
		slog.Any(telemetry.Unverified, telemetry.Count(int(r.unverified.Load()))))
}
