package item

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"apitoken/events"
)

// The two indexes. Both are sparse: only items with the index's own two
// attributes are in it. Nothing is ever decided from an index, since it lags.
const (
	// ListIndex has the view of every token that was not yet collected, by
	// month of creation, in the order of events.Position.
	ListIndex = "list"
	ListPK    = "list"
	ListSK    = "list_at"

	// UnsentIndex has the records and notices that were not yet sent, in
	// UnsentShards partitions, the oldest first. It has their keys only.
	UnsentIndex = "unsent"
	UnsentPK    = "unsent"
	UnsentSK    = "unsent_at"
)

// UnsentShards is in how many partitions unsent messages lie, so that none of
// them is hot. All messages of one stream lie in one.
const UnsentShards = 4

// ListAttributes are what the list index holds beside the keys: a view without
// its verifier.
var ListAttributes = []string{
	viewOwner, viewCreator, viewName, viewDescription, viewCreated, viewExpires, viewDisabled, viewScopes, viewSourceIPs,
	viewFirst, viewSeq, viewEnded, viewEndedAt, viewKeepUntil,
}

// Genesis is the first month that the list index has a partition for. No token
// is older than this software; one with an earlier time, from a clock that was
// wrong, lies in the first partition too.
var Genesis = Month{2026, time.January}

// Month is a partition of the list index.
type Month struct {
	Year  int
	Month time.Month
}

// MonthOf is the partition of what was created at t.
func MonthOf(t time.Time) Month {
	t = t.UTC()
	m := Month{t.Year(), t.Month()}
	if m.Before(Genesis) {
		return Genesis
	}
	return m
}

// Before says whether m comes before n.
func (m Month) Before(n Month) bool {
	return m.Year < n.Year || m.Year == n.Year && m.Month < n.Month
}

// Next is the following month.
func (m Month) Next() Month { return MonthOf(m.Start().AddDate(0, 1, 0)) }

// Start is the instant at which the month begins.
func (m Month) Start() time.Time { return time.Date(m.Year, m.Month, 1, 0, 0, 0, 0, time.UTC) }

// PK is the partition's key in the list index.
func (m Month) PK() string { return fmt.Sprintf("LIST#%04d-%02d", m.Year, m.Month) }

// PositionSK is the place of p in a partition of the list index.
func PositionSK(p events.Position) string { return Time(p.At) + "#" + p.ID }

// ReadPosition is the place in the list of an item of the list index, or of
// the key of one.
func ReadPosition(it Item) (events.Position, error) {
	r := &reader{it: it}
	at, id, _ := strings.Cut(r.mustText(ListSK), "#")
	t, err := ParseTime(at)
	if err != nil {
		r.fail(ListSK, err)
	}
	return events.Position{At: t, ID: id}, r.err
}

// ShardPK is the key of one partition of the unsent index.
func ShardPK(shard int) string { return fmt.Sprintf("UNSENT#%d", shard) }

// UnsentPlace is the place of an item in its partition of the unsent index.
func UnsentPlace(it Item) string { return (&reader{it: it}).text(UnsentSK) }

// putUnsent puts a message into the unsent index. A stream's messages all lie
// in one partition, and their sort key is their time, then their sequence; a
// stream's times never run backwards, so the index has them in their order.
func putUnsent(it Item, m events.Message) {
	of := string(m.Stream)
	if of == "" {
		of = m.ID
	}
	h := fnv.New32a()
	h.Write([]byte(of))
	it[UnsentPK] = text(ShardPK(int(h.Sum32() % UnsentShards)))
	it[UnsentSK] = text(Time(m.Time) + "#" + Sequence(m.Seq))
}
