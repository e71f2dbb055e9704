package events

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// Hash is a SHA-256. The zero Hash precedes the first record of every stream.
type Hash [sha256.Size]byte

// String is the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String gives.
func ParseHash(text string) (h Hash, err error) {
	if len(text) != hex.EncodedLen(len(h)) {
		return h, fmt.Errorf("a hash has %d hexadecimal digits, this has %d", hex.EncodedLen(len(h)), len(text))
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}

// Meta says who did something, by which intent, and when.
type Meta struct {
	Command string    // unique for one intent, the same on each retry
	Actor   string    // owner key of whoever acted
	TokenID string    // the token that acted; empty for an operator at the store
	Address string    // where the request came from; private, empty if unknown
	At      time.Time // UTC

	// Retention is how long the records are kept at least; zero is for ever.
	Retention time.Duration
}

// Record is one stored fact. Public and Private are the exact bytes that the
// hash covers; Private never leaves the store, only its digest does.
type Record struct {
	Stream  Stream
	Seq     uint64 // 1 for the first of its stream
	Type    string
	V       int
	Command string
	Actor   string
	TokenID string    // the token that acted, see Meta
	At      time.Time // UTC
	Public  []byte
	Private []byte
	Prev    Hash
	Hash    Hash

	// KeepUntil is when the record may be collected, never before its
	// predecessor's; zero is never. Readers ignore a record that is past it,
	// whether or not it was collected, so a log only ever loses its beginning.
	KeepUntil time.Time
}

// ID names the record for ever and everywhere: "user/ann/7".
func (r Record) ID() string { return recordID(r.Stream, r.Seq) }

func recordID(s Stream, seq uint64) string { return string(s) + "/" + strconv.FormatUint(seq, 10) }

// Gone says that the record is past its retention at the time now.
func (r Record) Gone(now time.Time) bool { return past(r.KeepUntil, now) }

// Subject is the id of the token that the fact is about, empty if it is about
// no token.
func (r Record) Subject() string { return subject(r.Public) }

func subject(public []byte) string {
	var about struct {
		TokenID string `json:"token_id"`
	}
	if json.Unmarshal(public, &about) != nil {
		return ""
	}
	return about.TokenID
}

// Message is the record as it is published: everything that its hash covers,
// with the digest of the private part in place of that part.
func (r Record) Message() Message {
	return Message{
		ID: r.ID(), Type: r.Type, V: r.V, Time: r.At, Subject: r.Subject(),
		Stream: r.Stream, Seq: r.Seq, Command: r.Command, Actor: r.Actor, TokenID: r.TokenID,
		KeepUntil: r.KeepUntil, Data: r.Public, PrivateDigest: sha256.Sum256(r.Private), Prev: r.Prev, Hash: r.Hash,
	}
}

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

func past(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
