package bolt

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Touch implements events.Uses. It returns before the use is written.
func (s *Store) Touch(ctx context.Context, id string, u events.Use) error {
	b, err := encode(useItem{At: instantOf(u.At), Address: u.Address})
	if err == nil {
		err = s.read(ctx, func(tx *bbolt.Tx) error { return admitUse(tx, id, u) })
	}
	if err == nil {
		err = s.tryEnqueue(&job{
			ctx:   context.WithoutCancel(ctx), // the caller does not wait for the write
			admit: func(tx *bbolt.Tx) error { return admitUse(tx, id, u) },
			apply: func(tx *bbolt.Tx) error { return putUse(tx, id, b) },
			isUse: true,
		})
	}
	if err != nil && err != errNothing {
		return fmt.Errorf("storing a use of token %q: %w", id, err)
	}
	return nil
}

// UsesNotStored returns the number of uses that Touch accepted and that could not be
// written afterwards, for example because the disk is full.
func (s *Store) UsesNotStored() uint64 { return s.usesNotStored.Load() }

// admitUse returns errNothing if the use needs no write: there is no such
// token, or its stored use is recent enough.
func admitUse(tx *bbolt.Tx, id string, u events.Use) error {
	b := tx.Bucket(tokenBucket).Get([]byte(id))
	if b == nil {
		return errNothing
	}
	stored, err := storedUse(b)
	if err != nil {
		return err
	}
	if !stored.At.IsZero() && stored.At.After(u.Since()) {
		return errNothing
	}
	return nil
}

func storedUse(token []byte) (events.Use, error) {
	use, _, err := splitToken(token)
	if err != nil {
		return events.Use{}, err
	}
	return decodeUse(use)
}

func putUse(tx *bbolt.Tx, id string, use []byte) error {
	tokens := tx.Bucket(tokenBucket)
	_, view, err := splitToken(tokens.Get([]byte(id)))
	if err != nil {
		return err
	}
	return tokens.Put([]byte(id), joinToken(use, view))
}

// LastUses implements events.Uses.
func (s *Store) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	uses := make(map[string]events.Use, len(ids))
	var faults error
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket(tokenBucket)
		for _, id := range ids {
			b := tokens.Get([]byte(id))
			if b == nil {
				continue
			}
			u, err := storedUse(b)
			if err != nil {
				faults = errors.Join(faults, fmt.Errorf("token %q: %w", id, err))
				continue
			}
			if !u.At.IsZero() {
				uses[id] = u
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading last uses: %w", err)
	}
	if faults != nil {
		return uses, fmt.Errorf("reading last uses: %w", faults)
	}
	return uses, nil
}
