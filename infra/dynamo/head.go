package dynamo

import (
	"context"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Head is one consistent GetItem.
func (s *Store) Head(ctx context.Context, stream events.Stream) (events.Head, error) {
	key, err := item.HeadKey(stream)
	if err != nil {
		return events.Head{}, err
	}
	it, err := s.get(ctx, key)
	if err != nil {
		return events.Head{}, fmt.Errorf("reading the head of stream %s: %w", stream, err)
	}
	if it == nil {
		return events.Head{}, nil
	}
	return item.ReadHead(it)
}

// get reads one item consistently; nil if there is none.
func (s *Store) get(ctx context.Context, key item.Item) (item.Item, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}
