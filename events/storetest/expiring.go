package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"apitoken/events"
)

// expiring returns the tokens of the owner that expire in a period, in the order
// of their expiries. The store may return a token twice if its index changes
// meanwhile; these checks change nothing meanwhile.
func (x *scene) expiring(from, to time.Time) (all []events.Expiring) {
	x.Helper()
	err := x.Expiring(x.ctx, "", from, to, func(page []events.Expiring) error {
		if len(page) == 0 || len(page) > events.ExpiringPage {
			x.Errorf("Expiring: a page has %d tokens, want 1 to %d", len(page), events.ExpiringPage)
		}
		for _, e := range page {
			if e.Owner == x.owner {
				all = append(all, e)
			}
		}
		return nil
	})
	if err != nil {
		x.Fatalf("Expiring: %v", err)
	}
	slices.SortFunc(all, func(a, b events.Expiring) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	return all
}

// mortal returns a token that expires after d.
func (x *scene) mortal(d time.Duration) events.View {
	v := x.plain(x.now)
	v.ExpiresAt = x.now.Add(d)
	return v
}

func (x *scene) entry(v events.View) events.Expiring {
	return events.Expiring{TokenID: v.ID, Owner: x.owner, ExpiresAt: v.ExpiresAt}
}

// expiringAreFound has tokens at both ends of the period, and a microsecond beside
// them.
func expiringAreFound(t testing.TB, s events.Store) {
	x := newScene(t, s)
	early, first, last, late := x.mortal(time.Hour-time.Microsecond), x.mortal(time.Hour), x.mortal(2*time.Hour-time.Microsecond), x.mortal(2*time.Hour)
	x.mint(last, x.plain(x.now), first, late, early)
	eventually(x, "all tokens that expire", 4, func() int { return len(x.expiring(time.Time{}, x.now.AddDate(400, 0, 0))) })
	equal(x, "the tokens of an hour", x.expiring(x.now.Add(time.Hour), x.now.Add(2*time.Hour)), []events.Expiring{x.entry(first), x.entry(last)})
	equal(x, "the tokens of an empty period", x.expiring(x.now.Add(time.Hour), x.now.Add(time.Hour)), nil)
	stop := errors.New("stop")
	calls := 0
	err := x.Expiring(x.ctx, "", x.now, x.now.AddDate(1, 0, 0), func([]events.Expiring) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("Expiring after an error of its function: got %v after %d calls, want the error after one call", err, calls)
	}
}

// expiriesFollow changes one token in each way that matters.
func expiriesFollow(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.mortal(time.Hour)
	x.mint(v)
	for _, step := range []struct {
		what   string
		change func(*events.View)
		found  bool
	}{
		{"nothing", func(*events.View) {}, true},
		{"its name", func(v *events.View) { v.Name = "other" }, true},
		{"disabled", func(v *events.View) { v.Disabled = true }, true},
		{"suspended", func(v *events.View) { v.Suspended = true }, true},
		{"a later expiry", func(v *events.View) { v.ExpiresAt = v.ExpiresAt.AddDate(1, 0, 0) }, true},
		{"no expiry", func(v *events.View) { v.ExpiresAt = time.Time{} }, false},
		{"an expiry again", func(v *events.View) { v.ExpiresAt = x.now.Add(time.Minute) }, true},
		{"recorded as expired", func(v *events.View) { v.Ended, v.EndedAt = events.EndedExpired, v.ExpiresAt }, false},
	} {
		step.change(&v)
		v.Seq++
		x.write(events.Effect{Changed: []events.View{v}})
		var want []events.Expiring
		if step.found {
			want = []events.Expiring{x.entry(v)}
		}
		eventually(x, "the tokens that expire after a change to "+step.what, want, func() []events.Expiring {
			return x.expiring(time.Time{}, x.now.AddDate(400, 0, 0))
		})
	}
}

// expiringInPages has more tokens than a page, some with the same expiry. While
// pages come, it writes.
func expiringInPages(t testing.TB, s events.Store) {
	x := newScene(t, s)
	const each = 45 // tokens of one commit
	var want []string
	for n := 0; n <= events.ExpiringPage; n += each {
		var vs []events.View
		for range each {
			v := x.mortal(time.Hour + time.Duration(n)*time.Microsecond)
			vs, want = append(vs, v), append(want, v.ID)
		}
		x.mint(vs...)
	}
	from, to := x.now.Add(time.Hour), x.now.Add(2*time.Hour)
	eventually(x, "the number of tokens that expire", len(want), func() int { return len(x.expiring(from, to)) })
	var got []string
	err := x.Expiring(x.ctx, "", from, to, func(page []events.Expiring) error {
		for _, e := range page {
			if e.Owner == x.owner {
				got = append(got, e.TokenID)
			}
		}
		x.write(events.Effect{})
		return nil
	})
	if err != nil {
		t.Fatalf("Expiring: %v", err)
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(x, "the tokens of several pages", got, want)
}

func noteLasts(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.mortal(time.Hour)
	v.Seq = 1
	x.mint(v)
	note := func(id string, seq uint64, days int) {
		t.Helper()
		if err := x.NoteWarning(x.ctx, id, seq, days); err != nil {
			t.Fatalf("NoteWarning: %v", err)
		}
	}
	note(newID(), 1, 30)
	note(v.ID, 2, 30)
	eventually(x, "the notes of other sequences", []int{0}, x.notes)
	before, _ := x.token(v.ID)
	note(v.ID, 1, 365)
	eventually(x, "the note", []int{365}, x.notes)
	note(v.ID, 1, 7)
	eventually(x, "the next note", []int{7}, x.notes)
	after, _ := x.token(v.ID)
	equal(x, "the view after a note", after, before)
	v.Seq++
	x.write(events.Effect{Changed: []events.View{v}})
	eventually(x, "the note after a change", []int{0}, x.notes)
	v.Ended, v.EndedAt = events.EndedRevoked, x.now
	v.Seq++
	x.write(events.Effect{Changed: []events.View{v}})
	note(v.ID, v.Seq, 7)
	eventually(x, "the notes about an ended token", nil, x.notes)
}

// notes returns the notes about the owner's tokens.
func (x *scene) notes() (days []int) {
	x.Helper()
	for _, e := range x.expiring(time.Time{}, x.now.AddDate(400, 0, 0)) {
		days = append(days, e.Warned)
	}
	return days
}
