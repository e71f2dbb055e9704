package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// One call of Tokens makes at most listQueries queries and reads little more
// than listItems tokens. It then returns the matches and the position where the
// next call continues. This is about a second of work, even if few tokens match.
const (
	listQueries = 36
	listItems   = 10_000
)

// clockSkew is how much the clock of a token's creation may be ahead of the
// query's clock.
const clockSkew = time.Hour

// maxOwners is the maximum number of owners in the IN of a filter (AWS limit:
// 100).
const maxOwners = 100

// Tokens reads the partitions of the list index, one for each month of
// creation. It starts with the month of q.After, or with item.FirstMonth, and
// ends with the month of q.Now. A page with More may have less than q.Limit
// tokens, even none. The views have the digest of the verifier in its place.
func (s *Store) Tokens(ctx context.Context, q events.Query) (events.Page, error) {
	w := &walk{q: q, at: q.After}
	last := item.MonthOf(q.Now.Add(clockSkew))
	for m := item.MonthOf(q.After.At); !last.Before(m); m = m.Next() {
		if err := s.walkMonth(ctx, w, m); err != nil {
			return events.Page{}, fmt.Errorf("listing tokens of %s: %w", m.Start().Format("January 2006"), err)
		}
		if w.full() {
			return w.page(true), nil
		}
	}
	return w.page(false), nil
}

// walk is the state of one call of Tokens: the matches, the position, the cost.
type walk struct {
	q       events.Query
	found   []events.View
	damaged []*events.DamagedView
	at      events.Position // all tokens up to here were read
	queries int
	items   int
}

// full reports whether the call has reached a limit. One token more than
// q.Limit shows that there are more.
func (w *walk) full() bool {
	return len(w.found) > w.q.Limit || w.queries >= listQueries || w.items >= listItems
}

func (w *walk) page(more bool) events.Page {
	if len(w.found) > w.q.Limit {
		w.found = w.found[:w.q.Limit]
		w.at = w.found[w.q.Limit-1].Position()
	}
	p := events.Page{Views: w.found, Damaged: w.damaged, More: more}
	if more {
		p.Next = w.at
	}
	return p
}

// walkMonth reads one month, from the position of the walk until it is full.
func (s *Store) walkMonth(ctx context.Context, w *walk, m item.Month) error {
	in := s.listQuery(w.q, m)
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return err
		}
		w.queries++
		w.items += int(out.ScannedCount)
		for _, it := range out.Items {
			v, err := item.ReadEntry(it)
			damaged, isDamaged := errors.AsType[*events.DamagedView](err)
			switch {
			case isDamaged:
				w.damaged = append(w.damaged, damaged)
			case err != nil:
				return err
			case w.q.Matches(v):
				w.found = append(w.found, v)
			}
		}
		if out.LastEvaluatedKey == nil {
			w.at = later(w.at, events.Position{At: m.Next().Start()})
			return nil
		}
		if w.at, err = item.ReadPosition(out.LastEvaluatedKey); err != nil {
			return err
		}
		if w.full() {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// listQuery returns the query for the tokens after q.After in one month. The
// filter saves transfer, not read units; q.Matches decides. With a filter there
// is no limit, because DynamoDB counts items before it filters them.
func (s *Store) listQuery(q events.Query, m item.Month) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(item.ListIndex),
		KeyConditionExpression:   aws.String("#month = :month AND #place > :after"),
		ExpressionAttributeNames: map[string]string{"#month": item.ListPK, "#place": item.ListSK},
		ExpressionAttributeValues: item.Item{
			":month": item.Text(m.PK()), ":after": item.Text(item.PositionSK(q.After)),
		},
	}
	if len(q.Owners) == 0 || len(q.Owners) > maxOwners {
		in.Limit = aws.Int32(int32(min(q.Limit, listItems) + 1))
		return in
	}
	var names []string
	for i, owner := range q.Owners {
		name := fmt.Sprintf(":owner%d", i)
		names = append(names, name)
		in.ExpressionAttributeValues[name] = item.Text(owner)
	}
	in.ExpressionAttributeNames["#owner"] = item.OwnerAttribute
	in.FilterExpression = aws.String("#owner IN (" + strings.Join(names, ", ") + ")")
	return in
}

func later(a, b events.Position) events.Position {
	if b.Compare(a) > 0 {
		return b
	}
	return a
}
