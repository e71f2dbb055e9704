package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

// TestAlarmsAndSchedulesAreThoseOfTheTemplate: each metric of an alarm and each
// scheduled run has a price. The cost is that of the default parameters.
func TestAlarmsAndSchedulesAreThoseOfTheTemplate(t *testing.T) {
	all, err := template.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if template.At(all, "Parameters", "Vast", "Default") != "false" {
		t.Error("the default of Vast is not false")
	}
	all = template.Deployed(all, "HasVast", false)
	watching, runs := 0, 0
	for name, resource := range template.At(all, "Resources").(template.Object) {
		if template.At(resource, "Type") == "AWS::CloudWatch::Alarm" {
			watching += max(1, metricsOf(resource))
		}
		sources, _ := template.At(resource, "Properties", "Events").(template.Object)
		for _, source := range sources {
			if kind, _ := template.At(source, "Type").(string); strings.HasPrefix(kind, "Schedule") {
				runs += runsOfMonth(t, name, source)
			}
		}
	}
	if watching != alarmMetrics {
		t.Errorf("the alarms of template.yaml have %d metrics, the cost counts %d", watching, alarmMetrics)
	}
	if runs != scheduledRuns {
		t.Errorf("the schedules of template.yaml run functions %d times a month, the cost counts %d", runs, scheduledRuns)
	}
}

// metricsOf returns the number of metrics in the expression of an alarm; 0 if it has
// no expression.
func metricsOf(alarm any) (n int) {
	for _, query := range template.Objects(template.At(alarm, "Properties", "Metrics")) {
		if template.At(query, "MetricStat") != nil {
			n++
		}
	}
	return n
}

// runsOfMonth returns how often a schedule like rate(5 minutes) runs in a month.
func runsOfMonth(t *testing.T, function string, source any) int {
	t.Helper()
	rate, _ := template.At(source, "Properties", "Schedule").(string)
	if rate == "" {
		rate, _ = template.At(source, "Properties", "ScheduleExpression").(string)
	}
	var n int
	var unit string
	if _, err := fmt.Sscanf(rate, "rate(%d %s", &n, &unit); err != nil {
		t.Fatalf("%s has the schedule %q, which this test cannot read: %v", function, rate, err)
	}
	minutes := map[string]int{"minute": 1, "hour": 60, "day": 24 * 60}[strings.TrimRight(unit, "s)")]
	if minutes == 0 {
		t.Fatalf("%s has the schedule %q with an unknown unit", function, rate)
	}
	return hoursOfMonth * 60 / (n * minutes)
}

func TestEveryPriceHasItsSourceAndUse(t *testing.T) {
	var p prices
	if err := json.Unmarshal(pricesFile, &p); err != nil {
		t.Fatal(err)
	}
	all := sumOf(authorization, creation, fixed)
	for name, price := range p.Prices {
		if price.Source == "" || (price.PerMillion == 0) == (price.Each == 0) {
			t.Errorf("%s: got %+v, want a source and exactly one price", name, price)
		}
		if all[name] == 0 {
			t.Errorf("nothing uses %s", name)
		}
	}
	if _, err := all.cost(p); err != nil {
		t.Error(err)
	}
}

func TestCostsAddUp(t *testing.T) {
	p := prices{Prices: map[string]price{"a": {PerMillion: 2}, "b": {Each: 0.5}}}
	got, err := sumOf(usage{"a": 500_000}, usage{"b": 3}.times(2)).cost(p)
	if err != nil || math.Abs(got-4) > 1e-9 {
		t.Errorf("got %v, %v, want 4", got, err)
	}
	if _, err := (usage{"c": 1}).cost(p); err == nil {
		t.Error("got no error for an item without a price")
	}
}
