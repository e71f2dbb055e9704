package compare

import (
	"errors"

	"apitoken/events"
	"apitoken/events/audit"
)

// pageSize is how many events a walk reads at a time, from the log and from the
// copies.
const pageSize = 500

// next returns one message after the other, and nil at the end.
type next func() (*events.Message, error)

// oneByOne makes a next from a function that returns a page of the messages after
// a sequence and where the following page begins, 0 after the last page.
func oneByOne(after uint64, fetch func(after uint64) ([]events.Message, uint64, error)) next {
	var ms []events.Message
	ended := false
	return func() (*events.Message, error) {
		for len(ms) == 0 && !ended {
			var err error
			if ms, after, err = fetch(after); err != nil {
				return nil, err
			}
			ended = after == 0
		}
		if len(ms) == 0 {
			return nil, nil
		}
		m := ms[0]
		ms = ms[1:]
		return &m, nil
	}
}

// merge calls f for each sequence after a given one, in order, with the event of
// the log and the copy. One of them may be nil.
func (w *walk) merge(after uint64, f func(logged, kept *events.Message) error) error {
	nextLogged, nextCopy := oneByOne(after, w.logPage), oneByOne(after, w.copyPage)
	logged, err := nextLogged()
	if err != nil {
		return err
	}
	kept, err := nextCopy()
	for err == nil && (logged != nil || kept != nil) {
		l, k := logged, kept
		switch {
		case k == nil || l != nil && l.Seq < k.Seq:
			k = nil
		case l == nil || k.Seq < l.Seq:
			l = nil
		}
		err = f(l, k)
		if err == nil && l != nil {
			logged, err = nextLogged()
		}
		if err == nil && k != nil {
			kept, err = nextCopy()
		}
	}
	return err
}

// logPage reads a page of the log. It skips records that are past their
// retention, because the store may have removed some of them and not others.
func (w *walk) logPage(after uint64) (ms []events.Message, following uint64, err error) {
	rs, err := w.Store.History(w.ctx, w.report.Stream, after, pageSize)
	for _, r := range rs {
		if !r.Gone(w.now) {
			ms = append(ms, r.Message())
		}
	}
	if len(rs) == pageSize {
		following = rs[pageSize-1].Seq
	}
	return w.skipDamaged(ms, after, following, err)
}

// copyPage reads a page of the copies.
func (w *walk) copyPage(after uint64) (ms []events.Message, following uint64, err error) {
	ms, err = w.Copies.Copy(w.ctx, w.report.Stream, after, pageSize)
	if len(ms) == pageSize {
		following = ms[pageSize-1].Seq
	}
	return w.skipDamaged(ms, after, following, err)
}

// skipDamaged reports an event that cannot be decoded, and lets the page end
// before it and the following page begin after it.
func (w *walk) skipDamaged(ms []events.Message, after, following uint64, err error) ([]events.Message, uint64, error) {
	d, ok := errors.AsType[*events.DamagedRecord](err)
	if !ok || d.Seq <= after {
		return ms, following, err
	}
	if !w.settling {
		w.find(audit.Damaged, d.Seq, err.Error())
	}
	return ms, d.Seq, nil
}
