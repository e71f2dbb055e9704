package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Request is the message of the one line that each request has. Such a line has
// the attributes "operation" and "code".
const Request = "request"

// Config is what a logger needs. Out is required.
type Config struct {
	Out      io.Writer
	Level    slog.Level
	Function string // the function's name
}

// NewLogger makes the logger. lambdacontext.NewLogger would write JSON only
// where the function is configured to, and metrics need it everywhere.
func NewLogger(c Config) *slog.Logger {
	return slog.New(handler{
		lines:    slog.NewJSONHandler(c.Out, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: replace}),
		function: c.Function,
	})
}

// replace gives attributes the names that Lambda's own lines have, and
// durations a unit.
func replace(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_ms", float64(a.Value.Duration())/float64(time.Millisecond))
	}
	return lambdacontext.ReplaceAttr(groups, a)
}

// handler adds to each record what the invocation knows.
type handler struct {
	lines    slog.Handler
	function string
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.lines.Enabled(ctx, level)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.lines.WithAttrs(attrs), h.function}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.lines.WithGroup(name), h.function}
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	f := find(r)
	line.AddAttrs(f.plain...)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		line.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	reason := ""
	if r.Message == Request {
		i := from(ctx)
		line.AddAttrs(slog.Bool("cold_start", i.cold))
		var implied []slog.Attr
		implied, reason = outcome(f.operation, f.code)
		f.metrics = slices.Concat(f.metrics, implied, i.metrics())
	}
	if len(f.metrics) > 0 {
		line.AddAttrs(embed(r.Time, h.function, reason, f.metrics)...)
	}
	return h.lines.Handle(ctx, line)
}

// found is what a record has.
type found struct {
	plain, metrics  []slog.Attr
	operation, code string
}

func find(r slog.Record) (f found) {
	r.Attrs(func(a slog.Attr) bool {
		if _, ok := a.Value.Any().(Metric); ok {
			f.metrics = append(f.metrics, a)
			return true
		}
		switch a.Key {
		case "operation":
			f.operation = a.Value.String()
		case "code":
			f.code = a.Value.String()
		}
		f.plain = append(f.plain, a)
		return true
	})
	return f
}
