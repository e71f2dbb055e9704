package bolt

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"apitoken/events"
)

// Keys sort as their parts do. A part that something follows is preceded by
// its length, so that no name can be the beginning of another one's keys.

func appendName(k []byte, name string) []byte {
	return append(binary.BigEndian.AppendUint32(k, uint32(len(name))), name...)
}

// timeLen is the length of what appendTime appends.
const timeLen = 12

// appendTime keeps every nanosecond and sorts in the order of time.
func appendTime(k []byte, t time.Time) []byte {
	k = binary.BigEndian.AppendUint64(k, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(k, uint32(t.Nanosecond()))
}

func appendPosition(k []byte, p events.Position) []byte {
	return append(appendTime(k, p.At), p.ID...)
}

func ownerKey(owner string, p events.Position) []byte {
	return appendPosition(appendName(nil, owner), p)
}

func recordKey(s events.Stream, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendName(nil, string(s)), seq)
}

// splitRecordKey is the inverse of recordKey.
func splitRecordKey(k []byte) (events.Stream, uint64) {
	end := len(k) - 8
	return events.Stream(k[4:end]), binary.BigEndian.Uint64(k[end:])
}

// recordKeyOf finds the key of the record that an id names, as Record.ID forms
// it.
func recordKeyOf(id string) ([]byte, bool) {
	slash := strings.LastIndexByte(id, '/')
	if slash < 0 {
		return nil, false
	}
	seq, err := strconv.ParseUint(id[slash+1:], 10, 64)
	return recordKey(events.Stream(id[:slash]), seq), err == nil
}

// An outbox key is a time, one of these, and the record's key or notice's id.
const (
	recordKind = 'r'
	noticeKind = 'n'
)

func outboxKey(at time.Time, kind byte, what []byte) []byte {
	return append(append(appendTime(nil, at), kind), what...)
}
