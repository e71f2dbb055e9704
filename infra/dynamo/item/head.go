package item

import (
	"cmp"
	"fmt"

	"apitoken/events"
)

// HeadVersion is the attribute that the condition of every commit compares.
const HeadVersion = "version"

const (
	headHash      = "hash"
	headAt        = "at"
	headKeepUntil = "keep_until"
	headStateV    = "state_v"
	headState     = "state"
	headSealKid   = "seal_kid"
	headSeal      = "seal"
	headLayout    = "layout" // only in the head of the settings
)

// Layout is the version of the layout of a table. A change of the layout that
// this package does not read gets the next number. Tables of layout 1 have no
// such attribute.
const Layout = 5

// Head returns a stream's head as an item. The item has no ttl, so DynamoDB
// never deletes it: the state cannot be folded again from a log without its
// first records.
func Head(s events.Stream, h events.Head) (Item, error) {
	it, err := HeadKey(s)
	if err != nil {
		return nil, err
	}
	it[HeadVersion] = Number(h.Version)
	it[headHash] = bytes(h.Hash[:])
	putTime(it, headAt, h.At)
	putTime(it, headKeepUntil, h.KeepUntil)
	it[headStateV] = integer(h.StateV)
	putBytes(it, headState, h.State)
	putText(it, headSealKid, h.Seal.Kid)
	putBytes(it, headSeal, h.Seal.MAC)
	if s == events.SettingsStream {
		it[headLayout] = integer(Layout)
	}
	return it, nil
}

// ReadHead decodes an item of Head. It refuses version 0: a head that is zero in
// every field needs no seal, so no item may decode to such a head. It also
// refuses the settings of a table with another layout.
func ReadHead(it Item) (events.Head, error) {
	r := &reader{it: it}
	if Partition(it) == pkSettings {
		layout := r.number(headLayout)
		if err := cmp.Or(r.err, checkLayout(layout)); err != nil {
			return events.Head{}, err
		}
	}
	h := events.Head{
		Version: r.mustNumber(HeadVersion), Hash: r.hash(headHash), At: r.mustTime(headAt), KeepUntil: r.time(headKeepUntil),
		StateV: int(r.number(headStateV)), State: r.bytes(headState),
		Seal: events.Verifier{Kid: r.text(headSealKid), MAC: r.bytes(headSeal)},
	}
	return h, r.err
}

// checkLayout gets 0 for a table without the attribute.
func checkLayout(found uint64) error {
	switch {
	case found < Layout:
		return fmt.Errorf("the table was %w: its settings have layout %d, and this version reads only %d", events.ErrOlderVersion, max(found, 1), Layout)
	case found > Layout:
		return fmt.Errorf("the table was made by a newer version of apitoken: its settings have layout %d, and this version reads only %d", found, Layout)
	}
	return nil
}
