package copies

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"
)

// WaitPK is the partition of the waits. Only its items are ever deleted, and
// the audit function's role allows deletes in this partition alone.
const WaitPK = "wait"

const (
	noticePK   = "notice"
	evidencePK = "evidence"
	detailAttr = "detail"
)

func copyItem(m events.Message) (item.Item, error) {
	detail, err := m.Detail()
	if err != nil {
		return nil, err
	}
	key, err := copyKey(m)
	if err != nil {
		return nil, err
	}
	return withDetail(key, detail), nil
}

// copyKey refuses a message of an unknown stream, because the stream's name
// could be that of another partition.
func copyKey(m events.Message) (item.Item, error) {
	if m.Seq == 0 {
		return item.Key(noticePK, m.ID), nil
	}
	if _, user := m.Stream.Owner(); (!user && m.Stream != events.SettingsStream) || m.Seq > item.LastSeq {
		return nil, fmt.Errorf("event %q cannot be kept: its stream is unknown, or its sequence is above %d", m.ID, uint64(item.LastSeq))
	}
	return item.Key(string(m.Stream), item.Sequence(m.Seq)), nil
}

// evidenceItem has a digest of the message in its key, so that each content
// has an item of its own.
func evidenceItem(m events.Message) (item.Item, error) {
	detail, err := m.Detail()
	if err != nil {
		return nil, err
	}
	key := item.Key(evidencePK, fmt.Sprintf("%s#%x", m.ID, sha256.Sum256(detail)))
	return withDetail(key, detail), nil
}

func withDetail(key item.Item, detail []byte) item.Item {
	key[detailAttr] = item.Text(string(detail))
	return key
}

// message reads what withDetail wrote. Its errors are a *events.DamagedRecord.
func message(it item.Item) (events.Message, error) {
	m, err := events.ParseDetail([]byte(item.TextOf(it, detailAttr)))
	if err != nil {
		pk, sk := item.Partition(it), item.TextOf(it, item.SK)
		return m, &events.DamagedRecord{Stream: events.Stream(pk), Seq: item.SequenceOf(sk), Reason: fmt.Errorf("copy %s %s: %w", pk, sk, err)}
	}
	return m, nil
}

// waitItem is a key and nothing else.
func waitItem(s events.Stream, seq uint64, since time.Time) item.Item {
	return item.Key(WaitPK, item.Time(since)+"#"+string(s)+"#"+strconv.FormatUint(seq, 10))
}

// parseWait reads the sort key of a wait. A stream's name may contain "#", so the
// last "#" is the end of the name.
func parseWait(sk string) (s events.Stream, seq uint64, since time.Time, err error) {
	at, rest, _ := strings.Cut(sk, "#")
	end := strings.LastIndexByte(rest, '#')
	if end < 0 {
		return "", 0, since, fmt.Errorf("%q is not the key of a wait", sk)
	}
	if seq, err = strconv.ParseUint(rest[end+1:], 10, 64); err != nil {
		return "", 0, since, fmt.Errorf("%q is not the key of a wait", sk)
	}
	since, err = item.ParseTime(at)
	return events.Stream(rest[:end]), seq, since, err
}
