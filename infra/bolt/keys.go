package bolt

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"apitoken/events"
)

// Keys sort in the order of their parts. A name with further parts after it has
// its length before it, so the key of one name is never a prefix of another's.

// nameLen is the number of bytes that appendName adds to a name.
const nameLen = 4

func appendName(k []byte, name string) []byte {
	return append(binary.BigEndian.AppendUint32(k, uint32(len(name))), name...)
}

// timeLen is the number of bytes that appendTime appends.
const timeLen = 8

// appendTime appends a time in whole microseconds. Keys sort in the order of time.
func appendTime(k []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(k, uint64(t.UnixMicro())^1<<63)
}

func appendPosition(k []byte, p events.Position) []byte {
	return append(appendTime(k, p.At), p.ID...)
}

// readTime is the inverse of appendTime.
func readTime(k []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(k) ^ 1<<63)).UTC()
}

// splitPosition is the inverse of appendPosition.
func splitPosition(k []byte) events.Position {
	return events.Position{At: readTime(k), ID: string(k[timeLen:])}
}

func ownerKey(owner string, p events.Position) []byte {
	return appendPosition(appendName(nil, owner), p)
}

// seqLen is the number of bytes of a sequence, at the end of a record's key.
const seqLen = 8

func recordKey(s events.Stream, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendName(nil, string(s)), seq)
}

// splitRecordKey is the inverse of recordKey. It returns false for a key that
// recordKey does not make.
func splitRecordKey(k []byte) (s events.Stream, seq uint64, ok bool) {
	end := len(k) - seqLen
	if end < nameLen || uint64(binary.BigEndian.Uint32(k)) != uint64(end-nameLen) {
		return "", 0, false
	}
	return events.Stream(k[nameLen:end]), binary.BigEndian.Uint64(k[end:]), true
}

// recordKeyOf returns the key of the record with this id, and false if the id
// does not have the form of Record.ID.
func recordKeyOf(id string) ([]byte, bool) {
	slash := strings.LastIndexByte(id, '/')
	if slash < 0 {
		return nil, false
	}
	seq, err := strconv.ParseUint(id[slash+1:], 10, 64)
	return recordKey(events.Stream(id[:slash]), seq), err == nil
}

// An outbox key is a time, one of these kinds, and the name of the message: the
// key of a record or the id of a notice.
const (
	recordKind = 'r'
	noticeKind = 'n'
)

func outboxKey(at time.Time, kind byte, name []byte) []byte {
	return append(append(appendTime(nil, at), kind), name...)
}

// splitOutboxKey returns the kind and the name in an outbox key, and the kind 0 for
// a key that outboxKey does not make.
func splitOutboxKey(k []byte) (kind byte, name []byte) {
	if len(k) <= timeLen+1 {
		return 0, nil
	}
	return k[timeLen], k[timeLen+1:]
}

// noticeEntry says that a notice was put, until when the same notice may not be put
// again, and with which time the notice is or was in the outbox.
type noticeEntry struct {
	at        []byte    // as appendTime makes it
	keepUntil time.Time // far in the future for an entry of an older version, which has no end
}

// noticeKept is how long a notice cannot be put again, at least.
const noticeKept = 30 * 24 * time.Hour

var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// noticeEntryOf returns the entry of a notice that is put: its time, and the end of
// its retention.
func noticeEntryOf(m events.Message) []byte {
	until := m.Time.Add(noticeKept)
	if m.KeepUntil.After(until) {
		until = m.KeepUntil
	}
	return appendTime(appendTime(nil, m.Time), until)
}

func readNoticeEntry(b []byte) (n noticeEntry, ok bool) {
	switch len(b) {
	case timeLen:
		return noticeEntry{at: b, keepUntil: farFuture}, true
	case 2 * timeLen:
		return noticeEntry{at: b[:timeLen], keepUntil: readTime(b[timeLen:])}, true
	}
	return noticeEntry{}, false
}

func (n noticeEntry) outboxKey(id []byte) []byte {
	return append(append(bytes.Clone(n.at), noticeKind), id...)
}
