package events

import "fmt"

// Advance moves a head that was put back to an older one over records that exist
// already. Only NewAdvance makes one. Callers may read the values that its methods
// return, and must not change them.
type Advance struct {
	stream Stream
	base   Head
	head   Head
	views  []View
}

// NewAdvance builds the step from base over the records, which must continue base
// and have right MACs. The state is the state after the records, in the encoding
// stateV. The views replace the stored ones. The head has the hash and the times
// of the last record, so it is the head that the commit of this record wrote. The
// peppers seal the head and the views. At most MaxAdvance records fit.
func NewAdvance(k Keys, s Stream, base Head, rs []Record, stateV int, state []byte, views []View) (Advance, error) {
	if len(rs) == 0 || len(rs) > MaxAdvance || len(views) > len(rs) {
		return Advance{}, fmt.Errorf("stream %s: a head advances over 1 to %d records with at most one view each; got %d records and %d views", s, MaxAdvance, len(rs), len(views))
	}
	if len(state) > MaxState {
		return Advance{}, fmt.Errorf("stream %s: the state has %d bytes; at most %d are allowed", s, len(state), MaxState)
	}
	if err := base.Continues(k, s, rs); err != nil {
		return Advance{}, err
	}
	last := rs[len(rs)-1]
	a := Advance{stream: s, base: base, head: Head{
		Version: last.Seq, Hash: last.Hash, At: last.At, KeepUntil: last.KeepUntil, StateV: stateV, State: state,
	}}
	var err error
	if a.views, err = sealViews(k, views); err != nil {
		return Advance{}, fmt.Errorf("stream %s: %w", s, err)
	}
	if a.head.Seal, err = k.seal(a.head.sealed(s)); err != nil {
		return Advance{}, fmt.Errorf("sealing stream %s: %w", s, err)
	}
	return a, nil
}

// MaxAdvance is the largest number of records that one Advance folds. Each record
// changes at most one view, so an Advance stays below maxItems.
const MaxAdvance = 50

// Continues returns an error unless a holder of the peppers wrote the records for
// the stream, and they follow the head and each other without a gap.
func (h Head) Continues(k Keys, s Stream, rs []Record) error {
	prev, seq := h.Hash, h.Version
	for _, r := range rs {
		m := r.Message()
		if err := m.CheckMAC(k); err != nil {
			return err
		}
		if r.Stream != s || r.Seq != seq+1 || r.Prev != prev {
			return fmt.Errorf("record %s: %w: it does not continue from record %d of stream %s", m.ID, ErrDamaged, seq, s)
		}
		prev, seq = r.Hash, r.Seq
	}
	return nil
}

// Stream is the log of the head.
func (a Advance) Stream() Stream { return a.stream }

// Base is the version that the stream must still have when the head is written.
func (a Advance) Base() uint64 { return a.base.Version }

// Head is the head that replaces the one at Base. It is sealed.
func (a Advance) Head() Head { return a.head }

// Views are the views that replace the stored ones. They are sealed.
func (a Advance) Views() []View { return a.views }
