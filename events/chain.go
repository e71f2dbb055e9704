package events

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"time"

	"apitoken/events/instant"
)

// Verify checks that the records continue the chain from the hash prev: each
// record follows the one before by number and hash, and has the content that
// was written. For a log that lost its beginning, start at the Prev of its
// oldest record.
func Verify(prev Hash, rs []Record) error {
	ms := make([]Message, len(rs))
	for i, r := range rs {
		ms[i] = r.Message()
	}
	return VerifyMessages(prev, ms)
}

// VerifyMessages is Verify for published records. It needs no private part.
func VerifyMessages(prev Hash, ms []Message) error {
	for i, m := range ms {
		switch {
		case m.Prev != prev:
			return fmt.Errorf("record %s does not follow the record before it", m.ID)
		case m.sum() != m.Hash:
			return fmt.Errorf("record %s was changed: its hash does not match its content", m.ID)
		case i > 0 && (m.Seq != ms[i-1].Seq+1 || m.Stream != ms[i-1].Stream):
			return fmt.Errorf("record %s is out of order", m.ID)
		}
		prev = m.Hash
	}
	return nil
}

// sum is the hash of a record. It covers every field with its length, so two
// different records never have the same encoding.
func (m Message) sum() (h Hash) {
	d := sha256.New()
	put(d, m.Prev[:])
	put(d, fmt.Appendf(nil, "%d/%s/%d", m.Seq, m.Type, m.V))
	for _, s := range []string{string(m.Stream), m.Command, m.Actor, m.TokenID, stamp(m.Time), stamp(m.KeepUntil)} {
		put(d, []byte(s))
	}
	put(d, m.Data)
	put(d, m.PrivateDigest[:])
	if m.ActorVia != "" { // the hashes of records without it stay as they were
		put(d, []byte(m.ActorVia))
		put(d, []byte(m.ActorAddress))
	}
	d.Sum(h[:0])
	return h
}

func put(d hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	d.Write(n[:])
	d.Write(b)
}

// stamp is the text of a time that hashes cover.
func stamp(t time.Time) string { return instant.Format(t) }
