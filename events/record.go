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

// ParseHash reads the form that String writes.
func ParseHash(text string) (h Hash, err error) {
	if len(text) != hex.EncodedLen(len(h)) {
		return h, fmt.Errorf("a hash has %d hexadecimal digits; this text has %d characters", hex.EncodedLen(len(h)), len(text))
	}
	_, err = hex.Decode(h[:], []byte(text))
	return h, err
}

// Meta says who did something, by which command, and when.
type Meta struct {
	Command string    // command id: unique for one command, the same on each retry
	Actor   string    // owner key of the caller
	TokenID string    // the acting token; empty for an operator at the store
	Address string    // source address of the request; private, empty if unknown
	At      time.Time // UTC; the commit cuts it to microseconds

	// ActorVia is ViaUI if the session was opened for the page, else "". ActorAddress is the
	// address of the caller that the page named; empty if unknown. It is published, and
	// no rule trusts it.
	ActorVia, ActorAddress string

	// Retention is the least time that the records are kept; zero is for ever.
	Retention time.Duration
}

// ViaUI is the ActorVia of a caller at the page.
const ViaUI = "ui"

// Record is one stored fact. The hash covers the exact bytes of Public and the
// digest of Private. Private never leaves the store; its digest does.
type Record struct {
	Stream  Stream
	Seq     uint64 // 1 for the first of its stream
	Type    string
	V       int
	Command string
	Actor   string
	TokenID string    // the acting token, see Meta
	At      time.Time // UTC, whole microseconds

	ActorVia, ActorAddress string // see Meta

	Public  []byte
	Private []byte
	Prev    Hash
	Hash    Hash
	MAC     Verifier // over stream, sequence and hash, see Message.CheckMAC; NewCommit makes it

	// KeepUntil is the time from which the store may remove the record; zero is
	// never. It is never before the KeepUntil of the record before. Readers
	// ignore a record past this time even if it is still there. So a log loses
	// only its beginning.
	KeepUntil time.Time
}

// ID is the name of the record, the same everywhere and for ever: "user/ann/7".
func (r Record) ID() string { return recordID(r.Stream, r.Seq) }

func recordID(s Stream, seq uint64) string { return string(s) + "/" + strconv.FormatUint(seq, 10) }

// Gone reports whether the record is past its retention at the time now.
func (r Record) Gone(now time.Time) bool { return past(r.KeepUntil, now) }

// Subject is the id of the token that the fact is about, empty if the fact is
// about no token.
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
