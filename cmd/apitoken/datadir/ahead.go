package datadir

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/infra/bolt"
	"apitoken/infra/eventfile"
)

// CheckEvents returns an error if the event file has an event that the store does not
// have: the store is then an older one than the last that wrote the file, and accepts
// tokens that were revoked since. Superseded events do not count.
//
// It reads the file backwards, from the end to the message that the store noted last
// as sent, see bolt.Store.LastSent. These are one line, or the lines that a killed
// process had written and not yet noted. It reads the whole file only if the message is
// not there: a part was moved away, or the store is one of an older version.
func (f *Folder) CheckEvents(ctx context.Context) error {
	last, err := f.Store.LastSent(ctx)
	if err != nil {
		return err
	}
	var known *Superseded
	return eventfile.Backwards(f.EventsPath(), func(m events.Message) (bool, error) {
		if m.Seq == 0 {
			return m.ID != last, ctx.Err() // a notice is in no stream, so it is never missing
		}
		has, err := Has(ctx, f.Store, m)
		if err != nil || has {
			return m.ID != last, err
		}
		if m.CheckMAC(f.Keys) != nil {
			return true, ctx.Err() // this service did not write it: audit verify reports that
		}
		if known == nil {
			if known, err = ReadSuperseded(f.Dir, f.Keys); err != nil {
				return false, err
			}
		}
		if known.Has(m.Stream, m.Seq, m.Hash) {
			return true, ctx.Err()
		}
		return false, f.aheadError(m)
	})
}

func (f *Folder) aheadError(m events.Message) error {
	return fmt.Errorf("%s is older than its events: %s has event %s of %s, and the store does not. It would accept tokens that were revoked since. "+
		"Run `apitoken audit reapply --data %s`, which revokes them again, and start the service then. If the store was not restored, put the newer store back",
		f.Path(storeFile), f.EventsPath(), m.ID, instant.Format(m.Time), f.Dir)
}

// Has reports whether the store has this event. The store may have removed the record
// because its retention is over; then it has the event if the head is as new. It also
// has an event that it cannot read: audit verify reports that.
func Has(ctx context.Context, store *bolt.Store, m events.Message) (bool, error) {
	hash, found, err := RecordHash(ctx, store, m.Stream, m.Seq)
	if err == nil && found {
		return hash == m.Hash, nil
	}
	var head events.Head
	if err == nil {
		head, err = store.Head(ctx, m.Stream)
	}
	if errors.Is(err, events.ErrDamaged) {
		return true, nil
	}
	return err == nil && head.Version >= m.Seq, err
}

// RecordHash returns the hash of a record, if the store has the record.
func RecordHash(ctx context.Context, store *bolt.Store, stream events.Stream, seq uint64) (hash events.Hash, found bool, err error) {
	rs, err := store.History(ctx, stream, seq-1, 1)
	if len(rs) > 0 && rs[0].Seq == seq {
		return rs[0].Hash, true, nil
	}
	return events.Hash{}, false, err
}
