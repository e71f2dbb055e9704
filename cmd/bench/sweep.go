package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"apitoken/cmd/bench/load"
)

var (
	sweepReads   = budget{"`who-am-i` while the sweep handles due tokens, 99 % of the requests", "without a sweep", 3, "×"}
	sweepUpdates = budget{"updates while the sweep handles due tokens, 99 % of the requests", "without a sweep", 3, "×"}
)

const sweepTime = 20 * time.Second

// sweeping compares the time of requests at a moderate rate with and without a sweep
// at the same time, on a store whose tokens are all due: the sweep warns about one
// half, and would then record the expiries of the other half.
func (b *bench) sweeping(f folder, n int) error {
	now := time.Now().UTC()
	f.expires = func(owner int) time.Time {
		if owner%2 == 1 {
			return now.Add(-time.Hour)
		}
		return now.AddDate(0, 0, 20)
	}
	samples, err := f.fill(context.Background(), n)
	if err != nil {
		return err
	}
	samples = slices.DeleteFunc(samples, func(s sample) bool { // the expired ones
		var owner int
		fmt.Sscanf(s.owner, "user%d", &owner)
		return owner%2 == 1
	})
	compared, err := meanwhile(f, "sweep", func(p process, word string) load.Job {
		return besideJob(p, sweepTime, readsAndUpdates(samples, word))
	})
	if err != nil {
		return err
	}
	b.report(sweepReads.compared(compared[0], "ms"))
	b.report(sweepUpdates.compared(compared[1], "ms"))
	return nil
}

// readsAndUpdates are two kinds of requests in turns, by many tokens.
func readsAndUpdates(samples []sample, word string) (all []load.Request) {
	for i, s := range samples {
		text := load.Text(http.MethodGet, whoAmI, s.token.Text().Reveal(), "")
		if i%2 == 1 {
			body := fmt.Sprintf(`{"name":"%s %s"}`, word, load.Counter)
			text = load.Text(http.MethodPatch, createPath+s.token.ID, s.token.Text().Reveal(), body)
		}
		all = append(all, load.Request{Text: text, Kind: i % 2, Status: http.StatusOK})
	}
	return all
}
