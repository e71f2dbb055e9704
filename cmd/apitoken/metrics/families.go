package metrics

import (
	"bytes"
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// The names of the metrics. A comment has the name of the counterpart on
// Lambda, if there is one.
const (
	requestsTotal         = "apitoken_requests_total"
	requestDuration       = "apitoken_request_duration_seconds"
	faultsTotal           = "apitoken_faults_total" // Faults
	verdictsTotal         = "apitoken_verdicts_total"
	introspectionsTotal   = "apitoken_introspections_total"
	commitsTotal          = "apitoken_commits_total"
	conflictsTotal        = "apitoken_conflicts_total" // Conflicts
	commitDuration        = "apitoken_commit_duration_seconds"
	publishedTotal        = "apitoken_published_total"   // Published
	unpublishedTotal      = "apitoken_unpublished_total" // Unpublished
	lagSeconds            = "apitoken_lag_seconds"       // Lag
	sweepAge              = "apitoken_sweep_age_seconds"
	collectionAge         = "apitoken_collection_age_seconds"
	usesNotStoredTotal    = "apitoken_uses_not_stored_total"    // UsesNotStored
	noticesNotStoredTotal = "apitoken_notices_not_stored_total" // NoticesNotStored
	damagedTotal          = "apitoken_damaged_total"            // Damaged
	storeBytes            = "apitoken_store_bytes"
	ready                 = "apitoken_ready"
	buildInfo             = "apitoken_build_info"
)

// Family describes all metrics with one name.
type Family struct {
	Name, Kind string
	Labels     []string
	Help       string
}

// Families returns the descriptions of all metrics.
func Families() []Family {
	return []Family{
		{requestsTotal, "counter", []string{"operation", "code"}, "Answers by operation and code, as in the log; forward is a proxy's question."},
		{requestDuration, "histogram", []string{"operation"}, "The time from a request to its answer."},
		{faultsTotal, "counter", nil, "Answers with the code internal or unavailable: faults of the service."},
		{verdictsTotal, "counter", []string{"code"}, "Verdicts about the credentials of requests, by code; ok passes."},
		{introspectionsTotal, "counter", []string{"code"}, "Answers about the token that an introspection asks for, by their reason; ok is active."},
		{commitsTotal, "counter", nil, "Commits that are durable."},
		{conflictsTotal, "counter", nil, "Commits that lost a race; the command is decided again."},
		{commitDuration, "histogram", nil, "The time of a commit, with its wait for the store."},
		{publishedTotal, "counter", nil, "Events that the event file or the bus has accepted."},
		{unpublishedTotal, "counter", nil, "Events that the event file or the bus did not accept; each try counts."},
		{lagSeconds, "gauge", nil, "The age of the oldest event that is not yet published; 0 if there is none."},
		{sweepAge, "gauge", nil, "The time since the last sweep of expiries without a fault; before the first one, since the start."},
		{collectionAge, "gauge", nil, "The time since the last removal of what is past its retention; before the first one, since the start."},
		{usesNotStoredTotal, "counter", nil, "Last uses of tokens that were dropped."},
		{noticesNotStoredTotal, "counter", nil, "Notices of a reused secret that were dropped."},
		{damagedTotal, "counter", nil, "Lines of the log about stored data that something other than this service wrote, such as a damaged view."},
		{storeBytes, "gauge", nil, "The size of the store in bytes, with its free pages; its file may be larger."},
		{ready, "gauge", nil, "1 if /readyz answers 200, otherwise 0."},
		{buildInfo, "gauge", []string{"version", "goversion"}, "Always 1; its labels say what runs."},
	}
}

// family has the series of one metric. Each family has a set of its own: the library
// writes no help texts, and types only for the whole process.
type family struct {
	Family
	*metrics.Set
}

// family adds the family with this name.
func (m *Metrics) family(name string) *family {
	for _, d := range Families() {
		if d.Name == name {
			f := &family{d, metrics.NewSet()}
			m.families = append(m.families, f)
			return f
		}
	}
	panic("metrics: there is no family " + name)
}

func (f *family) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.Name, f.Help, f.Name, f.Kind)
	f.WritePrometheus(b)
}

func (m *Metrics) counter(name string) *metrics.Counter { return m.family(name).NewCounter(name) }

func (m *Metrics) gauge(name string) *metrics.Gauge { return m.family(name).NewGauge(name, nil) }

// The codes of answers and verdicts that are no denials.
const (
	codeOK          = "ok"
	codeUnavailable = "unavailable"
	codeInternal    = "internal"
)

// byCode returns counters of the family, with a counter for each of the codes from the
// start: the first increase of a counter that was not there before cannot be seen.
func (m *Metrics) byCode(name string, codes ...string) *byKey[string, *metrics.Counter] {
	f := m.family(name)
	b := &byKey[string, *metrics.Counter]{add: func(code string) *metrics.Counter {
		return f.NewCounter(fmt.Sprintf("%s{code=%q}", name, code))
	}}
	for _, code := range codes {
		b.get(code)
	}
	return b
}
