package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Expiring implements events.Expiries. It reads the due index, which lags, one
// partition after the other; tokens and sessions are in different partitions. A run that ends early has read other partitions than
// the last one, because their order is random.
func (s *Store) Expiring(ctx context.Context, kind string, from, to time.Time, f func([]events.Expiring) error) error {
	if !from.Before(to) {
		return nil // DynamoDB refuses a period that ends before it begins
	}
	var damaged events.DamagedEntries
	for _, shard := range rand.Perm(item.DueShards) {
		if err := s.expiringIn(ctx, item.DueShardPK(kind, shard), from, to, &damaged, f); err != nil {
			return err
		}
	}
	return damaged.Err("the index of expiries")
}

func (s *Store) expiringIn(ctx context.Context, shard string, from, to time.Time, damaged *events.DamagedEntries, f func([]events.Expiring) error) error {
	in := &dynamodb.QueryInput{
		TableName: &s.table, IndexName: aws.String(item.DueIndex), Limit: aws.Int32(events.ExpiringPage),
		KeyConditionExpression:   aws.String("#shard = :shard AND #at BETWEEN :from AND :last"),
		ExpressionAttributeNames: map[string]string{"#shard": item.DuePK, "#at": item.DueSK},
		ExpressionAttributeValues: item.Item{
			":shard": item.Text(shard),
			":from":  item.Text(item.Time(from)), ":last": item.Text(item.Time(to.Add(-time.Microsecond))),
		},
	}
	for {
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("reading the tokens that expire: %w", err)
		}
		var page []events.Expiring
		for _, it := range out.Items {
			if e, err := item.ReadDue(it); err != nil {
				damaged.Add(err)
			} else {
				page = append(page, e)
			}
		}
		if len(page) > 0 {
			if err := f(page); err != nil {
				return err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return nil
		}
	}
}

// NoteWarning is one conditional UpdateItem. If a commit changes the view at the
// same time, the note would be lost anyway.
func (s *Store) NoteWarning(ctx context.Context, id string, seq uint64, days int) error {
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: item.ViewKey(id),
		UpdateExpression:          aws.String("SET #warned = :days"),
		ConditionExpression:       aws.String("#seq = :seq AND attribute_exists(#due)"),
		ExpressionAttributeNames:  map[string]string{"#warned": item.ViewWarned, "#seq": item.ViewSeq, "#due": item.DuePK},
		ExpressionAttributeValues: item.Item{":days": item.Number(uint64(days)), ":seq": item.Number(seq)},
	})
	if err != nil && !conditionFailed(err) && !slices.Contains(retryable, codeOf(err)) {
		return fmt.Errorf("noting a warning about token %s: %w", id, err)
	}
	return nil
}
