package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// History reads consistently, because events.Landed relies on it. DynamoDB ends
// a page after 1 MB; History then reads the next page.
func (s *Store) History(ctx context.Context, stream events.Stream, after uint64, limit int) ([]events.Record, error) {
	in, err := recordQuery(s.table, stream, after)
	if err != nil || in == nil {
		return nil, err
	}
	var rs []events.Record
	for len(rs) < limit {
		in.Limit = aws.Int32(int32(min(limit-len(rs), maxPage)))
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("reading stream %s: %w", stream, err)
		}
		for _, it := range out.Items {
			r, err := item.ReadRecord(it)
			if err != nil {
				return rs, fmt.Errorf("reading stream %s: %w", stream, err)
			}
			rs = append(rs, r)
		}
		if out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	return rs, nil
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
