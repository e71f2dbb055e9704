package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Head is one consistent Query for the last item of the stream's partition. The
// key of a head sorts after the keys of the records, so the Query returns a record
// if the head is missing.
func (s *Store) Head(ctx context.Context, stream events.Stream) (events.Head, error) {
	in, err := headQuery(s.table, stream)
	if err != nil {
		return events.Head{}, err
	}
	out, err := s.client.Query(ctx, in)
	switch {
	case err != nil:
		return events.Head{}, fmt.Errorf("reading the head of stream %s: %w", stream, err)
	case len(out.Items) == 0:
		return events.Head{}, nil
	case item.KindOf(out.Items[0]) != item.KindHead:
		return events.Head{}, fmt.Errorf("reading the head of stream %s: %w", stream, events.ErrHeadMissing)
	}
	h, err := item.ReadHead(out.Items[0])
	if err != nil {
		return events.Head{}, fmt.Errorf("reading the head of stream %s: %w", stream, err)
	}
	return h, nil
}

func headQuery(table string, stream events.Stream) (*dynamodb.QueryInput, error) {
	key, err := item.HeadKey(stream)
	if err != nil {
		return nil, err
	}
	return &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression:    aws.String("PK = :pk AND SK <= :head"),
		ExpressionAttributeValues: item.Item{":pk": key[item.PK], ":head": key[item.SK]},
	}, nil
}

// get reads one item consistently; nil if there is none.
func (s *Store) get(ctx context.Context, key item.Item) (item.Item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}
