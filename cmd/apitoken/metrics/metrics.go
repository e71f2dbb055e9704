// Package metrics counts what `apitoken serve` does, and writes the counts in the text
// format of Prometheus.
//
// It promises that no label has a text that a client chose: labels are operations and
// codes, which are constants of the program, and the version. A metric that also
// exists on Lambda has the same name there, in CloudWatch's spelling (package
// functions/wiring/telemetry). Counting takes no lock that waits for a disk, and
// allocates nothing after the first request of a kind.
//
// A nil *Metrics counts nothing, so a server without a listener for metrics has none
// of the cost. The package leaves HTTP, and when a check of readiness runs, to package
// serve.
package metrics

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"apitoken/events/guard"
	"apitoken/events/issuer"
)

// Sources are what is read when somebody reads the metrics. All are required.
type Sources struct {
	Guard  *guard.Guard
	Store  Store
	Ready  func(context.Context) error // why the service cannot do its work, or nil
	Opened time.Time                   // the age of a sweep or collection that has not been yet counts from here

	// Shared: the store is a table of several processes. It removes by itself what is
	// past its retention, so the metrics of a local store are left out.
	Shared bool
}

// Store is a store as it is measured.
type Store interface {
	// Oldest returns the time of the oldest message in the outbox, or zero.
	Oldest(context.Context) (time.Time, error)
	// Size returns the size of a local store in bytes.
	Size(context.Context) (int64, error)
	// UsesNotStored counts the uses that were dropped after Touch had returned.
	UsesNotStored() uint64
}

// Metrics are the metrics of one server, made by New. Many goroutines may use them.
type Metrics struct {
	families []*family
	now      func() time.Time
	sources  Sources

	requests  byKey[request, *metrics.Counter]
	durations byKey[string, *metrics.PrometheusHistogram]

	verdicts, introspections *byKey[string, *metrics.Counter]

	faults, commits, conflicts, uses, notices, damaged, published, unpublished *metrics.Counter

	commitDuration *metrics.PrometheusHistogram

	lag, swept, collected, ready, size *metrics.Gauge

	lastSweep, lastCollection lastEnd
	bus                       atomic.Pointer[error] // the last outcome, see BusFault
}

// request is the kind of a request, the key of its counter.
type request struct{ operation, code string }

// New returns the metrics of a server of this version. Watch must be called before
// Write. The default of now is time.Now.
func New(version string, now func() time.Time) *Metrics {
	if now == nil {
		now = time.Now
	}
	m := &Metrics{now: now}
	requests, durations := m.family(requestsTotal), m.family(requestDuration)
	m.requests.add = func(r request) *metrics.Counter {
		return requests.NewCounter(fmt.Sprintf("%s{operation=%q,code=%q}", requestsTotal, r.operation, r.code))
	}
	m.durations.add = func(operation string) *metrics.PrometheusHistogram {
		return durations.NewPrometheusHistogramExt(fmt.Sprintf("%s{operation=%q}", requestDuration, operation), bounds)
	}
	m.faults = m.counter(faultsTotal)
	m.verdicts = m.byCode(verdictsTotal, append(guard.Codes(), codeOK, codeUnavailable, codeInternal)...)
	m.introspections = m.byCode(introspectionsTotal, append(introspectionCodes(), codeOK)...)
	m.commits, m.conflicts = m.counter(commitsTotal), m.counter(conflictsTotal)
	m.commitDuration = m.family(commitDuration).NewPrometheusHistogramExt(commitDuration, bounds)
	m.published, m.unpublished = m.counter(publishedTotal), m.counter(unpublishedTotal)
	m.lag, m.swept, m.collected = m.gauge(lagSeconds), m.gauge(sweepAge), m.gauge(collectionAge)
	m.uses, m.notices, m.damaged = m.counter(usesNotStoredTotal), m.counter(noticesNotStoredTotal), m.counter(damagedTotal)
	m.size, m.ready = m.gauge(storeBytes), m.gauge(ready)
	m.family(buildInfo).NewGauge(fmt.Sprintf("%s{version=%q,goversion=%q}", buildInfo, version, goVersion()), nil).Set(1)
	return m
}

// introspectionCodes are the reasons of an introspection: it has a text in place of a
// header, and refuses a text that is no token as malformed.
func introspectionCodes() []string {
	return []string{
		guard.CodeMalformed, guard.CodeInvalid, guard.CodeRevoked, guard.CodeDisabled, guard.CodeExpired, guard.CodeReplaced, guard.CodeSuspended,
		guard.CodeWrongSource, guard.CodeOutOfScope, issuer.ReasonActionMissing,
	}
}

func goVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		return b.GoVersion
	}
	return "unknown"
}

// bounds are the upper bounds of durations in seconds. A check of a token takes some
// 20 µs, and a commit waits for the disk.
var bounds = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

// Watch sets the sources.
func (m *Metrics) Watch(s Sources) {
	if m != nil {
		m.sources = s
	}
}

// Write writes all metrics in the text format of Prometheus.
func (m *Metrics) Write(ctx context.Context, w io.Writer) error {
	m.sample(ctx)
	var b bytes.Buffer
	for _, f := range m.families {
		if !m.sources.Shared || f.Name != storeBytes && f.Name != collectionAge {
			f.write(&b)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// sample reads the sources. A gauge that cannot be read is NaN.
func (m *Metrics) sample(ctx context.Context) {
	now := m.now()
	dropped := m.sources.Guard.Dropped()
	m.uses.Set(dropped.Uses + m.sources.Store.UsesNotStored())
	m.notices.Set(dropped.Notices)
	m.lag.Set(lagAt(ctx, now, m.sources.Store))
	m.size.Set(math.NaN())
	if size, err := m.sources.Store.Size(ctx); err == nil {
		m.size.Set(float64(size))
	}
	m.swept.Set(m.lastSweep.age(now, m.sources.Opened))
	m.collected.Set(m.lastCollection.age(now, m.sources.Opened))
	m.ready.Set(0)
	if m.sources.Ready(ctx) == nil {
		m.ready.Set(1)
	}
}

// lagAt is the age of the oldest message, 0 if there is none or if it has the time of a
// clock that was fast.
func lagAt(ctx context.Context, now time.Time, s Store) float64 {
	at, err := s.Oldest(ctx)
	switch {
	case err != nil:
		return math.NaN()
	case at.IsZero():
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}
