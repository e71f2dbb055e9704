// Command bench measures what the service promises about its speed and size,
// each against something simple that is measured beside it in the same run:
// machines differ and are noisy, so a ratio is quoted and never a time.
//
// Ours and the baseline take turns for a number of rounds, and the median of
// the rounds' ratios counts. It prints one line for each budget and ends with
// exit code 1 if one is missed.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
)

// budget is one promise and what came out.
type budget struct {
	name     string
	measured float64
	limit    float64
	atLeast  bool // the limit is a floor and not a ceiling
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
		func(f folder) error { return large(f, report, tokens, rounds) },
		func(f folder) error { return whoAmI(f, report, rounds) },
		func(f folder) error { return create(f, report, rounds) },
		func(f folder) error { return history(f, report, past, rounds) },
		func(folder) error { return authorizeOnDynamo(report, rounds) },
	} {
		if err := inFolder(measure); err != nil {
			return missed, err
		}
	}
	return missed, nil
}

// ratio runs both in turns and gives the median of ours / baseline. Each gives
// its cost for one operation in whatever unit they share.
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
	slices.Sort(all)
	return all[len(all)/2], nil
}
