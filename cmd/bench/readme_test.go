package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/bench/outside"
)

// TestREADMEHasTheBudgets: the table has each budget of the code, in the same order,
// with the same limit, and no other row.
func TestREADMEHasTheBudgets(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n"+machineLine)
	if !found {
		t.Fatalf("README.md has no line that begins with %q", machineLine)
	}
	_, table, _ = strings.Cut(table, "|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) != len(budgets) {
		t.Fatalf("README.md has %d rows, the code %d budgets", len(rows), len(budgets))
	}
	for i, b := range budgets {
		if !strings.HasPrefix(rows[i], b.rowStart()) || !strings.HasSuffix(rows[i], "| "+b.bound()+" |") {
			t.Errorf("README.md has the row\n%s\nwant %s ... | %s |", rows[i], b.rowStart(), b.bound())
		}
	}
}

func TestResultsReplaceTheirRows(t *testing.T) {
	b := budget{"a call", "a bare one", 1.5, "×"}
	before := "x\nMeasured on nothing:\n\n| other | a | 2 | none |\n" + b.rowStart() + " 7 × | at most 3 × |\ny\n"
	c := outside.Comparison{Ours: 1290.4, Bare: 10.02, Ratio: 2, Slices: 4, Disturbed: 1}
	got, err := renewed(before, "2 CPUs", []result{b.compared(c, "µs")})
	want := "x\nMeasured on 2 CPUs:\n\n| other | a | 2 | none |\n| a call | a bare one | 2.00 × (1290 and 10.0 µs)" +
		"; not quiet in 1 of 4 slices | at most 1.5 × |\ny\n"
	if err != nil || got != want {
		t.Errorf("got\n%s\n(%v), want\n%s", got, err, want)
	}
	if _, err := renewed("Measured on nothing:\n", "2 CPUs", []result{b.of(1)}); err == nil || !strings.Contains(err.Error(), "a call") {
		t.Errorf("without the row: %v, want an error with its name", err)
	}
}

func TestAValueAboveItsBudgetIsMissed(t *testing.T) {
	b := budget{"a", "", 2, "×"}
	for _, c := range []struct {
		r    result
		kept bool
	}{{b.of(2), true}, {b.of(2.01), false}, {budget{what: "shown"}.of(99), true}} {
		if c.r.kept() != c.kept {
			t.Errorf("%v of at most %v: kept %v, want %v", c.r.value, c.r.limit, c.r.kept(), c.kept)
		}
	}
}

func TestSettingsThatCannotBeMeasuredAreRefused(t *testing.T) {
	good := bench{tokens: 1000, past: 10, rounds: 1, tries: 1, slice: 2 * time.Second}
	if err := good.check(nil); err != nil {
		t.Errorf("%+v: %v", good, err)
	}
	for want, change := range map[string]func(*bench){
		"-rounds is 0":     func(b *bench) { b.rounds = 0 },
		"-tries is 0":      func(b *bench) { b.tries = 0 },
		"-slice is 1.5s":   func(b *bench) { b.slice = 1500 * time.Millisecond },
		"-tokens is 999":   func(b *bench) { b.tokens = 999 },
		"and -past is 9; ": func(b *bench) { b.past = 9 },
	} {
		bad := good
		change(&bad)
		if err := bad.check(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	if err := good.check([]string{"guarded"}); err == nil || !strings.Contains(err.Error(), `"guarded"`) {
		t.Errorf("got %v, want an error with the argument", err)
	}
}
