package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// clockSkew is how much the clock of a token's creation may be ahead of the
// query's clock.
const clockSkew = time.Hour

// list is a position in one or more partitions of an index, one after the other.
type list struct {
	owner       string     // its partition of the owner index
	month, last item.Month // its partitions of the list index, if it has no owner
	start       item.Item  // where the next query of the partition starts; nil: after at
	at          events.Position
	entries     []entry // read and not yet merged; at is the place of the last one or later
	done        bool
	items       int // entries read
	wanted      int // entries read that are for the page
}

// entry is an entry of an index, as a view or as damaged.
type entry struct {
	at      events.Position
	view    events.View
	damaged *events.DamagedView
}

// listsOf returns one list for each owner of the query, or the list of all
// months. The months start with that of q.After, or with item.FirstMonth.
func listsOf(q events.Query) (ls []*list) {
	if len(q.Owners) == 0 {
		first, last := item.MonthOf(q.After.At), item.MonthOf(q.Now.Add(clockSkew))
		return []*list{{month: first, last: last, at: q.After, done: last.Before(first)}}
	}
	for _, owner := range slices.Compact(slices.Sorted(slices.Values(q.Owners))) {
		ls = append(ls, &list{owner: owner, at: q.After, done: owner == ""}) // no token has an empty owner, and no index an empty key
	}
	return ls
}

// read makes the next query of a list.
func (m *merge) read(ctx context.Context, l *list) error {
	out, err := m.store.client.Query(ctx, m.query(l))
	if err != nil {
		return fmt.Errorf("reading %s: %w", l.name(), err)
	}
	m.queries++
	m.items += int(out.ScannedCount)
	for _, it := range out.Items {
		e, err := l.entryOf(it)
		if err != nil {
			return fmt.Errorf("reading %s: %w", l.name(), err)
		}
		l.entries = append(l.entries, e)
		l.at = e.at
		l.items++
		if m.wants(e) {
			l.wanted++
		}
	}
	if l.start = out.LastEvaluatedKey; l.start == nil {
		l.nextPartition()
	}
	return nil
}

// entryOf decodes an entry. If something other than this service wrote its place,
// the entry is damaged, and it gets the place of the entry before it.
func (l *list) entryOf(it item.Item) (e entry, err error) {
	if e.at, err = item.ReadPosition(it); err != nil {
		e.at = l.at
	}
	e.view, err = item.ReadEntry(it)
	if damaged, is := errors.AsType[*events.DamagedView](err); is {
		e.damaged, err = damaged, nil
	}
	return e, err
}

func (l *list) nextPartition() {
	if l.owner != "" {
		l.done = true
		return
	}
	l.month = l.month.Next()
	if begin := (events.Position{At: l.month.Start()}); begin.Compare(l.at) > 0 {
		l.at = begin
	}
	l.done = l.last.Before(l.month)
}

func (l *list) name() string {
	if l.owner != "" {
		return "the entries of user " + l.owner
	}
	return "the entries of " + l.month.Start().Format("January 2006")
}

// query returns the next query of a list. It has no filter: a filter saves
// transfer and no read units.
func (m *merge) query(l *list) *dynamodb.QueryInput {
	index, hash, partition := item.ListIndex, item.ListPK, l.month.PK(m.q.Kind)
	first, last := item.ListRange(m.q.Kind, m.q.After)
	if l.owner != "" {
		index, hash, partition = item.OwnerIndex, item.OwnerPK, l.owner
	}
	return &dynamodb.QueryInput{
		TableName: &m.store.table, IndexName: &index, Limit: aws.Int32(int32(m.limit(l))), ExclusiveStartKey: l.start,
		KeyConditionExpression:   aws.String("#hash = :hash AND #place BETWEEN :first AND :last"),
		ExpressionAttributeNames: map[string]string{"#hash": hash, "#place": item.ListSK},
		ExpressionAttributeValues: item.Item{
			":hash": item.Text(partition), ":first": item.Text(first), ":last": item.Text(last),
		},
	}
}

// limit returns the number of entries for the next query of a list. It supposes
// that as many of them match as of the entries before. One match more than
// q.Limit shows that there are more.
func (m *merge) limit(l *list) int {
	missing := min(m.q.Limit, listItems) + 1
	if len(m.lists) == 1 {
		missing -= len(m.page.Views)
	}
	likely := missing * (l.items + 1) / (l.wanted + 1)
	return max(1, min(likely, listItems-m.items))
}
