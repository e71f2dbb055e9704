package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Pending takes the keys of the oldest unsent messages from the index, which
// may lag. It then reads the messages consistently and skips those that were
// sent meanwhile.
func (s *Store) Pending(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
	ms, err := s.pending(ctx, olderThan, limit)
	if err != nil {
		return ms, fmt.Errorf("reading unsent messages: %w", err)
	}
	return ms, nil
}

func (s *Store) pending(ctx context.Context, olderThan time.Time, limit int) ([]events.Message, error) {
	var entries []item.Item
	for shard := range item.UnsentShards {
		es, err := s.unsent(ctx, shard, olderThan, limit)
		if err != nil {
			return nil, err
		}
		entries = append(entries, es...)
	}
	// All messages of a stream come from one shard, in their order.
	slices.SortStableFunc(entries, func(a, b item.Item) int { return cmp.Compare(item.UnsentPlace(a), item.UnsentPlace(b)) })
	return s.messages(ctx, entries[:min(len(entries), limit)])
}

// unsent returns the oldest entries of one shard, at most limit.
func (s *Store) unsent(ctx context.Context, shard int, olderThan time.Time, limit int) ([]item.Item, error) {
	in := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(item.UnsentIndex), Limit: aws.Int32(int32(min(limit, maxPage))),
		KeyConditionExpression:   aws.String("#shard = :shard AND #at < :at"),
		ExpressionAttributeNames: map[string]string{"#shard": item.UnsentPK, "#at": item.UnsentSK},
		ExpressionAttributeValues: item.Item{
			":shard": item.Text(item.ShardPK(shard)), ":at": item.Text(item.Time(olderThan)),
		},
	}
	var entries []item.Item
	for len(entries) < limit {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, err
		}
		entries = append(entries, out.Items...)
		if out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return entries[:min(len(entries), limit)], nil
}

// Oldest returns the time of the oldest message in the outbox, from the index, which
// may lag. It is the zero time if the outbox is empty. It ignores an entry that another
// program wrote.
func (s *Store) Oldest(ctx context.Context) (oldest time.Time, err error) {
	for shard := range item.UnsentShards {
		entries, err := s.unsent(ctx, shard, endOfTime, 1)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the oldest message of the outbox: %w", err)
		}
		for _, e := range entries {
			if at, ok := item.UnsentTime(e); ok && (oldest.IsZero() || at.Before(oldest)) {
				oldest = at
			}
		}
	}
	return oldest, nil
}

// endOfTime is after the time of every message.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// messages reads the messages of the entries, in their order. If it cannot
// decode an item, it skips this item and the later ones of the same partition,
// and the error names the item.
func (s *Store) messages(ctx context.Context, entries []item.Item) ([]events.Message, error) {
	place := make(map[string]int, len(entries))
	keys := make([]item.Item, 0, len(entries))
	for i, e := range entries {
		place[item.Name(e)] = i
		keys = append(keys, item.KeyOf(e))
	}
	its, err := s.batchGet(ctx, keys, true)
	if err != nil {
		return nil, err
	}
	its = slices.DeleteFunc(its, func(it item.Item) bool { return !item.Unsent(it) })
	slices.SortFunc(its, func(a, b item.Item) int { return cmp.Compare(place[item.Name(a)], place[item.Name(b)]) })
	ms := make([]events.Message, 0, len(its))
	var faults error
	blocked := map[string]bool{} // by partition
	for _, it := range its {
		pk := item.Partition(it)
		if blocked[pk] {
			continue
		}
		m, err := item.ReadMessage(it)
		if err != nil {
			blocked[pk], faults = true, errors.Join(faults, err)
			continue
		}
		ms = append(ms, m)
	}
	return ms, faults
}

// sentInParallel is the number of UpdateItem calls that Sent makes in parallel.
const sentInParallel = 8

// Sent is one UpdateItem for each id, sentInParallel at a time. If some fail,
// the other messages are still removed from the outbox.
func (s *Store) Sent(ctx context.Context, ids ...string) error {
	errs := make([]error, len(ids))
	free := make(chan struct{}, sentInParallel)
	var wg sync.WaitGroup
	for i, id := range ids {
		free <- struct{}{}
		wg.Go(func() {
			errs[i] = s.sent(ctx, id)
			<-free
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *Store) sent(ctx context.Context, id string) error {
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: item.MessageKey(id),
		UpdateExpression:         aws.String("REMOVE #shard, #at"),
		ConditionExpression:      aws.String("attribute_exists(#shard)"),
		ExpressionAttributeNames: map[string]string{"#shard": item.UnsentPK, "#at": item.UnsentSK},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("removing message %s from the outbox: %w", id, err)
	}
	return nil
}

// Notify is one PutItem on the condition that there is no such notice. The item
// stays for 30 days after its time, even if the notice was sent.
func (s *Store) Notify(ctx context.Context, m events.Message) error {
	_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: item.Notice(m), ConditionExpression: aws.String("attribute_not_exists(PK)"),
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("putting notice %s: %w", m.ID, err)
	}
	return nil
}

func conditionFailed(err error) bool {
	_, failed := errors.AsType[*types.ConditionalCheckFailedException](err)
	return failed
}
