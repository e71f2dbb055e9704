package compare

import (
	"errors"
	"maps"
	"slices"

	"apitoken/events"
	"apitoken/events/audit"
)

// follow folds an event, and looks at the views of the tokens that it ends. A
// token that has ended needs no memory afterwards.
func (w *walk) follow(m events.Message) error {
	if w.isNewer(m) {
		return nil
	}
	changed, err := w.tokens.fold(m)
	if err != nil {
		w.find(audit.Damaged, m.Seq, err.Error())
	}
	for _, x := range changed {
		delete(w.doubts, x.ID)
		if x.Ended == "" {
			continue
		}
		if err := w.look(x); err != nil {
			return err
		}
	}
	return nil
}

// checkViews looks at the views of the tokens that have not ended, and reports
// the views that differ at the second look too.
func (w *walk) checkViews() error {
	if w.tokens.state == nil {
		return w.settle()
	}
	for _, v := range w.tokens.state.views() {
		if err := w.look(expected{View: v, partial: w.tokens.partial[v.ID]}); err != nil {
			return err
		}
	}
	return w.settle()
}

// look reads a view by key and keeps the difference as a doubt.
func (w *walk) look(x expected) error {
	v, _, err := w.Store.Token(w.ctx, x.ID)
	if f := damagedView(err); f != nil {
		w.doubts[x.ID] = *f
		return nil
	}
	switch {
	case errors.Is(err, events.ErrNotFound):
		if x.mustExist(w.now) {
			w.doubts[x.ID] = audit.View(audit.MissingView, x.ID, "the token has no view, and its retention is not over")
		}
		return nil
	case err != nil:
		return err
	}
	if f := w.judge(x, v); f != nil {
		w.doubts[x.ID] = *f
	}
	return nil
}

func (w *walk) judge(x expected, v events.View) *audit.Finding {
	if w.hasKeys() {
		if err := v.Check(w.Keys); err != nil {
			f := audit.View(kindOf(err, audit.Damaged), x.ID, err.Error())
			return &f
		}
	}
	if v.Seq > x.Seq && w.tokens.misses(v.Seq) {
		return nil // the missing event is a finding already
	}
	return x.compare(v)
}

// damagedView returns a finding if err says that a view cannot be decoded.
func damagedView(err error) *audit.Finding {
	d, ok := errors.AsType[*events.DamagedView](err)
	if !ok {
		return nil
	}
	f := audit.View(audit.Damaged, d.TokenID, d.Error())
	return &f
}

// settle reports the views that differ, except if there is a newer event about
// the token. Then the view is compared again with this event.
func (w *walk) settle() error {
	w.settling = true
	for len(w.doubts) > 0 {
		version, err := w.version()
		if err != nil {
			return err
		}
		earlier := w.doubts
		w.doubts = map[string]audit.Finding{}
		changed, err := w.followNewer(version)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(earlier)) {
			if !changed[id] {
				w.report.Findings = append(w.report.Findings, earlier[id])
			}
		}
	}
	return nil
}

// followNewer folds the events after those of the walk, and looks at the views
// that they changed: the copies, and the events of the log up to a version. It
// ignores an event that this service did not write. The next comparison reports
// such an event.
func (w *walk) followNewer(version uint64) (changed map[string]bool, err error) {
	changed = map[string]bool{}
	return changed, w.merge(w.tokens.version(), func(logged, kept *events.Message) error {
		m := kept
		if m == nil {
			if m = logged; m.Seq > version || !w.isIntact(*m) {
				return nil
			}
		}
		views, err := w.tokens.fold(*m)
		if err != nil {
			return nil // it is not a fact
		}
		for _, x := range views {
			changed[x.ID] = true
			delete(w.doubts, x.ID)
			if err := w.look(x); err != nil {
				return err
			}
		}
		return nil
	})
}
