package dynamo

import (
	"context"
	"errors"
	"slices"

	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	batchSize   = 100 // keys in one BatchGetItem (AWS limit)
	batchRounds = 10  // maximum number of requests for one batch of keys
)

var errUnprocessed = errors.New("DynamoDB did not read all items, after several requests")

// batchGet reads any number of different items and returns them in no order.
// Items that do not exist are absent.
func (s *Store) batchGet(ctx context.Context, keys []item.Item, consistent bool) ([]item.Item, error) {
	var its []item.Item
	for chunk := range slices.Chunk(keys, batchSize) {
		got, err := s.batchGetChunk(ctx, types.KeysAndAttributes{Keys: chunk, ConsistentRead: &consistent})
		if err != nil {
			return nil, err
		}
		its = append(its, got...)
	}
	return its, nil
}

// batchGetChunk asks again for the items that DynamoDB did not read. DynamoDB
// leaves items unread, without an error, when it throttles or when the answer
// is too large.
func (s *Store) batchGetChunk(ctx context.Context, ask types.KeysAndAttributes) ([]item.Item, error) {
	var its []item.Item
	for round := range batchRounds {
		out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: ask},
		})
		if err != nil {
			return nil, err
		}
		its = append(its, out.Responses[s.table]...)
		ask = out.UnprocessedKeys[s.table]
		if len(ask.Keys) == 0 {
			return its, nil
		}
		if err := wait(ctx, round+1); err != nil {
			return nil, err
		}
	}
	return nil, errUnprocessed
}
