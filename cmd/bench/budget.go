package main

import (
	"fmt"

	"apitoken/cmd/bench/outside"
)

// budget is one limit: a row of the table in the README.
type budget struct {
	what    string
	against string  // the baseline; empty: the value is no ratio
	limit   float64 // 0: no limit, the value is only shown
	unit    string
}

// budgets are the rows of the table in the README, in its order.
var budgets = []budget{
	authorizeSmall, authorizeLarge, guardedRequest, guardedPercentile, guardedLarge, forwardTime, createTime, refusedTime, historyTime,
	listTime, largeMemory, sweepReads, sweepUpdates, collectCreates, dynamoTime,
}

// result is a measured value.
type result struct {
	budget
	value     float64
	detail    string // the two values of the ratio
	disturbed string // other processes used the CPUs, so the value may be wrong; empty: it is right
}

func (b budget) of(value float64) result { return result{budget: b, value: value} }

// compared is the result of a comparison from outside, whose values have a unit.
func (b budget) compared(c outside.Comparison, unit string) result {
	r := b.of(c.Ratio)
	if unit != "" {
		r.detail = fmt.Sprintf("%s and %s %s", digits(c.Ours), digits(c.Bare), unit)
	}
	if c.Disturbed > 0 {
		r.disturbed = fmt.Sprintf("not quiet in %d of %d slices", c.Disturbed, c.Slices)
	}
	return r
}

// digits is a value with three digits or more.
func digits(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (r result) kept() bool { return r.limit == 0 || r.value <= r.limit }

func (b budget) name() string {
	if b.against == "" {
		return b.what
	}
	return b.what + " / " + b.against
}

func (b budget) bound() string {
	if b.limit == 0 {
		return "none"
	}
	return fmt.Sprintf("at most %g %s", b.limit, b.unit)
}

// measured is the value for people.
func (r result) measured() string {
	text := fmt.Sprintf("%.2f %s", r.value, r.unit)
	if r.detail != "" {
		text += " (" + r.detail + ")"
	}
	if r.disturbed != "" {
		text += "; " + r.disturbed
	}
	return text
}

func (r result) String() string {
	verdict := "kept"
	switch {
	case r.limit == 0:
		verdict = "no budget"
	case !r.kept():
		verdict = r.bound() + ": MISSED"
	default:
		verdict = r.bound() + ": kept"
	}
	return fmt.Sprintf("%s\n    %s, %s", r.name(), r.measured(), verdict)
}
