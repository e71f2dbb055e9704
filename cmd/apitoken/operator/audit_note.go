package operator

import (
	"context"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events"
)

// note notes which of the verified events of a stream the store does not have, and
// prints those that were not known. It suspends the user again if these events say so:
// known ones do not, because an administrator may have reinstated the user since. It must be called after their revocations were
// applied: serve accepts a store that lacks only known events.
func (r *reapplication) note(ctx context.Context, stream events.Stream, found []copied) error {
	head, err := r.folder.Store.Head(ctx, stream)
	if err != nil {
		return err
	}
	var last copied // the last new event that suspends or reinstates the user
	for _, c := range found {
		held, has := events.Hash{}, false
		if c.seq <= head.Version {
			if held, has, err = datadir.RecordHash(ctx, r.folder.Store, stream, c.seq); err != nil {
				return err
			}
		}
		known := r.superseded.Has(stream, c.seq, c.hash)
		switch {
		case has && held == c.hash:
			if known { // the store is a newer one than the one that was restored
				r.superseded.Remove(stream, c.seq, c.hash)
				r.noted++
			}
		case known, !has && c.seq <= head.Version: // the latter is past its retention
		default:
			r.superseded.Add(stream, c.seq, c.hash, r.at)
			r.noted++
			if (c.suspends || c.reinstates) && c.at.After(last.at) {
				last = c
			}
			if err := r.printNoted(stream, c); err != nil {
				return err
			}
		}
	}
	return r.suspend(ctx, stream, last)
}

// suspend suspends the user again if the last new event about this is a suspension.
func (r *reapplication) suspend(ctx context.Context, stream events.Stream, last copied) error {
	owner, ok := stream.Owner()
	if !ok || !last.suspends {
		return nil
	}
	now, err := r.issuer.SuspendAgain(ctx, owner)
	if err != nil || !now {
		return err
	}
	return r.print("%s: the user is suspended again", events.UserStream(owner)) // one call suspends both streams
}

func (r *reapplication) printNoted(stream events.Stream, c copied) error {
	switch {
	case c.revokes && stream.Kind() == events.SessionStreams:
		return r.print("%s/%d: the end of session %s is applied", stream, c.seq, c.subject)
	case c.revokes:
		return r.print("%s/%d: the revocation of token %s is applied", stream, c.seq, c.subject)
	case c.suspends, c.reinstates:
		return nil // suspend prints the outcome
	case c.subject != "":
		return r.print("%s/%d: not brought back: %s of token %s", stream, c.seq, c.kind, c.subject)
	}
	return r.print("%s/%d: not brought back: %s", stream, c.seq, c.kind)
}
