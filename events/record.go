package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

func past(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
