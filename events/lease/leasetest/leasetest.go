// Package leasetest states the promises of lease.Store as one suite of tests. Every
// store runs it.
package leasetest

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events/lease"
)

// Run runs the suite. Each check uses a lease of its own, so open may return the same
// store each time.
func Run(t *testing.T, open func(*testing.T) lease.Store) {
	t.Helper()
	for name, check := range map[string]func(*scene){
		"ANewLeaseIsTakenOnce":              takenOnce,
		"OneOfManyTakesALease":              oneOfMany,
		"ALeaseIsTakenOnlyAsItWasSeen":      takenAsSeen,
		"OnlyTheHolderRenews":               holderRenews,
		"ALateRenewalChangesNothing":        lateRenewal,
		"OnlyTheHolderReleases":             holderReleases,
		"ACancelledContextChangesNothing":   cancelled,
		"LeasesOfDifferentNamesAreSeparate": separate,
	} {
		t.Run(name, func(t *testing.T) { check(&scene{t, open(t), rand.Text()}) })
	}
}

type scene struct {
	*testing.T
	lease.Store
	name string
}

func entry(holder string, beat uint64) lease.Entry {
	end := time.Date(2026, 11, 27, 10, 0, 30, 0, time.UTC)
	return lease.Entry{Holder: holder, Beat: beat, End: end.Add(time.Duration(beat) * lease.RenewEvery)}
}

func (s *scene) take(seen, next lease.Entry, want bool) {
	s.Helper()
	if got, err := s.Take(s.Context(), s.name, seen, next); got != want || err != nil {
		s.Errorf("%s takes the lease: got %v, %v, want %v", next.Holder, got, err, want)
	}
}

func (s *scene) renew(next lease.Entry, want bool) {
	s.Helper()
	if got, err := s.Renew(s.Context(), s.name, next); got != want || err != nil {
		s.Errorf("%s renews the lease: got %v, %v, want %v", next.Holder, got, err, want)
	}
}

func (s *scene) expect(want lease.Entry) {
	s.Helper()
	if got, err := s.Lease(s.Context(), s.name); got.Holder != want.Holder || got.Beat != want.Beat || !got.End.Equal(want.End) || err != nil {
		s.Errorf("the lease: got %+v, %v, want %+v", got, err, want)
	}
}

func takenOnce(s *scene) {
	s.expect(lease.Entry{})
	s.take(lease.Entry{}, entry("a", 1), true)
	s.expect(entry("a", 1))
	s.take(lease.Entry{}, entry("b", 1), false)
	s.expect(entry("a", 1))
}

func oneOfMany(s *scene) {
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			ok, err := s.Take(s.Context(), s.name, lease.Entry{}, entry(rand.Text(), 1))
			if err != nil {
				s.Errorf("taking: %v", err)
			}
			if ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		s.Errorf("%d took the lease, want one", taken.Load())
	}
}

func takenAsSeen(s *scene) {
	s.take(lease.Entry{}, entry("a", 1), true)
	s.renew(entry("a", 2), true)
	s.take(entry("a", 1), entry("b", 1), false)
	s.take(entry("c", 2), entry("b", 1), false)
	s.expect(entry("a", 2))
	s.take(entry("a", 2), entry("b", 1), true)
	s.expect(entry("b", 1))
}

func holderRenews(s *scene) {
	s.renew(entry("a", 1), false)
	s.expect(lease.Entry{})
	s.take(lease.Entry{}, entry("a", 1), true)
	s.renew(entry("b", 2), false)
	s.expect(entry("a", 1))
	s.renew(entry("a", 2), true)
	s.renew(entry("a", 2), true) // a second attempt of the same call
	s.expect(entry("a", 2))
}

func lateRenewal(s *scene) {
	s.take(lease.Entry{}, entry("a", 1), true)
	s.renew(entry("a", 3), true)
	s.renew(entry("a", 2), false)
	s.expect(entry("a", 3))
}

func holderReleases(s *scene) {
	s.take(lease.Entry{}, entry("a", 1), true)
	for _, holder := range []string{"b", "a", "a"} {
		if err := s.Release(s.Context(), s.name, holder); err != nil {
			s.Errorf("%s releases the lease: %v", holder, err)
		}
		if holder == "b" {
			s.expect(entry("a", 1))
		}
	}
	s.expect(lease.Entry{})
	s.renew(entry("a", 2), false)
}

func cancelled(s *scene) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if ok, err := s.Take(ctx, s.name, lease.Entry{}, entry("a", 1)); ok || err == nil {
		s.Errorf("taking: got %v, %v, want an error", ok, err)
	}
	s.expect(lease.Entry{})
}

func separate(s *scene) {
	s.take(lease.Entry{}, entry("a", 1), true)
	other := &scene{s.T, s.Store, s.name + "2"}
	other.take(lease.Entry{}, entry("b", 1), true)
	s.expect(entry("a", 1))
}
