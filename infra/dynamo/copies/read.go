package copies

import (
	"context"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Around reads consistently the copies numbered seq-1 and seq+1 of a stream.
// A missing one is nil.
func (t *Table) Around(ctx context.Context, s events.Stream, seq uint64) (before, after *events.Message, err error) {
	its, err := t.query(ctx, string(s), item.Sequence(seq-1), item.Sequence(seq+1), 0)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the copies around %s/%d: %w", s, seq, err)
	}
	for _, it := range its {
		m, err := message(it)
		if err != nil {
			return nil, nil, err
		}
		switch m.Seq {
		case seq - 1:
			before = &m
		case seq + 1:
			after = &m
		}
	}
	return before, after, nil
}

// Copy reads the copies of a stream with Seq > after, ascending, at most limit. A
// copy that cannot be decoded is a *events.DamagedRecord, beside the copies before
// it.
func (t *Table) Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error) {
	its, err := t.query(ctx, string(s), item.Sequence(after+1), item.Sequence(item.LastSeq), limit)
	if err != nil {
		return nil, fmt.Errorf("reading the copies of %s: %w", s, err)
	}
	ms := make([]events.Message, 0, len(its))
	for _, it := range its {
		m, err := message(it)
		if err != nil {
			return ms, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// Waiting calls f for each wait that began before olderThan.
func (t *Table) Waiting(ctx context.Context, olderThan time.Time, f func(s events.Stream, seq uint64, since time.Time)) error {
	its, err := t.query(ctx, WaitPK, "0", item.Time(olderThan), 0)
	if err != nil {
		return fmt.Errorf("reading the events that wait for a predecessor: %w", err)
	}
	for _, it := range its {
		s, seq, since, err := parseWait(item.TextOf(it, item.SK))
		if err != nil {
			return err
		}
		f(s, seq, since)
	}
	return nil
}

// query reads the items between two sort keys, both included, page by page. It
// returns at most limit items, or all items if limit is 0.
func (t *Table) query(ctx context.Context, pk, from, to string, limit int) (all []item.Item, err error) {
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("PK = :pk AND SK BETWEEN :from AND :to"),
		ExpressionAttributeValues: item.Item{":pk": item.Text(pk), ":from": item.Text(from), ":to": item.Text(to)},
	}
	if limit > 0 {
		in.Limit = aws.Int32(int32(limit))
	}
	for {
		out, err := t.client.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		all = append(all, out.Items...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil // a page ends at 1 MB, so the last page may have too many items
		}
		if out.LastEvaluatedKey == nil {
			return all, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
