package lifetest

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/events/sweep"
)

// warning is a warning about a token, for one expiry and one number of days.
type warning struct {
	id      string
	expires time.Time
	days    int
}

// begins is the time from which a warning may be sent.
func (w warning) begins() time.Time { return w.expires.Add(-time.Duration(w.days) * 24 * time.Hour) }

// longest is the maximum time of a history: no record and no token is past its
// retention.
const longest = 300 * 24 * time.Hour

// waitForDays waits, mostly until after a sweep.
func (w *world) waitForDays(t *rapid.T) {
	if w.now.After(start.Add(longest)) {
		return
	}
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 10*24).Draw(t, "hours")) * time.Hour)
	w.collect(t)
	if rapid.IntRange(0, 3).Draw(t, "a sweep") > 0 {
		w.sweep(t)
	}
}

// waitForAWarning waits until a token is about to expire, and sweeps.
func (w *world) waitForAWarning(t *rapid.T) {
	for _, h := range w.tokens {
		day := warning{"", h.expires, 1}.begins()
		if w.liveAt(h) && !h.expires.IsZero() && day.After(h.created) && w.now.Before(day) && day.Before(start.Add(longest)) {
			w.now = day
			break
		}
	}
	w.sweep(t)
}

// sweep runs the sweep, sometimes first with a fault of the store. The run after it
// catches up.
func (w *world) sweep(t *rapid.T) {
	s := sweep.New(sweep.Config{Store: w.faulty, Issuer: w.Issuer, Keys: storetest.Keys, Now: w.clock, Parallel: 1})
	w.op = rapid.SampledFrom([]storetest.Op{storetest.OpCommit, storetest.OpNotify, storetest.OpNoteWarning}).Draw(t, "operation")
	w.fault = rapid.SampledFrom([]storetest.Fault{storetest.None, storetest.Unapplied, storetest.Unanswered}).Draw(t, "fault")
	if _, err := s.Run(t.Context()); err != nil && !errors.Is(err, sweep.ErrFaults) {
		t.Fatalf("sweeping with a fault: %v", err)
	}
	w.op, w.fault = storetest.OpCommit, storetest.None
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatalf("sweeping: %v", err)
	}
	w.seen["sweep"]++
	w.checkWarnings(t)
	for _, user := range users {
		w.checkLog(t, user)
		for _, v := range w.logs[events.UserStream(user)].state.Tokens {
			if v.StateAt(w.now) == events.StateExpired {
				t.Fatalf("the sweep did not record that token %s expired at %v", v.ID, v.ExpiresAt)
			}
		}
	}
}

// collect removes what is past its retention: answers of earlier calls and notices. No
// answer and no warning may be another one afterwards.
func (w *world) collect(t *rapid.T) {
	c, ok := w.store.(events.Collector)
	if !ok {
		return
	}
	done, err := c.Collect(t.Context(), w.now)
	if err != nil {
		t.Fatalf("removing what is past its retention: %v", err)
	}
	if done.Records+done.Views > 0 {
		t.Fatalf("%+v were removed before the end of their retention", done)
	}
	w.seen["replies removed"] += done.Replies
	w.seen["notices removed"] += done.Notices
}

// checkWarnings takes the messages out of the outbox and compares the warnings with
// the truth: each is true and is sent once, and none is missing. After a warning of
// fewer days, one of more days is not needed; it is sent if the settings ask for it
// and the token has changed since.
func (w *world) checkWarnings(t *rapid.T) {
	before := map[warning]bool{}
	for sent := range w.warned {
		before[sent] = true
	}
	for _, sent := range w.takeWarnings(t) {
		h := w.find(sent.id)
		switch {
		case h == nil || !w.liveAt(h) || !h.expires.Equal(sent.expires):
			t.Fatalf("a warning %+v of a token whose truth is %+v", sent, h)
		case w.warned[sent]:
			t.Fatalf("the warning %+v was sent twice", sent)
		case sent.days != w.nearest(h.expires) || !sent.begins().After(h.created):
			t.Fatalf("at %v there was a warning %+v of a token that was made at %v; the days are %v", w.now, sent, h.created, w.set.WarningDays)
		}
		w.seen["TokenExpiring"]++
		w.warned[sent] = true
	}
	for _, h := range w.tokens {
		want := warning{h.id, h.expires.UTC(), w.nearest(h.expires)}
		if !w.liveAt(h) || want.days == 0 || !want.begins().After(h.created) || w.warned[want] {
			continue
		}
		fewer := slices.ContainsFunc([]int{1, 2, 3, 7, 10}, func(d int) bool { return d < want.days && before[warning{want.id, want.expires, d}] })
		if !fewer {
			t.Fatalf("at %v there was no warning %+v", w.now, want)
		}
	}
}

// nearest returns the number of days of the last warning whose time has come, and 0
// if none has.
func (w *world) nearest(expires time.Time) (days int) {
	for _, d := range w.set.WarningDays {
		if !expires.IsZero() && !w.now.Before((warning{"", expires, d}).begins()) && (days == 0 || d < days) {
			days = d
		}
	}
	return days
}

// takeWarnings empties the outbox, and returns its warnings.
func (w *world) takeWarnings(t *rapid.T) (all []warning) {
	ms, err := w.store.Pending(t.Context(), w.now.Add(time.Hour), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range ms {
		ids = append(ids, m.ID)
		if m.Type != "TokenExpiring" {
			continue
		}
		var n events.TokenExpiring
		if err := json.Unmarshal(m.Data, &n); err != nil {
			t.Fatalf("the notice %s: %v", m.ID, err)
		}
		all = append(all, warning{n.TokenID, n.ExpiresAt.Time.UTC(), n.Days})
	}
	if err := w.store.Sent(t.Context(), ids...); err != nil {
		t.Fatal(err)
	}
	return all
}

// checkExpiredOnce: the log has the end of a token once.
func (w *world) checkExpiredOnce(t *rapid.T, r events.Record) {
	if r.Type != "TokenExpired" {
		return
	}
	if w.expired[r.Subject()] {
		t.Fatalf("record %s: the expiry of token %s is in the log twice", r.ID(), r.Subject())
	}
	w.expired[r.Subject()] = true
}
