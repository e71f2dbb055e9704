package template_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// alarm is an alarm of the template.
type alarm struct {
	properties object
	metrics    []alarmMetric
	expression expression // of several metrics; otherwise the sum of the one metric
	periods    int        // that are evaluated
	needed     int        // of these, that must be above or below the threshold
	threshold  float64
	below      bool // it fires below the threshold, otherwise above
}

// watchedMetric is a metric with its dimensions, as NAME=RESOURCE, separated by spaces.
type watchedMetric struct{ namespace, name, dimensions string }

type alarmMetric struct {
	watchedMetric
	id     string // in the expression
	stat   string
	period int // seconds
}

// alarms reads the template's alarms. It fails the test if an alarm has a form that
// it cannot read.
func alarms(t *testing.T, all object) map[string]alarm {
	t.Helper()
	found := map[string]alarm{}
	for name, r := range resources(t, all, "CloudWatch::Alarm") {
		p := at(r, "Properties").(object)
		a := alarm{properties: p, periods: p["EvaluationPeriods"].(int), threshold: float64(p["Threshold"].(int))}
		a.needed = a.periods
		if n, ok := p["DatapointsToAlarm"].(int); ok {
			a.needed = n
		}
		switch p["ComparisonOperator"] {
		case "LessThanThreshold":
			a.below = true
		case "GreaterThanThreshold":
		default:
			t.Fatalf("%s compares with %v, which this test cannot read", name, p["ComparisonOperator"])
		}
		if p["Metrics"] == nil {
			m := metricOf(t, p, p)
			a.metrics, a.expression = []alarmMetric{m}, expression{{1, m.id}}
		}
		queries := p["Metrics"]
		if choice, ok := at(queries, "Fn::If").([]any); ok { // of ApiErrors; TestApiErrorsWatchesFaultsAndNotRefusals tests both
			queries = choice[2]
		}
		for _, q := range objects(queries) {
			if text, ok := q["Expression"].(string); ok {
				a.expression = parse(t, name, text)
				want(t, q, nil, "ReturnData") // the default is true
				continue
			}
			want(t, q, false, "ReturnData")
			m := metricOf(t, at(q, "MetricStat", "Metric").(object), q["MetricStat"].(object))
			m.id = q["Id"].(string)
			a.metrics = append(a.metrics, m)
		}
		checkExpression(t, name, a)
		found[name] = a
	}
	return found
}

func metricOf(t *testing.T, m, statistic object) alarmMetric {
	t.Helper()
	var dimensions []string
	for _, d := range objects(m["Dimensions"]) {
		of, _ := at(d, "Value", "Ref").(string)
		if text, ok := d["Value"].(string); ok {
			of = text
		}
		if attribute := attOf(d["Value"]); attribute != "" {
			of = attribute
		}
		dimensions = append(dimensions, d["Name"].(string)+"="+of)
	}
	stat, ok := statistic["Stat"].(string)
	if !ok {
		stat = statistic["Statistic"].(string)
	}
	return alarmMetric{
		watchedMetric: watchedMetric{m["Namespace"].(string), m["MetricName"].(string), strings.Join(dimensions, " ")},
		stat:          stat, period: statistic["Period"].(int),
	}
}

// checkExpression: each metric of an alarm is used once, and all have one period.
func checkExpression(t *testing.T, name string, a alarm) {
	t.Helper()
	if len(a.expression) != len(a.metrics) {
		t.Fatalf("%s has %d metrics, its expression uses %d", name, len(a.metrics), len(a.expression))
	}
	for _, m := range a.metrics {
		if _, used := a.expression.factor(m.id); !used || m.period != a.metrics[0].period {
			t.Errorf("%s: the metric %s is not in the expression, or has a period of its own", name, m.id)
		}
	}
}

// expression is the weighted sum of metrics, a missing one counting as 0.
type expression []term

type term struct {
	factor float64
	id     string
}

func (e expression) factor(id string) (float64, bool) {
	for _, t := range e {
		if t.id == id {
			return t.factor, true
		}
	}
	return 0, false
}

var (
	sumForm  = regexp.MustCompile(`^SUM\(\[(.+)\]\)$`)
	termForm = regexp.MustCompile(`^(?:(-?[0-9.]+) \* )?FILL\(([a-z]+), 0\)$`)
)

// parse reads the two forms of metric math that the template uses: FILL(id, 0), and
// SUM([...]) of several of them, each with a factor if needed.
func parse(t *testing.T, name, text string) (e expression) {
	t.Helper()
	terms := []string{text}
	if sum := sumForm.FindStringSubmatch(text); sum != nil {
		terms = strings.Split(strings.ReplaceAll(sum[1], ", 0)", ",0)"), ", ")
	}
	for _, one := range terms {
		m := termForm.FindStringSubmatch(strings.ReplaceAll(one, ",0)", ", 0)"))
		if m == nil {
			t.Fatalf("%s has the expression %q, which this test cannot read at %q", name, text, one)
		}
		factor := 1.0
		if m[1] != "" {
			var err error
			if factor, err = strconv.ParseFloat(m[1], 64); err != nil {
				t.Fatal(err)
			}
		}
		e = append(e, term{factor, m[2]})
	}
	return e
}
