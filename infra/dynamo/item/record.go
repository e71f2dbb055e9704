package item

import (
	"fmt"
	"strconv"
	"strings"

	"apitoken/events"
)

const (
	recordSeq       = "seq"
	recordType      = "type"
	recordV         = "v"
	recordAt        = "at"
	recordActor     = "actor"
	recordCommand   = "command"
	recordTokenID   = "token_id"
	recordVia       = "actor_via"
	recordAddress   = "actor_address"
	recordPublic    = "public"
	recordPrivate   = "private"
	recordPrev      = "prev_hash"
	recordHash      = "hash"
	recordKeepUntil = "keep_until"
	recordKid       = "kid"
	recordMAC       = "mac"
)

// Record returns a record as an item that is not yet sent.
func Record(r events.Record) (Item, error) {
	if r.Seq > LastSeq {
		return nil, fmt.Errorf("record %s: a stream has at most %d records", r.ID(), LastSeq)
	}
	it, err := RecordKey(r.Stream, r.Seq)
	if err != nil {
		return nil, err
	}
	it[recordSeq] = Number(r.Seq)
	putText(it, recordType, r.Type)
	it[recordV] = integer(r.V)
	putTime(it, recordAt, r.At)
	putText(it, recordActor, r.Actor)
	putText(it, recordCommand, r.Command)
	putText(it, recordTokenID, r.TokenID)
	putText(it, recordVia, r.ActorVia)
	putText(it, recordAddress, r.ActorAddress)
	putBytes(it, recordPublic, r.Public)
	putBytes(it, recordPrivate, r.Private)
	it[recordPrev] = bytes(r.Prev[:])
	it[recordHash] = bytes(r.Hash[:])
	putTime(it, recordKeepUntil, r.KeepUntil)
	putText(it, recordKid, r.MAC.Kid)
	putBytes(it, recordMAC, r.MAC.MAC)
	putTTL(it, r.KeepUntil)
	putUnsent(it, events.Message{Stream: r.Stream, Seq: r.Seq, Time: r.At})
	return it, nil
}

// ReadRecord decodes an item of Record. The item must be under the key of its
// sequence: readers go on after the last sequence that they read. All its errors
// are a *events.DamagedRecord.
func ReadRecord(it Item) (events.Record, error) {
	r := &reader{it: it}
	stream, err := streamOf(r.mustText(PK))
	if err != nil {
		r.fail(PK, err)
	}
	rec := events.Record{
		Stream: stream, Seq: r.mustNumber(recordSeq), Type: r.mustText(recordType), V: int(r.mustNumber(recordV)),
		Command: r.text(recordCommand), Actor: r.text(recordActor), TokenID: r.text(recordTokenID), At: r.mustTime(recordAt),
		ActorVia: r.text(recordVia), ActorAddress: r.text(recordAddress),
		Public: r.bytes(recordPublic), Private: r.bytes(recordPrivate), Prev: r.hash(recordPrev), Hash: r.hash(recordHash),
		KeepUntil: r.time(recordKeepUntil), MAC: events.Verifier{Kid: r.text(recordKid), MAC: r.bytes(recordMAC)},
	}
	if r.text(SK) != RecordSK(rec.Seq) {
		r.fail(recordSeq, fmt.Errorf("the record is under the key of another sequence"))
	}
	if r.err != nil {
		return rec, &events.DamagedRecord{Stream: stream, Seq: SequenceOf(r.text(SK)), Reason: r.err}
	}
	return rec, nil
}

// SequenceOf returns the sequence in the sort key of a record. For a key that has
// not the form of RecordSK, it returns the highest sequence whose key sorts before
// this key. So a reader that goes on after this sequence never reads the key again.
func SequenceOf(sk string) uint64 {
	digits := []byte(strings.TrimPrefix(sk, skEvent))
	for i := range sequenceDigits {
		switch {
		case i < len(digits) && '0' <= digits[i] && digits[i] <= '9':
			continue
		case i < len(digits) && digits[i] > '9':
			n, _ := strconv.ParseUint(string(digits[:i])+strings.Repeat("9", sequenceDigits-i), 10, 64)
			return n
		}
		n, _ := strconv.ParseUint(string(digits[:i])+strings.Repeat("0", sequenceDigits-i), 10, 64)
		return max(n, 1) - 1
	}
	n, _ := strconv.ParseUint(string(digits[:sequenceDigits]), 10, 64)
	return n
}

// RecordAttributes are the attributes that ReadRecord reads.
var RecordAttributes = []string{
	PK, SK, recordSeq, recordType, recordV, recordAt, recordActor, recordCommand, recordTokenID, recordVia, recordAddress, recordPublic, recordPrivate,
	recordPrev, recordHash, recordKeepUntil, recordKid, recordMAC,
}

// RecordKeys returns how the keys of records begin: the partition keys of a user's
// tokens and sessions, the whole partition key of the settings, and the sort key.
func RecordKeys() (user, session, settings, record string) {
	return pkUser, pkSession, pkSettings, skEvent
}

// RecordIdentity are the attributes that tell one record from every other under
// the same key.
var RecordIdentity = []string{recordHash, recordKid, recordMAC}

// KeySequence returns the sequence in the key of a record's item, and false if the
// sort key is not one of RecordSK.
func KeySequence(it Item) (uint64, bool) {
	sk := TextOf(it, SK)
	seq, err := strconv.ParseUint(strings.TrimPrefix(sk, skEvent), 10, 64)
	return seq, err == nil && sk == RecordSK(seq)
}

// Command returns the id of the command that wrote a record, "" if the item is
// not a record.
func Command(it Item) string { return (&reader{it: it}).text(recordCommand) }
