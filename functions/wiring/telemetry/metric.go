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
// The metrics of isOfStack also have the dimension LogGroup.
const (
	Created      = "Created"      // tokens made
	Authorized   = "Authorized"   // requests that the authorizer allowed
	Refused      = "Refused"      // requests without a valid credential or the permission
	Faults       = "Faults"       // requests and invocations that failed because of a fault of ours: 500 and 503, but not a 503 at the token limit
	Unauthorized = "Unauthorized" // answers of the authorizer that mean 401; Lambda counts each as an error of the function
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
	// service wrote.
	Damaged = "Damaged"

	// ToKeep counts published messages, and Kept counts messages in the audit copy.
	// See LogToKeep.
	ToKeep = "ToKeep"
	Kept   = "Kept"

	AuditMismatch = "AuditMismatch" // events, heads and views that do not match the copies or their neighbours
	AuditGap      = "AuditGap"      // events that are missing from the copies
	Unverified    = "Unverified"    // parts of the tables, streams and tokens that a run of verify did not compare
)

// LogGroup is the log group of the stack's functions. As a dimension it adds up the
// functions of one stack, and no functions of another stack in the same account. An
// alarm needs such a dimension, because an alarm may not use SEARCH.
const LogGroup = "log_group"

// isOfStack reports whether a metric has the dimension LogGroup too, so that one
// alarm watches all functions of a stack.
func isOfStack(name string) bool {
	switch name {
	case Damaged, Faults, UsesNotStored, NoticesNotStored:
		return true
	}
	return false
}

// Metric is the value of an attribute that becomes a CloudWatch metric. Unit is
// a unit of CloudWatch.
type Metric struct {
	Value float64
	Unit  string

	// At is the time for which CloudWatch counts all metrics of the line. Zero means
	// the time of the line.
	At time.Time
}

// Count returns a metric with the unit Count, for a sum over time.
func Count(n int) Metric { return Metric{Value: float64(n), Unit: "Count"} }

// Seconds returns a metric of a duration, in seconds.
func Seconds(d time.Duration) Metric { return Metric{Value: d.Seconds(), Unit: "Seconds"} }

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
	ofStack := metric{Namespace: Namespace, Dimensions: [][]string{{"function"}, {LogGroup}}}
	others := metric{Namespace: Namespace, Dimensions: [][]string{{"function"}}}
	attrs := []slog.Attr{slog.String("function", d.function)}
	if d.reason != "" {
		others.Dimensions = append(others.Dimensions, []string{"function", "reason"})
		attrs = append(attrs, slog.String("reason", d.reason))
	}
	for _, a := range metrics {
		v := a.Value.Any().(Metric)
		attrs = append(attrs, slog.Float64(a.Key, v.Value))
		if !v.At.IsZero() {
			at = v.At
		}
		m := &others
		if isOfStack(a.Key) {
			m = &ofStack
		}
		m.Metrics = append(m.Metrics, definition{a.Key, v.Unit})
	}
	var all []metric
	if len(ofStack.Metrics) > 0 {
		attrs, all = append(attrs, slog.String(LogGroup, d.logGroup)), append(all, ofStack)
	}
	if len(others.Metrics) > 0 {
		all = append(all, others)
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
	for _, prefix := range []string{"credential_", "scheme_", "password_", "token_", "identity_", "sign_in_refused", "permission_denied"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}
