package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/events/session"
	"apitoken/events/token"
)

// advances returns the steps from the head over the records, by the rules of the
// stream. It changes nothing.
func (r *repair) advances(ctx context.Context, head events.Head, rs []events.Record) ([]events.Advance, error) {
	differs := func(v events.View) (bool, error) { return r.differs(ctx, v) }
	switch r.stream.Kind() {
	case events.UserStreams:
		return advancesBy(r, tokenRules, head, rs, func(before, after token.State, f events.Fact, rec events.Record) (events.Effect, error) {
			_, created := f.(events.TokenCreated)
			return effectOf(ctx, r, tokenRules, before.Find, token.PutBack, created, before, after, f, rec)
		}, differs)
	case events.SessionStreams:
		return advancesBy(r, sessionRules, head, rs, func(before, after session.State, f events.Fact, rec events.Record) (events.Effect, error) {
			_, opened := f.(events.SessionOpened)
			return effectOf(ctx, r, sessionRules, before.Find, session.PutBack, opened, before, after, f, rec)
		}, differs)
	case events.SettingsStreams:
		return advancesBy(r, settingsRules, head, rs, nil, nil)
	}
	return nil, fmt.Errorf("stream %s is of an unknown kind", r.stream)
}

// advancesBy folds the records in groups that fit into one transaction. effectOf
// returns the views of one record, and differs says which views need a write; a
// stream without views has neither.
func advancesBy[S, C any](
	r *repair, rules Rules[S, C], head events.Head, rs []events.Record,
	effectOf func(before, after S, f events.Fact, rec events.Record) (events.Effect, error), differs func(events.View) (bool, error),
) (steps []events.Advance, err error) {
	state, err := rules.Decode(head.StateV, head.State)
	if err != nil {
		return nil, fmt.Errorf("decoding the state of stream %s: %w", r.stream, err)
	}
	for group := range slices.Chunk(rs, events.MaxAdvance) {
		var views []events.View
		for _, rec := range group {
			f, err := events.Decode(rec)
			if err != nil {
				return nil, fmt.Errorf("%w. Nothing was changed: use the version of apitoken that wrote the record", err)
			}
			before := state
			state = rules.Fold(before, f, rec.At)
			if effectOf == nil {
				continue
			}
			e, err := effectOf(before, state, f, rec)
			if err != nil {
				return nil, err
			}
			views = withLatest(views, append(e.Minted, e.Changed...))
		}
		if views, err = selected(views, differs); err != nil {
			return nil, err
		}
		encoded, err := rules.Encode(state)
		if err != nil {
			return nil, fmt.Errorf("encoding the state of stream %s: %w", r.stream, err)
		}
		a, err := events.NewAdvance(r.keys, r.stream, head, group, rules.StateV, encoded, views)
		if err != nil {
			return nil, fmt.Errorf("making a head: %w", err)
		}
		steps, head = append(steps, a), a.Head()
	}
	return steps, nil
}

// withLatest returns the views with the later ones in place of earlier ones of the
// same tokens.
func withLatest(views, later []events.View) []events.View {
	for _, v := range later {
		views = slices.DeleteFunc(views, func(old events.View) bool { return old.ID == v.ID })
		views = append(views, v)
	}
	return views
}

func selected(views []events.View, accept func(events.View) (bool, error)) (kept []events.View, err error) {
	for _, v := range views {
		accepted, err := accept(v)
		if err != nil {
			return nil, err
		}
		if accepted {
			kept = append(kept, v)
		}
	}
	return kept, nil
}

// effectOf returns the view that a record led to. The state may lack the token:
// Revoke ends a view that was put back also then. The stored view then takes the
// place of the view in the state. Without a sound stored view there is nothing to
// end, because the guard accepts no other.
//
// find and putBack are of the state before the record, and begins says that the record
// is the first one about its token.
func effectOf[S, C any](
	ctx context.Context, r *repair, rules Rules[S, C], find func(id string) (events.View, bool), putBack func(S, events.View) S,
	begins bool, before, after S, f events.Fact, rec events.Record,
) (events.Effect, error) {
	if _, found := find(rec.Subject()); !found && !begins && rec.Subject() != "" {
		v, err := r.soundView(ctx, rec.Subject())
		if err != nil || v.ID == "" {
			return events.Effect{}, err
		}
		v.Ended, v.EndedAt, v.KeepUntil = "", time.Time{}, time.Time{}
		before = putBack(before, v)
	}
	return rules.Effect(before, after, []events.Fact{f}, rec.At, retentionOf(rec)), nil
}

// retentionOf returns the retention of the command that wrote the record, or a
// longer one if the preceding record is kept longer. Zero is for ever.
func retentionOf(rec events.Record) time.Duration {
	if rec.KeepUntil.IsZero() {
		return 0
	}
	return rec.KeepUntil.Sub(rec.At)
}

// soundView reads a view with a right seal. It returns the zero view if there is
// none.
func (r *repair) soundView(ctx context.Context, id string) (events.View, error) {
	v, _, err := r.store.Token(ctx, id)
	if err == nil {
		err = v.Check(r.keys)
	}
	switch {
	case errors.Is(err, events.ErrNotFound), errors.Is(err, events.ErrDamaged):
		return events.View{}, nil
	case err != nil:
		return events.View{}, fmt.Errorf("reading the view of token %q: %w", id, err)
	}
	return v, nil
}

// differs reports whether the stored view is older than v, damaged, missing, or of
// the same record with other content. The time of removal may differ: the view
// may be kept for less time than its record. A view that the store may remove
// already is not written again.
func (r *repair) differs(ctx context.Context, v events.View) (bool, error) {
	stored, err := r.soundView(ctx, v.ID)
	if err != nil {
		return false, err
	}
	if stored.ID == "" {
		return v.StateAt(r.now) != events.StateGone, nil
	}
	if stored.Seq != v.Seq {
		return stored.Seq < v.Seq, nil
	}
	v.KeepUntil, v.Seal = stored.KeepUntil, stored.Seal
	return v.Check(r.keys) != nil, nil
}
