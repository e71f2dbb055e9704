package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// TestAlarmsAreThoseOfTheTemplate: each alarm has a price.
func TestAlarmsAreThoseOfTheTemplate(t *testing.T) {
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(template), "Type: AWS::CloudWatch::Alarm"); got != alarms {
		t.Errorf("template.yaml has %d alarms, the cost counts %d", got, alarms)
	}
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
