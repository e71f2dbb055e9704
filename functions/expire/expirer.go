package main

import (
	"context"
	"log/slog"
	"time"

	"apitoken/events/sweep"
	"apitoken/functions/wiring/telemetry"
)

// margin is the time reserved at the end of an invocation for the calls that have
// begun, and for the log line.
const margin = 20 * time.Second

// expirer runs one sweep for each invocation.
type expirer struct {
	run func(context.Context) (sweep.Result, error)
	log *slog.Logger
	now func() time.Time
}

// outcome is the answer to a person who invokes the function.
type outcome struct {
	Warned  int `json:"warned"`
	Expired int `json:"expired"`
}

func (e *expirer) handle(ctx context.Context) (outcome, error) {
	began := e.now()
	work, cancel := withMargin(ctx)
	defer cancel()
	r, err := e.run(work)
	e.logRun(ctx, r, e.now().Sub(began), err)
	return outcome{r.Warned, r.Expired}, err
}

// withMargin ends the work before Lambda ends the invocation.
func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}

// logRun writes the one line of a run.
func (e *expirer) logRun(ctx context.Context, r sweep.Result, duration time.Duration, fault error) {
	level, code := slog.LevelInfo, "ok"
	attrs := []slog.Attr{
		slog.String("operation", "expire"), slog.Duration("duration", duration),
		slog.Int("warned", r.Warned), slog.Int("expired", r.Expired), slog.Int("faults", r.Faults),
	}
	if fault != nil {
		level, code = slog.LevelError, "unavailable"
		attrs = append(attrs, slog.String("error", fault.Error())) // as text: each damaged token had its own line, which the metric counts
	}
	e.log.LogAttrs(ctx, level, telemetry.Request, append(attrs, slog.String("code", code))...)
}
