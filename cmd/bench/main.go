// Command bench measures the budgets of the service's speed and size. Machines
// differ and are noisy, so a budget for speed is not a time. It is the ratio to a
// simple baseline, which is measured in the same run.
//
// The service and the baseline run in turns, for a number of rounds. The median
// of the rounds' ratios counts. It prints one line for each budget and ends with
// exit code 1 if a budget is missed.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
)

// budget is one limit with its measured value.
type budget struct {
	name     string
	measured float64
	limit    float64
	atLeast  bool // the limit is a minimum; otherwise a maximum
	unit     string
}

func (b budget) kept() bool {
	if b.atLeast {
		return b.measured >= b.limit
	}
	return b.measured <= b.limit
}

func (b budget) String() string {
	bound, verdict := "at most", "kept"
	if b.atLeast {
		bound = "at least"
	}
	if !b.kept() {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%-72s %8.2f %-2s  %s %g: %s", b.name, b.measured, b.unit, bound, b.limit, verdict)
}

func main() {
	tokens := flag.Int("tokens", 1_000_000, "tokens in the large store")
	past := flag.Int("past", 100_000, "past events of the busy owner")
	rounds := flag.Int("rounds", 7, "rounds of each comparison")
	flag.Parse()
	missed, err := run(*tokens, *past, *rounds)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if missed {
		os.Exit(1)
	}
}

func run(tokens, past, rounds int) (missed bool, err error) {
	report := func(b budget) {
		fmt.Println(b)
		missed = missed || !b.kept()
	}
	for _, measure := range []func(folder) error{
		func(f folder) error { return authorize(f, report, 1_000, rounds) },
		func(f folder) error { return largeStore(f, report, tokens, rounds) },
		func(folder) error {
			return longEnough(tokens/5, func(f folder, n int) error { return sweeping(f, report, n) })
		},
		func(folder) error {
			return longEnough(tokens/5, func(f folder, n int) error { return collecting(f, report, n) })
		},
		func(f folder) error { return whoAmI(f, report, rounds) },
		func(f folder) error { return create(f, report, rounds) },
		func(f folder) error { return refused(f, report, rounds) },
		func(f folder) error { return history(f, report, past, rounds) },
		func(folder) error { return authorizeOnDynamo(report, rounds) },
	} {
		if err := inFolder(measure); err != nil {
			return missed, err
		}
	}
	return missed, nil
}

// ratio runs both in turns and returns the median of ours / baseline. Both return
// a value in the same unit.
func ratio(rounds int, ours, baseline func() (float64, error)) (float64, error) {
	var all []float64
	for range rounds {
		a, err := ours()
		if err != nil {
			return 0, err
		}
		b, err := baseline()
		if err != nil {
			return 0, err
		}
		all = append(all, a/b)
	}
	return median(all), nil
}

// median sorts its input.
func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
