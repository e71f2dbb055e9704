package telemetry

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"apitoken/events"
)

// Request is the message of a request's log line. Each request has one such
// line, with the attributes "operation" and "code".
const Request = "request"

// Config has the settings of a logger. Out is required.
type Config struct {
	Out      io.Writer
	Level    slog.Level // records below it are dropped, with their metrics
	Function string     // the function's name, a dimension of every metric
	LogGroup string     // the log group of the stack's functions, a dimension of some metrics
}

// NewLogger makes the logger. It does not use lambdacontext.NewLogger, which
// writes JSON only if the function is configured for JSON: metrics always need
// JSON.
func NewLogger(c Config) *slog.Logger {
	return slog.New(handler{
		lines:      slog.NewJSONHandler(c.Out, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: replaceAttr}),
		dimensions: dimensions{function: c.Function, logGroup: cmp.Or(c.LogGroup, "local")}, // an emulator may set no group, and a dimension must not be empty
	})
}

// replaceAttr gives attributes the names of Lambda's own log lines. It writes
// durations in milliseconds and adds the unit to their names.
func replaceAttr(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key+"_ms", float64(a.Value.Duration())/float64(time.Millisecond))
	}
	return lambdacontext.ReplaceAttr(groups, a)
}

// handler adds the data of the invocation and the metrics to each record.
type handler struct {
	lines      slog.Handler
	dimensions dimensions
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.lines.Enabled(ctx, level)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.lines.WithAttrs(attrs), h.dimensions}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.lines.WithGroup(name), h.dimensions}
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	a := splitAttrs(r)
	line.AddAttrs(a.plain...)
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		line.AddAttrs(slog.String("requestId", lc.AwsRequestID))
	}
	d := h.dimensions
	if r.Message == Request {
		i := invocationOf(ctx)
		line.AddAttrs(slog.Bool("cold_start", i.cold))
		var fromOutcome []slog.Attr
		fromOutcome, d.reason = outcomeMetrics(a.operation, a.code)
		a.metrics = slices.Concat(a.metrics, fromOutcome, i.metrics())
	}
	if len(a.metrics) > 0 {
		line.AddAttrs(metricAttrs(r.Time, d, a.metrics)...)
	}
	return h.lines.Handle(ctx, line)
}

// recordAttrs are the attributes of a record: the metrics, and all others.
type recordAttrs struct {
	plain, metrics  []slog.Attr
	operation, code string
}

func splitAttrs(r slog.Record) (split recordAttrs) {
	r.Attrs(func(a slog.Attr) bool {
		split.add(a)
		return true
	})
	return split
}

// add adds an attribute. A group without a name is its attributes: a request line is
// such a group.
func (s *recordAttrs) add(a slog.Attr) {
	if a.Key == "" && a.Value.Kind() == slog.KindGroup {
		for _, inner := range a.Value.Group() {
			s.add(inner)
		}
		return
	}
	if _, ok := a.Value.Any().(Metric); ok {
		s.metrics = append(s.metrics, a)
		return
	}
	if err, ok := a.Value.Any().(error); ok && errors.Is(err, events.ErrDamaged) {
		s.metrics = append(s.metrics, slog.Any(Damaged, Count(1)))
	}
	switch a.Key {
	case "operation":
		s.operation = a.Value.String()
	case "code":
		s.code = a.Value.String()
	}
	s.plain = append(s.plain, a)
}
