package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Token implements events.Views. It does not read the indexes, because authorize
// needs none of them.
func (s *Store) Token(ctx context.Context, id string) (v events.View, u events.Use, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(tokenBucket).Get([]byte(id))
		if b == nil {
			return events.ErrNotFound
		}
		var use []byte
		if v, use, err = viewOf(id, b); err != nil {
			return err
		}
		if u, err = decodeUse(use); err != nil {
			u = events.Use{} // it decides nothing, so it must not refuse the token
		}
		return nil
	})
	if err != nil {
		return events.View{}, events.Use{}, fmt.Errorf("reading token %q: %w", id, err)
	}
	return v, u, nil
}

// maxScan is the maximum number of index entries that one call of Tokens looks
// at. It takes a few milliseconds. While the transaction is open, bbolt cannot
// map a larger file, so a write that grows the file waits for it.
const maxScan = 50_000

// Tokens implements events.Views. It sees every commit that was answered.
func (s *Store) Tokens(ctx context.Context, q events.Query) (p events.Page, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		p = scan(tx, q)
		return nil
	})
	if err != nil {
		return events.Page{}, fmt.Errorf("listing tokens: %w", err)
	}
	return p, nil
}

// TokenIDs calls f for the id of each token that has a view. It returns the first
// error of f. It reads keys only, so it finds a token whose view is damaged.
func (s *Store) TokenIDs(ctx context.Context, f func(id string) error) error {
	for last, more := []byte(nil), true; more; {
		var ids []string
		err := s.read(ctx, func(tx *bbolt.Tx) error {
			ids, last, more = tokenKeys(tx, last)
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading the ids of the tokens: %w", err)
		}
		for _, id := range ids {
			if err := f(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// tokenKeys returns up to maxScan ids after last, and the last of them. more says
// that there may be more.
func tokenKeys(tx *bbolt.Tx, last []byte) (ids []string, _ []byte, more bool) {
	c := tx.Bucket(tokenBucket).Cursor()
	k, _ := c.Seek(last)
	if last != nil && bytes.Equal(k, last) {
		k, _ = c.Next()
	}
	for ; k != nil && len(ids) < maxScan; k, _ = c.Next() {
		ids, last = append(ids, string(k)), bytes.Clone(k)
	}
	return ids, last, k != nil
}

// scan reads the views whose index entries have a state of the query. It skips
// all other entries without a look at their views.
func scan(tx *bbolt.Tx, q events.Query) (p events.Page) {
	tokens := tx.Bucket(tokenBucket)
	w := walkFrom(tx, q)
	from := q.After
	for range maxScan {
		e, ok := w.next()
		if !ok {
			return p
		}
		if e.mayMatch(q) {
			if len(p.Views) == q.Limit {
				break
			}
			v, damaged := listedView(tokens, e)
			switch {
			case damaged != nil:
				p.Damaged = append(p.Damaged, damaged)
			case q.Matches(v):
				p.Views = append(p.Views, v)
			}
		}
		if at, ok := e.position(); ok {
			from = at
		}
	}
	p.More, p.Next = true, from
	return p
}

// listedView returns the view of an index entry. Something other than this
// service may have written the entry, so every part of the entry must follow from
// the view.
func listedView(tokens *bbolt.Bucket, e entry) (events.View, *events.DamagedView) {
	at, ok := e.position()
	if !ok {
		return events.View{}, &events.DamagedView{Reason: fmt.Errorf("an index has the key %x, which is too short", e.rest)}
	}
	b := tokens.Get([]byte(at.ID))
	if b == nil {
		return events.View{}, &events.DamagedView{TokenID: at.ID, Reason: errors.New("an index has the token, and its view is missing")}
	}
	v, _, err := viewOf(at.ID, b)
	if d, ok := errors.AsType[*events.DamagedView](err); ok {
		return v, d
	}
	switch {
	case err != nil:
	case !v.CreatedAt.Equal(at.At):
		err = errors.New("an index has the token with another time of creation")
	case v.Kind != e.list.kind:
		err = errors.New("an index has the token as another kind")
	case e.list.byOwner && v.Owner != e.list.owner:
		err = errors.New("an index has the token with another owner")
	case !bytes.Equal(e.value, indexValue(v)):
		err = errors.New("an index has the token in another state")
	}
	if err != nil {
		return v, &events.DamagedView{TokenID: at.ID, Reason: err}
	}
	return v, nil
}
