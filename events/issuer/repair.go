package issuer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
)

// RepairStore has the ports that Repair needs.
type RepairStore interface {
	events.Log
	events.Views
	events.Repairs
}

// Repair ends the block of a stream that has records newer than its head. It
// removes planted records: those that cannot be decoded, and those with a wrong
// hash or MAC. Records that this service wrote show that the head was put back:
// Repair folds them into a new head, and writes the views that these records
// changed. It writes no fact, because the records say already what happened.
//
// Repair calls did for each step that it has done, with a line of text. It
// changes nothing if the head is damaged, if the head is missing and this service
// wrote one of the records, or if a record is neither planted nor
// continues the stream. It may run again at any time, also after an interruption.
// If another command writes to the stream meanwhile, the error wraps
// events.ErrConflict.
func Repair(ctx context.Context, store RepairStore, k events.Keys, s events.Stream, now time.Time, did func(step string) error) error {
	if _, err := readHead(ctx, store, k, events.SettingsStream); err != nil {
		return fmt.Errorf("%w: %s", err, repairHeadFirst)
	}
	head, err := readHead(ctx, store, k, s)
	r := &repair{store: store, keys: k, stream: s, base: head.Version, now: now, did: did}
	switch {
	case errors.Is(err, events.ErrHeadMissing):
		return r.withoutHead(ctx, err)
	case err != nil:
		return fmt.Errorf("%w: %s", err, repairHeadFirst)
	}
	genuine, planted, err := r.survey(ctx)
	if err != nil {
		return err
	}
	if err := head.Continues(k, s, genuine); err != nil {
		return fmt.Errorf("%w: a record between them is missing or was changed. Nothing was changed: look for the missing record in the copies, and restore the log", err)
	}
	steps, err := r.advances(ctx, head, genuine)
	if err != nil {
		return err
	}
	if planted {
		if err := r.removePlanted(ctx); err != nil {
			return err
		}
	}
	return r.apply(ctx, steps)
}

// withoutHead repairs a stream that has records and no head. If all its records
// were planted, nothing was ever written to the stream, so it removes them. One
// genuine record shows that the head was removed: then it changes nothing.
func (r *repair) withoutHead(ctx context.Context, missing error) error {
	genuine, planted, err := r.survey(ctx)
	switch {
	case err != nil:
		return err
	case len(genuine) > 0 || !planted:
		return fmt.Errorf("%w: %s", missing, repairHeadFirst)
	}
	return r.removePlanted(ctx)
}

const repairHeadFirst = "repair needs a sound head and changes nothing: restore the log to a time before the damage, then run audit reapply"

// repair is one run of Repair.
type repair struct {
	store  RepairStore
	keys   events.Keys
	stream events.Stream
	base   uint64 // the version of the head that was read
	now    time.Time
	did    func(string) error
}

// repairPage is how many records Repair reads at a time.
const repairPage = 100

// eachNewer calls do for each record that is newer than the head.
func (r *repair) eachNewer(ctx context.Context, do func(events.Newer) error) error {
	for after := r.base; ; {
		page, err := r.store.Newer(ctx, r.stream, after, repairPage)
		if err != nil {
			return fmt.Errorf("reading the records of stream %s after %d: %w", r.stream, after, err)
		}
		for _, n := range page {
			if n.Seq <= after {
				return fmt.Errorf("stream %s: the store returned record %d after record %d", r.stream, n.Seq, after)
			}
			if err := do(n); err != nil {
				return err
			}
			after = n.Seq
		}
		if len(page) < repairPage {
			return nil
		}
	}
}

// survey returns the records that this service wrote, and whether there are
// planted ones. It changes nothing.
func (r *repair) survey(ctx context.Context) (genuine []events.Record, planted bool, err error) {
	err = r.eachNewer(ctx, func(n events.Newer) error {
		switch reason := plantedReason(r.keys, n); {
		case errors.Is(reason, events.ErrUnknownKid):
			return fmt.Errorf("%w. Nothing was changed: add this pepper if the deployment ever had it. Otherwise delete the record, because an attacker wrote it", reason)
		case reason != nil:
			planted = true
		default:
			genuine = append(genuine, n.Record)
		}
		return nil
	})
	return genuine, planted, err
}

// plantedReason returns why a record is not one of this service, and nil if this
// service wrote it. An error that wraps events.ErrUnknownKid shows neither.
func plantedReason(k events.Keys, n events.Newer) error {
	if n.Damaged != nil {
		return n.Damaged
	}
	return n.Record.Message().CheckMAC(k)
}

// removePlanted removes the planted records, the oldest first.
func (r *repair) removePlanted(ctx context.Context) error {
	return r.eachNewer(ctx, func(n events.Newer) error {
		reason := plantedReason(r.keys, n)
		if reason == nil || errors.Is(reason, events.ErrUnknownKid) {
			return nil
		}
		if err := r.store.Remove(ctx, r.stream, r.base, n); err != nil {
			return fmt.Errorf("removing record %s/%d: %w", r.stream, n.Seq, changedMeanwhile(err))
		}
		return r.did(fmt.Sprintf("%s/%d: the planted record is removed: %v", r.stream, n.Seq, reason))
	})
}

// apply writes the advances one after the other. After each of them the head is
// valid, so an interruption does no harm.
func (r *repair) apply(ctx context.Context, steps []events.Advance) error {
	for _, a := range steps {
		if err := r.store.Advance(ctx, a); err != nil {
			return fmt.Errorf("writing the head of stream %s: %w", r.stream, changedMeanwhile(err))
		}
		if err := r.did(fmt.Sprintf("%s: the head of version %d was put back; its version is now %d", r.stream, a.Base(), a.Head().Version)); err != nil {
			return err
		}
		for _, v := range a.Views() {
			if err := r.did(fmt.Sprintf("%s: the view of token %s is written again: %s", r.stream, v.ID, lifeOf(v))); err != nil {
				return err
			}
		}
	}
	return nil
}

func lifeOf(v events.View) string {
	if v.Ended == "" {
		return "not ended"
	}
	return string(v.Ended)
}

// changedMeanwhile adds to a conflict what to do.
func changedMeanwhile(err error) error {
	if errors.Is(err, events.ErrConflict) {
		return fmt.Errorf("%w: something wrote to the stream meanwhile; run the command again", err)
	}
	return err
}
