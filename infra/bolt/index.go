package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"apitoken/events"

	"go.etcd.io/bbolt"
)

// The value of an index entry has what decides the state of its token: one byte
// with the ending, and with disabled or suspended, the expiry, and the end of
// retention. A list skips tokens by it, so a writer of the file can hide a token from
// lists. No decision and no answer has anything from it: listedView compares it with
// the view. The next commit about the token writes it again.
const (
	endedRevoked = 1
	endedExpired = 2
	endedOther   = 3
	disabledBit  = 4

	indexValueSize = 1 + 8 + 8
)

func indexValue(v events.View) []byte {
	var first byte
	switch v.Ended {
	case "":
	case events.EndedRevoked:
		first = endedRevoked
	case events.EndedExpired:
		first = endedExpired
	default:
		first = endedOther
	}
	if v.Disabled || v.Suspended { // both have the same state
		first |= disabledBit
	}
	b := append(make([]byte, 0, indexValueSize), first)
	b = binary.BigEndian.AppendUint64(b, uint64(instantOf(v.ExpiresAt)))
	return binary.BigEndian.AppendUint64(b, uint64(instantOf(v.KeepUntil)))
}

// stateIn returns a view with the fields that decide its state, and false if
// this program does not write such a value.
func stateIn(value []byte) (v events.View, ok bool) {
	if len(value) != indexValueSize || value[0] > endedOther|disabledBit {
		return v, false
	}
	switch value[0] &^ disabledBit {
	case 0:
	case endedRevoked:
		v.Ended = events.EndedRevoked
	case endedExpired:
		v.Ended = events.EndedExpired
	default:
		return v, false
	}
	v.Disabled = value[0]&disabledBit != 0
	v.ExpiresAt = instant(binary.BigEndian.Uint64(value[1:])).time()
	v.KeepUntil = instant(binary.BigEndian.Uint64(value[9:])).time()
	return v, true
}

// list iterates over the index entries with one prefix.
type list struct {
	kind    string // of events.View
	byOwner bool
	owner   string
	cursor  *bbolt.Cursor
	prefix  []byte
	entry   entry // the next entry
	done    bool
}

// entry is an entry of an index. Its bytes are part of the file.
type entry struct {
	list  *list
	rest  []byte // of the key, after the prefix: the creation and the id of a token
	value []byte
}

// position returns the place of the entry, and false for a key that this program
// does not write.
func (e entry) position() (events.Position, bool) {
	if len(e.rest) < timeLen {
		return events.Position{}, false
	}
	return splitPosition(e.rest), true
}

// mayMatch reports whether the query selects the state in the entry, or the
// entry has no valid state.
func (e entry) mayMatch(q events.Query) bool {
	v, ok := stateIn(e.value)
	return !ok || q.SelectsState(v)
}

// walk merges one or more lists in the order of positions.
type walk []*list

func walkFrom(tx *bbolt.Tx, q events.Query) (w walk) {
	in := indexesOf(q.Kind)
	if len(q.Owners) == 0 {
		l := &list{kind: q.Kind, cursor: tx.Bucket(in.order).Cursor()}
		l.seek(q.After)
		return walk{l}
	}
	for _, owner := range slices.Compact(slices.Sorted(slices.Values(q.Owners))) {
		l := &list{kind: q.Kind, byOwner: true, owner: owner, cursor: tx.Bucket(in.owner).Cursor(), prefix: appendName(nil, owner)}
		l.seek(q.After)
		w = append(w, l)
	}
	return w
}

// seek moves to the first entry after the position, whether or not the position
// has a token.
func (l *list) seek(after events.Position) {
	start := appendPosition(bytes.Clone(l.prefix), after)
	key, value := l.cursor.Seek(start)
	if bytes.Equal(key, start) {
		key, value = l.cursor.Next()
	}
	l.set(key, value)
}

func (l *list) set(key, value []byte) {
	rest, ok := bytes.CutPrefix(key, l.prefix)
	l.entry, l.done = entry{l, rest, value}, !ok || key == nil
}

// next returns the next entry, and false at the end.
func (w walk) next() (e entry, ok bool) {
	var first *list
	for _, l := range w {
		if !l.done && (first == nil || bytes.Compare(l.entry.rest, first.entry.rest) < 0) {
			first = l
		}
	}
	if first == nil {
		return e, false
	}
	e = first.entry
	first.set(first.cursor.Next())
	return e, true
}
