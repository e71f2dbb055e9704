package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"apitoken/events"
)

// race commits all concurrently and returns their answers.
func race(x *scene, cs []events.Commit) []error {
	errs := make([]error, len(cs))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, c := range cs {
		wg.Go(func() {
			<-start
			errs[i] = x.Commit(x.ctx, c)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

func oneWinner(t testing.TB, s events.Store) {
	const writers, rounds = 12, 6
	x := newScene(t, s)
	var winners []events.Commit
	for range rounds {
		base := x.head()
		var cs []events.Commit
		for range writers {
			cs = append(cs, x.newCommit(base, events.Effect{Minted: []events.View{x.plain(x.now)}}))
		}
		won := 0
		for i, err := range race(x, cs) {
			switch {
			case err == nil:
				won++
				winners = append(winners, cs[i])
			case !errors.Is(err, events.ErrConflict):
				t.Fatalf("a writer that lost at version %d: got %v, want %v", base.Version, err, events.ErrConflict)
			default:
				expectNoToken(x, cs[i].Effect().Minted[0].ID)
			}
		}
		equal(x, fmt.Sprintf("winners at version %d", base.Version), won, 1)
	}
	var want []events.Record
	for _, c := range winners {
		want = append(want, c.Records()...)
	}
	equal(x, "the history", x.history(100), want)
}

func oneMint(t testing.TB, s events.Store) {
	x := newScene(t, s)
	id := newID()
	var cs []events.Commit
	for range 12 {
		y := x.other()
		v := y.plain(x.now)
		v.ID = id
		cs = append(cs, y.newCommit(events.Head{}, events.Effect{Minted: []events.View{v}}))
	}
	winner := ""
	for i, err := range race(x, cs) {
		switch {
		case err == nil && winner == "":
			winner = cs[i].Effect().Minted[0].Owner
		case !errors.Is(err, events.ErrIDTaken):
			t.Errorf("a writer that was not the first with an id: got %v, want %v", err, events.ErrIDTaken)
		}
	}
	v, _ := x.token(id)
	equal(x, "the owner of the id", v.Owner, winner)
}
