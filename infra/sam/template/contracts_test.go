package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/wiring/telemetry"
)

// scenario is what happens within one period of an alarm.
type scenario []run

// contract is what an alarm promises: it fires in each trouble, and does not in each
// calm scenario.
type contract struct {
	trouble, calm []scenario

	// cause says for a metric of AWS what makes AWS count it. The metrics of such an
	// alarm cannot be computed here. check tests what can be tested of the cause; it gets
	// the results of the trouble.
	cause string
	check func(t *testing.T, all object, results []result)
}

// TestEveryAlarmFires runs the programs of the functions with dead dependencies. It
// computes the alarms of the template from the logs and from what Lambda gets, as
// CloudWatch does.
func TestEveryAlarmFires(t *testing.T) {
	skipIfShort(t)
	all := read(t)
	found, rows := alarms(t, all), contracts(t)
	for name := range rows {
		if _, there := found[name+"Alarm"]; !there {
			t.Errorf("template.yaml has no %sAlarm", name)
		}
	}
	dir := buildFunctions(t, functionsOf(rows)...)
	for _, logical := range slices.Sorted(maps.Keys(found)) {
		name := strings.TrimSuffix(logical, "Alarm")
		t.Run(name, func(t *testing.T) {
			c, there := rows[name]
			if !there {
				t.Fatal("no row says when it fires")
			}
			c.test(t, all, found[logical], dir)
		})
	}
}

func functionsOf(rows map[string]contract) []string {
	names := map[string]bool{}
	for _, c := range rows {
		for _, s := range slices.Concat(c.trouble, c.calm) {
			for _, r := range s {
				names[r.function] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (c contract) test(t *testing.T, all object, a alarm, dir string) {
	t.Helper()
	counted := map[watchedMetric]bool{}
	var troubles []result
	for i, s := range slices.Concat(c.trouble, c.calm) {
		sums := map[watchedMetric]float64{}
		for _, r := range s {
			got := r.invoke(t, dir)
			if i < len(c.trouble) {
				troubles = append(troubles, got)
			}
			for m, n := range got.counted {
				sums[m] += n
				counted[m] = true
			}
		}
		if want := i < len(c.trouble); c.cause == "" && a.fires(sums) != want {
			t.Errorf("scenario %d: it fires: got %t, want %t; counted %v", i, !want, want, sums)
		}
	}
	for _, m := range a.metrics {
		isOurs := m.namespace == telemetry.Namespace
		computed := isOurs || m.namespace == "AWS/Lambda" && (m.name == "Errors" || m.name == "Invocations")
		switch {
		case isOurs && !counted[m.watchedMetric]:
			t.Errorf("it watches %+v, which no function counts", m.watchedMetric)
		case computed != (c.cause == ""):
			t.Errorf("it watches %+v: a metric that this test computes needs scenarios, any other a cause", m.watchedMetric)
		case computed && m.stat != "Sum":
			t.Errorf("it watches the %s of %+v, want the sum", m.stat, m.watchedMetric)
		}
	}
	if c.check != nil {
		c.check(t, all, troubles)
	}
	if c.cause == "" && (len(c.trouble) == 0 || len(c.calm) == 0) {
		t.Error("its row needs a scenario in which it fires, and one in which it does not")
	}
}

// fires reports whether the alarm fires with these sums in one period.
func (a alarm) fires(sums map[watchedMetric]float64) bool {
	value := 0.0
	for _, m := range a.metrics {
		factor, _ := a.expression.factor(m.id)
		value += factor * sums[m.watchedMetric]
	}
	if a.below {
		return value < a.threshold
	}
	return value > a.threshold
}
