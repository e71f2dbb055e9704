package dynamo

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Touch is one conditional UpdateItem, or, for a token's first use, a small
// transaction after it: only that can also see that there is such a token, and
// a use that belonged to none would be there for ever.
func (s *Store) Touch(ctx context.Context, id string, u events.Use) error {
	set, values := setUse(u)
	values[":old"] = item.Text(item.Time(u.At.Add(-events.TouchEvery)))
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: item.UseKey(id),
		UpdateExpression: &set, ExpressionAttributeValues: values,
		ConditionExpression:                 aws.String(item.UseAt + " <= :old"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, conditional := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case conditional && failed.Item != nil:
		return nil // the use that is kept is recent enough
	case conditional:
		err = s.firstUse(ctx, id, u)
	}
	if err != nil {
		return fmt.Errorf("noting a use of token %s: %w", id, err)
	}
	return nil
}

// firstUse puts a use if there is none and the token exists. If either fails,
// somebody else was first or there is nothing to note.
func (s *Store) firstUse(ctx context.Context, id string, u events.Use) error {
	set, values := setUse(u)
	t := &transaction{table: s.table}
	t.add(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.table, Key: item.ViewKey(id), ConditionExpression: aws.String("attribute_exists(PK)"),
	}}, events.ErrConflict)
	t.add(types.TransactWriteItem{Update: &types.Update{
		TableName: &s.table, Key: item.UseKey(id), ConditionExpression: aws.String("attribute_not_exists(PK)"),
		UpdateExpression: &set, ExpressionAttributeValues: values,
	}}, events.ErrConflict)
	if _, err := s.send(ctx, t); !errors.Is(err, events.ErrConflict) {
		return err
	}
	return nil
}

// setUse is the update that makes u the last use.
func setUse(u events.Use) (update string, values item.Item) {
	values = item.Item{":at": item.Text(item.Time(u.At))}
	if u.Address == "" {
		return "SET " + item.UseAt + " = :at REMOVE " + item.UseAddress, values
	}
	values[":address"] = item.Text(u.Address)
	return "SET " + item.UseAt + " = :at, " + item.UseAddress + " = :address", values
}

// LastUses reads with BatchGetItem, eventually consistent: half a read unit
// for each id.
func (s *Store) LastUses(ctx context.Context, ids []string) (map[string]events.Use, error) {
	var keys []item.Item
	seen := map[string]bool{}
	for _, id := range ids {
		if !seen[id] { // DynamoDB refuses a batch that names a key twice
			seen[id] = true
			keys = append(keys, item.UseKey(id))
		}
	}
	its, err := s.batchGet(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading last uses: %w", err)
	}
	uses := make(map[string]events.Use, len(its))
	for _, it := range its {
		id, u, err := item.ReadUse(it)
		if err != nil {
			return nil, err
		}
		uses[id] = u
	}
	return uses, nil
}
