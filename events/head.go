package events

import (
	"crypto/sha256"
	"fmt"
	"time"

	"apitoken/events/instant"
)

// MaxState is the largest encoded state, in bytes. A head with such a state
// stays under 200 KB, half of the largest DynamoDB item (AWS limit: 400 KB).
const MaxState = 190_000

// Head is the current end of a stream. The state is opaque here: the rules
// package of the stream encodes it, and StateV names the encoding. An upcaster
// decodes a state of an older StateV. The state is never folded again from the
// records, because the oldest records may be gone.
type Head struct {
	Version   uint64 // the last record's Seq; 0 if nothing was ever written
	Hash      Hash   // the last record's
	At        time.Time
	KeepUntil time.Time // the last record's
	StateV    int
	State     []byte
	Seal      Verifier
}

// Check returns an error that wraps ErrDamaged unless a holder of the peppers
// sealed the head for stream s. So write access to the store alone is not enough
// to invent a state or to move a state to another stream. Only the head of a
// stream that was never written has no seal: such a head is zero in every field.
func (h Head) Check(k Keys, s Stream) error {
	if h.isZero() {
		return nil
	}
	if err := k.check(h.Seal, h.sealed(s)); err != nil {
		return fmt.Errorf("stream %s: %w: the head is not one that this service wrote: %w", s, ErrDamaged, err)
	}
	return nil
}

func (h Head) isZero() bool {
	return h.Version == 0 && h.Hash == (Hash{}) && h.At.IsZero() && h.KeepUntil.IsZero() &&
		h.StateV == 0 && len(h.State) == 0 && h.Seal.isZero()
}

// Next is the time of the stream's next record if the clock says now, cut to
// microseconds. It is never before the last record's time, so time does not run
// backwards within a stream even if a clock does.
func (h Head) Next(now time.Time) time.Time { return later(h.At, instant.Cut(now)) }

func (h Head) sealed(s Stream) []byte {
	d := sha256.New()
	put(d, []byte(s))
	put(d, fmt.Appendf(nil, "%d/%d", h.Version, h.StateV))
	put(d, h.Hash[:])
	put(d, []byte(stamp(h.At)))
	put(d, []byte(stamp(h.KeepUntil)))
	put(d, h.State)
	return append([]byte("apitoken/seal/1\x00"), d.Sum(nil)...)
}
