package item

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"apitoken/events"
)

// The four indexes and their key attributes. All indexes are sparse: an index
// has only items with both of its key attributes. No decision reads an index,
// because an index lags.
const (
	// ListIndex has the view of every token that DynamoDB has not yet deleted,
	// by month of creation, in the order of events.Position.
	ListIndex = "list"
	ListPK    = "list"
	ListSK    = "list_at"

	// OwnerIndex has the same views by owner, in the same order. A view has both
	// of its key attributes anyway, so this index does not make a view larger. No
	// other item has both.
	OwnerIndex = "owner"
	OwnerPK    = viewOwner
	OwnerSK    = ListSK

	// UnsentIndex has the records and notices that were not yet sent, in
	// UnsentShards partitions, the oldest first. It has only their keys.
	UnsentIndex = "unsent"
	UnsentPK    = "unsent"
	UnsentSK    = "unsent_at"

	// DueIndex has the views of the tokens that expire and have no recorded end, in
	// DueShards partitions, the soonest expiry first. A view has the sort key anyway.
	DueIndex = "due"
	DuePK    = "due"
	DueSK    = viewExpires
)

// DueShards is the number of partitions of the due index. Several partitions share
// the load.
const DueShards = 4

// UnsentShards is the number of partitions of the unsent index. Several
// partitions share the load. All messages of one stream are in one partition.
const UnsentShards = 4

// ListAttributes are the attributes of the list index besides the keys: a view
// with its seal, and with a digest in place of its verifiers (events.View.Digest).
// DynamoDB allows 20 such attributes for an index.
var ListAttributes = []string{
	viewOwner, viewCreator, viewName, viewDescription, viewCreated, viewExpires, viewDisabled, viewScopes, viewSourceIPs,
	viewFirst, viewSeq, viewEnded, viewEndedAt, viewKeepUntil, viewSealKid, viewSeal, viewDigest,
	viewSuspended, viewOutUntil, viewSession,
}

// OwnerAttributes are the attributes of the owner index besides the keys. So an
// entry has the same attributes in both indexes.
var OwnerAttributes = append([]string{ListPK}, slices.DeleteFunc(slices.Clone(ListAttributes), func(name string) bool { return name == OwnerPK })...)

// DueAttributes are the attributes of the due index besides the keys.
var DueAttributes = []string{viewOwner, ViewWarned}

// FirstMonth is the first partition of the list index. No token is older than
// this software. A token with an earlier time, from a wrong clock, is in the
// first partition too.
var FirstMonth = Month{2026, time.January}

// Month is a partition of the list index.
type Month struct {
	Year  int
	Month time.Month
}

// MonthOf returns the partition of a token that was created at t.
func MonthOf(t time.Time) Month {
	t = t.UTC()
	m := Month{t.Year(), t.Month()}
	if m.Before(FirstMonth) {
		return FirstMonth
	}
	return m
}

// Before reports whether m is earlier than n.
func (m Month) Before(n Month) bool {
	return m.Year < n.Year || m.Year == n.Year && m.Month < n.Month
}

// Next returns the following month.
func (m Month) Next() Month { return MonthOf(m.Start().AddDate(0, 1, 0)) }

// Start returns the first instant of the month, in UTC.
func (m Month) Start() time.Time { return time.Date(m.Year, m.Month, 1, 0, 0, 0, 0, time.UTC) }

// PK returns the partition's key in the list index. Sessions (the kind
// events.KindSession) have partitions of their own.
func (m Month) PK(kind string) string {
	if kind == events.KindSession {
		return fmt.Sprintf("SESSIONS#%04d-%02d", m.Year, m.Month)
	}
	return fmt.Sprintf("LIST#%04d-%02d", m.Year, m.Month)
}

// sessionSK begins the sort keys of sessions. All of them are after those of tokens,
// which begin with the digits of a year: in the owner index, both are in one partition.
const sessionSK = "SESSION#"

// PositionSK returns the sort key of p in its partition of the list index and of the
// owner index.
func PositionSK(kind string, p events.Position) string {
	if kind == events.KindSession {
		return sessionSK + Time(p.At) + "#" + p.ID
	}
	return Time(p.At) + "#" + p.ID
}

// ListRange returns the first and the last sort key of the entries of a kind after a
// position. No id has the character "!", so the first key is after that of the position
// and before every other key after it. The range has also most keys of a wrong form, so
// that their entries are noticed.
func ListRange(kind string, after events.Position) (first, last string) {
	first = PositionSK(kind, after) + "!"
	if kind == events.KindSession {
		return first, "~"
	}
	return first, strings.TrimSuffix(sessionSK, "#")
}

// ReadPosition returns the position of an entry of the list index or the owner
// index, or of the key of an entry.
func ReadPosition(it Item) (events.Position, error) {
	r := &reader{it: it}
	at, id, _ := strings.Cut(strings.TrimPrefix(r.mustText(ListSK), sessionSK), "#")
	t, err := ParseTime(at)
	if err != nil {
		r.fail(ListSK, err)
	}
	return events.Position{At: t, ID: id}, r.err
}

// ShardPK returns the key of one partition of the unsent index.
func ShardPK(shard int) string { return fmt.Sprintf("UNSENT#%d", shard) }

// DueShardPK returns the key of one partition of the due index. Sessions (the kind
// events.KindSession) have partitions of their own.
func DueShardPK(kind string, shard int) string {
	if kind == events.KindSession {
		return fmt.Sprintf("DUE#SESSION#%d", shard)
	}
	return fmt.Sprintf("DUE#%d", shard)
}

// putDue puts a view into the due index. Its partition follows from the id.
func putDue(it Item, v events.View) {
	if v.Ended == "" && !v.ExpiresAt.IsZero() {
		it[DuePK] = text(DueShardPK(v.Kind, shardOf(v.ID, DueShards)))
	}
}

// ReadDue decodes an entry of the due index. A note of a wrong form is read as no
// note: the sweep then looks at the token.
func ReadDue(it Item) (events.Expiring, error) {
	r := &reader{it: it}
	id, ok := TokenID(it)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the key of a view"))
	}
	e := events.Expiring{TokenID: id, Owner: r.mustText(viewOwner), ExpiresAt: r.mustTime(DueSK)}
	warned := &reader{it: it}
	if days := warned.number(ViewWarned); warned.err == nil {
		e.Warned = int(days)
	}
	return e, r.err
}

// UnsentPlace returns the sort key of an item in its partition of the unsent
// index.
func UnsentPlace(it Item) string { return (&reader{it: it}).text(UnsentSK) }

// UnsentTime returns the time in that sort key, and false for a key of another form.
func UnsentTime(it Item) (time.Time, bool) {
	text, _, _ := strings.Cut(UnsentPlace(it), "#")
	at, err := ParseTime(text)
	return at, err == nil
}

// putUnsent puts a message into the unsent index. All messages of a stream are
// in one partition. Their sort key has their time, then their sequence. The
// times of a stream never decrease, so the index has them in their order.
func putUnsent(it Item, m events.Message) {
	group := string(m.Stream)
	if group == "" {
		group = m.ID
	}
	it[UnsentPK] = text(ShardPK(shardOf(group, UnsentShards)))
	it[UnsentSK] = text(Time(m.Time) + "#" + Sequence(m.Seq))
}

// shardOf returns the number of a partition, the same for equal texts.
func shardOf(s string, shards uint32) int {
	h := fnv.New32a()
	h.Write([]byte(s))
	return int(h.Sum32() % shards)
}
