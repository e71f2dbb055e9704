// Command bench measures the budgets of the service's speed and size. Machines
// differ and are noisy, so a budget for speed is not a time. It is the ratio to a
// simple baseline, which is measured in the same run.
//
// The service and the baseline run in turns, for a number of rounds. The median
// of the rounds' ratios counts. It prints each value with its budget and ends with
// exit code 1 if a budget is missed.
//
// What answers HTTP is measured from outside: the servers and the load are processes of
// their own, mostly this program in another mode (children). The package outside
// measures a server process, and the package load sends requests.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"apitoken/cmd/bench/outside"
)

func main() {
	if ran, code := childMain(os.Args[1:]); ran {
		os.Exit(code)
	}
	var b bench
	flag.IntVar(&b.tokens, "tokens", 1_000_000, "tokens in the large store")
	flag.IntVar(&b.past, "past", 100_000, "past events of the busy owner")
	flag.IntVar(&b.rounds, "rounds", 7, "rounds of each comparison")
	flag.DurationVar(&b.slice, "slice", 2*time.Second, "time of one slice of a server that is measured from outside, in whole seconds")
	flag.IntVar(&b.tries, "tries", 4, "how often such a slice is measured, until other processes leave the CPUs alone")
	only := flag.String("only", "", "measure only these, separated by commas: "+strings.Join(names(), ", "))
	readme := flag.String("readme", "", "write the results into the table of this file")
	flag.Parse()
	exitOn(b.check(flag.Args()))
	selected, err := selection(*only)
	exitOn(err)
	exitOn(b.run(selected))
	if *readme != "" {
		exitOn(renew(*readme, b.machine(), b.results))
	}
	if slices.ContainsFunc(b.results, func(r result) bool { return !r.kept() }) {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
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
	return outside.Median(all), nil
}
