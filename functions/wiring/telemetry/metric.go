package telemetry

import (
	"log/slog"
	"strings"
	"time"
)

// Namespace is where CloudWatch keeps the metrics.
const Namespace = "apitoken"

// Names of the metrics. Each has the dimension "function", which is the
// function's name; Refused has "reason" beside it.
const (
	Created      = "Created"      // tokens made
	Authorized   = "Authorized"   // requests that the authorizer let through
	Refused      = "Refused"      // requests without a credential or permission that suffices
	Faults       = "Faults"       // requests that trouble kept from an answer: 5xx
	LimitReached = "LimitReached" // creates refused at the token limit
	Conflicts    = "Conflicts"    // commits that lost a race and were decided again
	Published    = "Published"    // messages that reached the bus
	Unpublished  = "Unpublished"  // messages that did not
	Lag          = "Lag"          // from a message's time until it reached the bus, of the slowest

	AuditMismatch = "AuditMismatch" // events that disagree with their copies or neighbours
	AuditGap      = "AuditGap"      // events that are missing from the copies
)

// Metric is an attribute's value that CloudWatch counts.
type Metric struct {
	Value float64
	Unit  string
}

// Count is a metric that adds up.
func Count(n int) Metric { return Metric{float64(n), "Count"} }

// Seconds is a metric that measures time.
func Seconds(d time.Duration) Metric { return Metric{d.Seconds(), "Seconds"} }

// directive is the member "_aws" of a line in embedded metric format.
type directive struct {
	Timestamp         int64     `json:"Timestamp"` // milliseconds
	CloudWatchMetrics [1]metric `json:"CloudWatchMetrics"`
}

type metric struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit string
}

// embed makes the attributes by which a line with these metrics is counted.
func embed(at time.Time, function, reason string, metrics []slog.Attr) []slog.Attr {
	m := metric{Namespace: Namespace, Dimensions: [][]string{{"function"}}}
	attrs := []slog.Attr{slog.String("function", function)}
	if reason != "" {
		m.Dimensions = append(m.Dimensions, []string{"function", "reason"})
		attrs = append(attrs, slog.String("reason", reason))
	}
	for _, a := range metrics {
		v := a.Value.Any().(Metric)
		m.Metrics = append(m.Metrics, definition{a.Key, v.Unit})
		attrs = append(attrs, slog.Float64(a.Key, v.Value))
	}
	return append(attrs, slog.Any("_aws", directive{at.UnixMilli(), [1]metric{m}}))
}

// outcome is the metrics that follow from what a request came to.
func outcome(operation, code string) (metrics []slog.Attr, reason string) {
	switch {
	case operation == "create" && code == "ok":
		return []slog.Attr{slog.Any(Created, Count(1))}, ""
	case operation == "authorize" && code == "ok":
		return []slog.Attr{slog.Any(Authorized, Count(1))}, ""
	case code == "token_limit_reached":
		return []slog.Attr{slog.Any(LimitReached, Count(1))}, ""
	case code == "unavailable" || code == "internal":
		return []slog.Attr{slog.Any(Faults, Count(1))}, ""
	case refusal(code):
		return []slog.Attr{slog.Any(Refused, Count(1))}, code
	}
	return nil, ""
}

// refusal says whether a code is about a credential or a permission.
func refusal(code string) bool {
	for _, beginning := range []string{"credential_", "scheme_", "token_", "permission_denied"} {
		if strings.HasPrefix(code, beginning) {
			return true
		}
	}
	return false
}
