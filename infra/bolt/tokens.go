package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// Token implements events.Views.
func (s *Store) Token(ctx context.Context, id string) (v events.View, u events.Use, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(tokenBucket).Get([]byte(id))
		if b == nil {
			return events.ErrNotFound
		}
		v, u, err = decodeToken(id, b)
		return err
	})
	if err != nil {
		return events.View{}, events.Use{}, fmt.Errorf("reading token %q: %w", id, err)
	}
	return v, u, nil
}

// maxScan is the maximum number of tokens that one transaction reads. While a
// transaction is open, bbolt cannot map a larger file. A write that grows the
// file, and the calls after it, would wait for a list that finds little.
const maxScan = 10_000

// Tokens implements events.Views. It sees every commit that was answered.
func (s *Store) Tokens(ctx context.Context, q events.Query) (p events.Page, err error) {
	from := q.After
	for more := true; more && err == nil; {
		err = s.read(ctx, func(tx *bbolt.Tx) error {
			from, more, err = scan(tx, q, from, &p)
			return err
		})
	}
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

// scan adds the matching tokens after from to the page. It returns the position
// of the last token that it read. more says that it stopped after maxScan
// tokens and that the list continues there.
func scan(tx *bbolt.Tx, q events.Query, from events.Position, p *events.Page) (_ events.Position, more bool, err error) {
	tokens := tx.Bucket(tokenBucket)
	w := walkFrom(tx, q.Owners, from)
	for range maxScan {
		at, ok := w.next()
		if !ok {
			return from, false, nil
		}
		if len(p.Views) == q.Limit {
			p.More, p.Next = true, from
			return from, false, nil
		}
		from = at
		v, damaged := listedView(tokens, at)
		switch {
		case damaged != nil:
			p.Damaged = append(p.Damaged, damaged)
		case q.Matches(v):
			p.Views = append(p.Views, v)
		}
	}
	return from, true, nil
}

// listedView returns the view at a position of an index. The key of the index has
// the position, and something other than this service may have written the key.
func listedView(tokens *bbolt.Bucket, at events.Position) (events.View, *events.DamagedView) {
	b := tokens.Get([]byte(at.ID))
	if b == nil {
		return events.View{}, &events.DamagedView{TokenID: at.ID, Reason: errors.New("an index has the token, and its view is missing")}
	}
	v, _, err := decodeToken(at.ID, b)
	if d, ok := errors.AsType[*events.DamagedView](err); ok {
		return v, d
	}
	if err == nil && !v.CreatedAt.Equal(at.At) {
		err = errors.New("an index has the token with another time of creation")
	}
	if err != nil {
		return v, &events.DamagedView{TokenID: at.ID, Reason: err}
	}
	return v, nil
}

// walk merges one or more indexes in the order of lists.
type walk []*index

// index iterates over the index keys with one prefix. After the prefix a key
// has the creation and the id of a token.
type index struct {
	cursor *bbolt.Cursor
	prefix []byte
	rest   []byte // the next key without the prefix; nil at the end
}

func walkFrom(tx *bbolt.Tx, owners []string, after events.Position) (w walk) {
	if len(owners) == 0 {
		return walk{indexFrom(tx, orderBucket, nil, after)}
	}
	for _, owner := range slices.Compact(slices.Sorted(slices.Values(owners))) {
		w = append(w, indexFrom(tx, ownerBucket, appendName(nil, owner), after))
	}
	return w
}

// indexFrom starts after the position, whether or not it has a token.
func indexFrom(tx *bbolt.Tx, bucket, prefix []byte, after events.Position) *index {
	x := &index{cursor: tx.Bucket(bucket).Cursor(), prefix: prefix}
	start := appendPosition(bytes.Clone(prefix), after)
	key, _ := x.cursor.Seek(start)
	if bytes.Equal(key, start) {
		key, _ = x.cursor.Next()
	}
	x.set(key)
	return x
}

func (x *index) set(key []byte) {
	rest, ok := bytes.CutPrefix(key, x.prefix)
	if !ok || key == nil {
		rest = nil
	}
	x.rest = rest
}

// next returns the position of the next token, and false at the end.
func (w walk) next() (at events.Position, ok bool) {
	var first *index
	for _, x := range w {
		if x.rest != nil && (first == nil || bytes.Compare(x.rest, first.rest) < 0) {
			first = x
		}
	}
	if first == nil {
		return at, false
	}
	at = splitPosition(first.rest)
	key, _ := first.cursor.Next()
	first.set(key)
	return at, true
}

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
		})
	}
	if err != nil && err != errNothing {
		return fmt.Errorf("storing a use of token %q: %w", id, err)
	}
	return nil
}

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
	if !stored.At.IsZero() && u.At.Sub(stored.At) < events.TouchEvery {
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
	err := s.read(ctx, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket(tokenBucket)
		for _, id := range ids {
			b := tokens.Get([]byte(id))
			if b == nil {
				continue
			}
			u, err := storedUse(b)
			if err != nil {
				return fmt.Errorf("token %q: %w", id, err)
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
	return uses, nil
}
