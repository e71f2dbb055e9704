package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"
)

// MaxState is the size in bytes that an encoded state may have. Together with
// the rest of the head it stays under 200 KB, half of what a DynamoDB item may
// have (AWS limit: 400 KB).
const MaxState = 190_000

// Head is where a stream stands. The state is opaque here: the rules that own
// it encode it, and StateV names that encoding. A head with an older StateV is
// decoded by an upcaster and never refolded, since the oldest records may be
// gone.
type Head struct {
	Version   uint64 // the last record's Seq; 0 if nothing was ever written
	Hash      Hash   // the last record's
	At        time.Time
	KeepUntil time.Time // the last record's
	StateV    int
	State     []byte
	Seal      Verifier
}

// Check says whether the head of stream s was sealed by a holder of the
// peppers. Whoever can only write the store can neither plant a state nor
// move one to another stream. A stream that was never written has no seal.
func (h Head) Check(k Keys, s Stream) error {
	if h.Version == 0 {
		return nil
	}
	want, err := k.MAC(h.Seal.Kid, h.sealed(s))
	if err != nil {
		return fmt.Errorf("checking the seal of stream %s: %w", s, err)
	}
	if !hmac.Equal(want, h.Seal.MAC) {
		return fmt.Errorf("stream %s: the head's seal is broken: it was changed behind the service's back", s)
	}
	return nil
}

// Next is the time that the stream's next record bears if the clock says now:
// time never runs backwards within a stream, whatever the clocks do.
func (h Head) Next(now time.Time) time.Time { return later(h.At, now.UTC()) }

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
