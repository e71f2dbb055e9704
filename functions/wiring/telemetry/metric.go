package telemetry

import (
	"log/slog"
	"strings"
	"time"
)

// Namespace is the CloudWatch namespace of the metrics.
const Namespace = "apitoken"

// Names of the metrics. Each metric has the dimension "function", which is the
// function's name. Refused also has the dimension "reason", which is the code.
const (
	Created      = "Created"      // tokens made
	Authorized   = "Authorized"   // requests that the authorizer allowed
	Refused      = "Refused"      // requests without a valid credential or the permission
	Faults       = "Faults"       // requests that failed because of a fault: 5xx
	LimitReached = "LimitReached" // creates refused at the token limit
	Conflicts    = "Conflicts"    // commits that lost a race; the command is decided again
	Published    = "Published"    // messages that the bus accepted
	Unpublished  = "Unpublished"  // messages that could not be sent
	Lag          = "Lag"          // age of the oldest message: of the sent ones (publish), of the late ones (reconcile)

	// UsesNotStored and NoticesNotStored count what a check of a credential could not
	// store within 100 ms. The check goes on without it.
	UsesNotStored    = "UsesNotStored"    // last uses of tokens
	NoticesNotStored = "NoticesNotStored" // notices, such as TokenReused

	// Damaged counts log lines about stored data that something other than this
	// service wrote. It has the dimension LogGroup too, so that one alarm watches
	// all functions of a stack.
	Damaged = "Damaged"

	AuditMismatch = "AuditMismatch" // events, heads and views that do not match the copies or their neighbours
	AuditGap      = "AuditGap"      // events that are missing from the copies
	Unverified    = "Unverified"    // parts of the tables, streams and tokens that a run of verify did not compare
)

// LogGroup is a dimension of Damaged: the log group of the stack's functions.
const LogGroup = "log_group"

// Metric is the value of an attribute that becomes a CloudWatch metric. Unit is
// a unit of CloudWatch.
type Metric struct {
	Value float64
	Unit  string
}

// Count returns a metric with the unit Count, for a sum over time.
func Count(n int) Metric { return Metric{float64(n), "Count"} }

// Seconds returns a metric of a duration, in seconds.
func Seconds(d time.Duration) Metric { return Metric{d.Seconds(), "Seconds"} }

// directive is the member "_aws" of a line in embedded metric format.
type directive struct {
	Timestamp         int64    `json:"Timestamp"` // milliseconds
	CloudWatchMetrics []metric `json:"CloudWatchMetrics"`
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

// dimensions are the values of the dimensions of one line.
type dimensions struct {
	function string
	logGroup string
	reason   string // empty: the metrics of the line do not have it
}

// metricAttrs returns the attributes from which CloudWatch reads the metrics.
func metricAttrs(at time.Time, d dimensions, metrics []slog.Attr) []slog.Attr {
	m := metric{Namespace: Namespace, Dimensions: [][]string{{"function"}}}
	attrs := []slog.Attr{slog.String("function", d.function)}
	if d.reason != "" {
		m.Dimensions = append(m.Dimensions, []string{"function", "reason"})
		attrs = append(attrs, slog.String("reason", d.reason))
	}
	var all []metric
	for _, a := range metrics {
		v := a.Value.Any().(Metric)
		attrs = append(attrs, slog.Float64(a.Key, v.Value))
		if a.Key == Damaged {
			attrs = append(attrs, slog.String(LogGroup, d.logGroup))
			all = append(all, metric{Namespace, [][]string{{"function"}, {LogGroup}}, []definition{{a.Key, v.Unit}}})
			continue
		}
		m.Metrics = append(m.Metrics, definition{a.Key, v.Unit})
	}
	if len(m.Metrics) > 0 {
		all = append(all, m)
	}
	return append(attrs, slog.Any("_aws", directive{at.UnixMilli(), all}))
}

// outcomeMetrics returns the metrics of a request with this outcome, and the
// code as the reason if the request was refused.
func outcomeMetrics(operation, code string) (metrics []slog.Attr, reason string) {
	switch {
	case operation == "create" && code == "ok":
		return []slog.Attr{slog.Any(Created, Count(1))}, ""
	case operation == "authorize" && code == "ok":
		return []slog.Attr{slog.Any(Authorized, Count(1))}, ""
	case code == "token_limit_reached":
		return []slog.Attr{slog.Any(LimitReached, Count(1))}, ""
	case code == "token_ended" || code == "token_rotated": // about the token that a command names
		return nil, ""
	case code == "unavailable" || code == "internal":
		return []slog.Attr{slog.Any(Faults, Count(1))}, ""
	case isAccessCode(code):
		return []slog.Attr{slog.Any(Refused, Count(1))}, code
	}
	return nil, ""
}

// isAccessCode reports whether a code is about a credential or a permission. The
// prefixes also match other codes, such as token_limit_reached: outcomeMetrics
// must handle such a code before it calls isAccessCode.
func isAccessCode(code string) bool {
	for _, prefix := range []string{"credential_", "scheme_", "password_", "token_", "permission_denied"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}
