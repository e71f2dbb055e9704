package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// History reads consistently, because events.Landed relies on it.
func (s *Store) History(ctx context.Context, stream events.Stream, after uint64, limit int) ([]events.Record, error) {
	var rs []events.Record
	err := s.eachItem(ctx, stream, after, limit, func(it item.Item) (bool, error) {
		r, err := item.ReadRecord(it)
		if err == nil {
			rs = append(rs, r)
		}
		return true, err
	})
	return rs, err
}

// eachItem calls take for the items of a stream's records after a sequence,
// ascending, until take has accepted as many as limit. DynamoDB ends a page after
// 1 MB; eachItem then reads the next page.
func (s *Store) eachItem(ctx context.Context, stream events.Stream, after uint64, limit int, take func(item.Item) (accepted bool, err error)) error {
	in, err := recordQuery(s.table, stream, after)
	if err != nil || in == nil {
		return err
	}
	for limit > 0 {
		in.Limit = aws.Int32(int32(min(limit, maxPage)))
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("reading stream %s: %w", stream, err)
		}
		for _, it := range out.Items {
			accepted, err := take(it)
			if err != nil {
				return fmt.Errorf("reading stream %s: %w", stream, err)
			}
			if accepted {
				limit--
			}
		}
		if out.LastEvaluatedKey == nil {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return nil
}

// recordQuery returns the consistent query for the records after a sequence, and
// nil if there can be none.
func recordQuery(table string, stream events.Stream, after uint64) (*dynamodb.QueryInput, error) {
	pk, err := item.StreamPK(stream)
	if err != nil || after >= item.LastSeq {
		return nil, err
	}
	return &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String("PK = :pk AND SK BETWEEN :from AND :to"),
		ExpressionAttributeValues: item.Item{
			":pk": item.Text(pk), ":from": item.Text(item.RecordSK(after + 1)), ":to": item.Text(item.RecordSK(item.LastSeq)),
		},
	}, nil
}

// maxPage keeps the number of items of a page within the SDK's int32. DynamoDB
// ends a page much earlier, after 1 MB.
const maxPage = 10_000
