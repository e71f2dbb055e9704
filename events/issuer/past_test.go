package issuer_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/localstack/longtest"
)

const days = 24 * time.Hour

// rename changes the name of a token.
func (s *scene) rename(owner, id, name string) {
	s.Helper()
	s.update(person(owner), id, token.Update{Wish: token.Wish{Name: name}, Given: token.Members{Name: true}})
}

// trimmedAt returns the first instant of the refusal history_trimmed, and zero if
// there was an answer. Every other error fails the test.
func trimmedAt(t testing.TB, err error) time.Time {
	t.Helper()
	if err == nil {
		return time.Time{}
	}
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok || r.Code != token.CodeHistoryTrimmed || r.Field != "at" || r.FirstInstant.IsZero() {
		t.Fatalf("got %v, want an answer or %s", err, token.CodeHistoryTrimmed)
	}
	return r.FirstInstant
}

// TestGetAtAnswersTheTokenAsItWas, without its last use, also for a token that was
// revoked later.
func TestGetAtAnswersTheTokenAsItWas(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	made, shown := s.create(ann, "", token.Wish{Name: "first", ExpiresIn: 10 * time.Hour, Scopes: []string{"GET /"}})
	s.create(ann, "", token.Wish{}) // another token between
	if got := s.denialOf(shown); got != "" {
		t.Fatal(got)
	}
	var moments []time.Time
	var want []issuer.Token
	for _, change := range []func(){
		func() {},
		func() { s.rename("ann", made.ID, "second") },
		func() { s.update(ann, made.ID, token.Update{Enabled: new(false)}) },
		func() { s.rotate(ann, made.ID, new(time.Hour)) },
		func() {
			s.grant("boss", settings.Actions()...)
			_, err := s.Suspend(t.Context(), person("boss"), "ann", "")
			must(t, err)
		},
		func() {
			_, err := s.Reinstate(t.Context(), person("boss"), "ann", "")
			must(t, err)
		},
		func() { must(t, s.Revoke(t.Context(), ann, made.ID)) },
	} {
		s.wait(time.Hour)
		change()
		now, err := s.Get(t.Context(), ann, made.ID, everyState...)
		must(t, err)
		now.LastUse, now.Seal, now.KeepUntil = events.Use{}, events.Verifier{}, time.Time{}
		moments, want = append(moments, s.now()), append(want, now)
	}
	s.wait(time.Hour)
	for i, at := range moments {
		for _, at := range []time.Time{at, at.Add(time.Hour - time.Microsecond)} {
			got, err := s.GetAt(t.Context(), ann, made.ID, at)
			if err != nil || !reflect.DeepEqual(got, want[i]) {
				t.Errorf("at %v: got %+v, %v, want %+v", at, got, err, want[i])
			}
		}
	}
	// An expiry needs no record.
	expiring, _ := s.create(ann, "", token.Wish{ExpiresIn: time.Minute})
	s.wait(time.Hour)
	for at, want := range map[time.Time]events.TokenState{expiring.ExpiresAt.Add(-time.Microsecond): events.StateActive, expiring.ExpiresAt: events.StateExpired, s.now(): events.StateExpired} {
		if got, err := s.GetAt(t.Context(), ann, expiring.ID, at); err != nil || got.State != want {
			t.Errorf("at %v: got %s, %v, want %s", at, got.State, err, want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGetAtRefusals(t *testing.T) {
	s := newScene(t)
	s.grant("viewer", settings.ActionView)
	s.wait(time.Hour)
	made, _ := s.create(person("ann"), "", token.Wish{})
	revoked, _ := s.create(person("ann"), "", token.Wish{})
	s.wait(time.Hour)
	must(t, s.Revoke(t.Context(), person("ann"), revoked.ID))
	now := s.now()
	for name, test := range map[string]struct {
		caller string
		id     string
		at     time.Time
		states []events.TokenState
		want   string
	}{
		"now":                       {"ann", made.ID, now, nil, ""},
		"its creation":              {"ann", made.ID, made.CreatedAt, nil, ""},
		"before its creation":       {"ann", made.ID, made.CreatedAt.Add(-time.Microsecond), nil, token.CodeNotFound},
		"long before":               {"ann", made.ID, time.Time{}, nil, token.CodeNotFound},
		"in the future":             {"ann", made.ID, now.Add(time.Microsecond), nil, token.CodeInstantInFuture},
		"another user's":            {"viewer", made.ID, now, nil, ""},
		"without the permission":    {"stranger", made.ID, now, nil, token.CodeNotFound},
		"unknown":                   {"ann", "00000000", now, nil, token.CodeNotFound},
		"no id":                     {"ann", "..", now, nil, token.CodeNotFound},
		"revoked":                   {"ann", revoked.ID, now, nil, ""},
		"before it was revoked":     {"ann", revoked.ID, now.Add(-time.Minute), []events.TokenState{events.StateActive}, ""},
		"revoked, but not selected": {"ann", revoked.ID, now, []events.TokenState{events.StateActive}, token.CodeNotFoundRevoked},
		"not yet revoked":           {"ann", revoked.ID, now.Add(-time.Minute), []events.TokenState{events.StateRevoked}, token.CodeNotFound},
		"another's revoked":         {"stranger", revoked.ID, now, nil, token.CodeNotFound},
	} {
		_, err := s.GetAt(t.Context(), person(test.caller), test.id, test.at, test.states...)
		if got := refusalCode(t, err); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	_, hidden := s.GetAt(t.Context(), person("stranger"), made.ID, made.CreatedAt.Add(-time.Hour))
	_, missing := s.GetAt(t.Context(), person("stranger"), "00000000", made.CreatedAt.Add(-time.Hour))
	if !reflect.DeepEqual(hidden, missing) {
		t.Errorf("another user's token is %v, and a missing one is %v; want the same", hidden, missing)
	}
}

// withoutGone is a store that has removed the records past their retention.
type withoutGone struct {
	events.Store
	now func() time.Time
}

func (w *withoutGone) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	all, err := w.Store.History(ctx, s, after, 10_000)
	all = slices.DeleteFunc(all, func(r events.Record) bool { return r.Gone(w.now()) })
	return all[:min(limit, len(all))], err
}

// TestGetAtOfALogWithoutItsBeginning: the first instant that can be asked is the
// oldest record that is kept, unless a later record first says a member. It does not
// matter whether the store has removed the records past their retention.
func TestGetAtOfALogWithoutItsBeginning(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	s.changeSettings(settings.Change{Retention: new(400 * days)})
	renamed, _ := s.create(ann, "", token.Wish{Name: "first"})
	same, _ := s.create(ann, "", token.Wish{Name: "same"})
	s.wait(200 * days)
	s.create(ann, "", token.Wish{})
	oldest := s.now()
	s.wait(10 * days)
	s.rename("ann", renamed.ID, "second")
	rename := s.now()
	s.wait(10 * days)
	s.update(ann, renamed.ID, token.Update{Enabled: new(false)})
	disabled := s.now()
	for round, rounds := 0, []struct {
		wait  time.Duration
		id    string
		at    time.Time
		first time.Time // zero: an answer
		name  string
		state events.TokenState
	}{
		{181 * days, renamed.ID, oldest, rename, "", ""},
		{0, renamed.ID, rename.Add(-time.Microsecond), rename, "", ""},
		{0, renamed.ID, rename, time.Time{}, "second", events.StateActive},
		{0, renamed.ID, disabled.Add(-time.Microsecond), time.Time{}, "second", events.StateActive},
		{0, renamed.ID, disabled, time.Time{}, "second", events.StateDisabled},
		{0, same.ID, oldest.Add(-time.Microsecond), oldest, "", ""},
		{0, same.ID, oldest, time.Time{}, "same", events.StateActive},
		{205 * days, renamed.ID, rename, time.Time{}, "second", events.StateActive},
		{0, same.ID, oldest, rename, "", ""},
		{0, same.ID, rename, time.Time{}, "same", events.StateActive},
		// No record is kept. The head says when the last one was written.
		{500 * days, renamed.ID, disabled.Add(-time.Microsecond), disabled, "", ""},
		{0, renamed.ID, disabled, time.Time{}, "second", events.StateDisabled},
		{0, same.ID, rename, disabled, "", ""},
		{0, same.ID, disabled.Add(days), time.Time{}, "same", events.StateActive},
	}; round < len(rounds); round++ {
		test := rounds[round]
		s.wait(test.wait)
		for name, store := range map[string]events.Store{"not removed": s.store, "removed": &withoutGone{s.store, s.now}} {
			s.useStore(store)
			got, err := s.GetAt(t.Context(), ann, test.id, test.at)
			if first := trimmedAt(t, err); !first.Equal(test.first) || got.Name != test.name || got.State != test.state {
				t.Errorf("row %d, %s: got %q %s, first instant %v; want %q %s %v", round, name, got.Name, got.State, first, test.name, test.state, test.first)
			}
		}
	}
}

// TestGetAtFindsTheOldestRecordOfMany with few reads.
func TestGetAtFindsTheOldestRecordOfMany(t *testing.T) {
	s := newScene(t)
	s.changeRate(0)
	s.changeSettings(settings.Change{Retention: new(400 * days)})
	made, _ := s.create(person("ann"), "", token.Wish{})
	var times []time.Time
	for range 150 {
		s.wait(days)
		s.createAndRevoke("ann")
		times = append(times, s.now())
	}
	spy := &historySpy{Store: s.store}
	s.useStore(spy)
	for kept := 149; kept >= 0; kept -= 29 {
		s.nanos.Store(int64(times[kept].Add(400*days - time.Microsecond).Sub(start)))
		spy.calls, spy.records = 0, 0
		_, early := s.GetAt(t.Context(), person("ann"), made.ID, times[kept].Add(-time.Microsecond))
		_, late := s.GetAt(t.Context(), person("ann"), made.ID, times[kept])
		if got := trimmedAt(t, early); !got.Equal(times[kept]) || late != nil {
			t.Errorf("got %v and %v, want the first instant %v and an answer", got, late, times[kept])
		}
		if spy.records > 40 {
			t.Errorf("two calls read %d records of 301, want few", spy.records)
		}
	}
}

// TestOneGetAtReadsABoundedNumberOfRecords: a user may have any number of records
// between two of one token. The newest ones still answer, and what they do not say
// is refused.
func TestOneGetAtReadsABoundedNumberOfRecords(t *testing.T) {
	longtest.SkipSequential(t)
	s := newScene(t)
	ann := person("ann")
	s.changeRate(0)
	made, _ := s.create(ann, "", token.Wish{Name: "first"})
	renamed, _ := s.create(ann, "", token.Wish{Name: "first"})
	s.wait(time.Hour)
	long := s.now()
	for range 2600 {
		s.createAndRevoke("ann")
		s.wait(time.Second)
	}
	between := s.now()
	s.wait(time.Hour)
	s.update(ann, made.ID, token.Update{Enabled: new(false)})
	s.rename("ann", renamed.ID, "second")
	rename := s.now()
	spy := &historySpy{Store: s.store}
	s.useStore(spy)
	get := func(id string, at time.Time) (issuer.Token, time.Time) {
		t.Helper()
		spy.records = 0
		got, err := s.GetAt(t.Context(), ann, id, at)
		if spy.records > 5000 || spy.calls > 20 {
			t.Errorf("one call read %d records, want at most 5000", spy.records)
		}
		spy.calls = 0
		return got, trimmedAt(t, err)
	}
	if got, first := get(made.ID, between); !first.IsZero() || got.State != events.StateActive {
		t.Errorf("between: got %s, first instant %v, want active", got.State, first)
	}
	if got, first := get(made.ID, rename); !first.IsZero() || got.State != events.StateDisabled {
		t.Errorf("after: got %s, first instant %v, want disabled", got.State, first)
	}
	if _, first := get(made.ID, long); !first.After(long) || first.After(between) {
		t.Errorf("long before: the first instant is %v, want one between %v and %v", first, long, between)
	}
	if _, first := get(renamed.ID, between); !first.Equal(rename) {
		t.Errorf("before the new name: the first instant is %v, want %v", first, rename)
	}
	if page := longestRead(t, s, made.ID); page > 500 {
		t.Errorf("one read had %d records, want at most 500", page)
	}
}

// longestRead returns the largest number of records that GetAt asks for at once.
func longestRead(t *testing.T, s *scene, id string) (most int) {
	t.Helper()
	s.useStore(&limitSpy{s.store, &most})
	_, err := s.GetAt(t.Context(), person("ann"), id, s.now())
	must(t, err)
	return most
}

type limitSpy struct {
	events.Store
	most *int
}

func (l *limitSpy) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	*l.most = max(*l.most, limit)
	return l.Store.History(ctx, s, after, limit)
}

// changedHistory is a store whose records something else has changed.
type changedHistory struct {
	events.Store
	change func([]events.Record) []events.Record
}

func (c *changedHistory) History(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Record, error) {
	rs, err := c.Store.History(ctx, s, after, limit)
	return c.change(rs), err
}

// TestGetAtOfADamagedLogIsAFault, whichever record of the range is wrong.
func TestGetAtOfADamagedLogIsAFault(t *testing.T) {
	s := newScene(t)
	ann := person("ann")
	made, _ := s.create(ann, "", token.Wish{})
	for range 5 {
		s.wait(time.Hour)
		s.createAndRevoke("ann")
	}
	s.rename("ann", made.ID, "second")
	remove := func(seq uint64) func([]events.Record) []events.Record {
		return func(rs []events.Record) []events.Record {
			return slices.DeleteFunc(rs, func(r events.Record) bool { return r.Seq == seq })
		}
	}
	change := func(f func(*events.Record)) func([]events.Record) []events.Record {
		return func(rs []events.Record) []events.Record {
			for i := range rs {
				if rs[i].Seq == 5 {
					f(&rs[i])
				}
			}
			return rs
		}
	}
	for name, damage := range map[string]func([]events.Record) []events.Record{
		"a gap":                  remove(5),
		"no last record":         remove(12),
		"another content":        change(func(r *events.Record) { r.Public = []byte(`{"v":1}`) }),
		"another hash":           change(func(r *events.Record) { r.Hash[0]++ }),
		"no MAC":                 change(func(r *events.Record) { r.MAC = events.Verifier{} }),
		"past its retention":     change(func(r *events.Record) { r.KeepUntil = start }),
		"of another stream":      change(func(r *events.Record) { r.Stream = "user/bob" }),
		"with a wrong prev hash": change(func(r *events.Record) { r.Prev[0]++ }),
	} {
		s.useStore(&changedHistory{s.store, damage})
		_, err := s.GetAt(t.Context(), ann, made.ID, s.now())
		wantFault(t, name, err)
		if !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: got %v, want damaged data", name, err)
		}
	}
	s.useStore(&changedHistory{s.store, func(rs []events.Record) []events.Record { return rs }})
	if _, err := s.GetAt(t.Context(), ann, made.ID, s.now()); err != nil {
		t.Errorf("an unchanged log: %v", err)
	}
}

var everyState = []events.TokenState{events.StateActive, events.StateDisabled, events.StateExpired, events.StateRevoked}
