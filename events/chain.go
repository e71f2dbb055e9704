package events

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"time"
)

// Verify checks that the records continue the chain from the hash prev: each
// follows its predecessor by number and hash, and says what was written. To
// verify a log whose beginning is gone, start at its oldest record's Prev.
func Verify(prev Hash, rs []Record) error {
	ms := make([]Message, len(rs))
	for i, r := range rs {
		ms[i] = r.Message()
	}
	return VerifyMessages(prev, ms)
}

// VerifyMessages is Verify for what was published: it needs nothing private.
func VerifyMessages(prev Hash, ms []Message) error {
	for i, m := range ms {
		switch {
		case m.Prev != prev:
			return fmt.Errorf("record %s does not follow its predecessor", m.ID)
		case m.sum() != m.Hash:
			return fmt.Errorf("record %s is not what was written", m.ID)
		case i > 0 && (m.Seq != ms[i-1].Seq+1 || m.Stream != ms[i-1].Stream):
			return fmt.Errorf("record %s stands out of order", m.ID)
		}
		prev = m.Hash
	}
	return nil
}

// sum covers every field with its length, so no two records share an encoding.
func (m Message) sum() (h Hash) {
	d := sha256.New()
	put(d, m.Prev[:])
	put(d, fmt.Appendf(nil, "%d/%s/%d", m.Seq, m.Type, m.V))
	for _, s := range []string{string(m.Stream), m.Command, m.Actor, m.TokenID, stamp(m.Time), stamp(m.KeepUntil)} {
		put(d, []byte(s))
	}
	put(d, m.Data)
	put(d, m.PrivateDigest[:])
	d.Sum(h[:0])
	return h
}

func put(d hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	d.Write(n[:])
	d.Write(b)
}

// stamp is the form of a time that hashes cover: RFC 3339, UTC, nanoseconds.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
