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

// Touch is one conditional UpdateItem. For a token's first use a small
// transaction follows, because only a transaction can also check that the token
// exists. A use without a token would never be deleted.
func (s *Store) Touch(ctx context.Context, id string, u events.Use) error {
	set, values := setUse(u)
	values[":old"] = item.Text(item.Time(u.Since()))
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &s.table, Key: item.UseKey(id),
		UpdateExpression: &set, ExpressionAttributeValues: values,
		ConditionExpression:                 aws.String(item.UseAt + " <= :old"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, conditional := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case conditional && failed.Item != nil:
		_, _, err = item.ReadUse(failed.Item) // if it can be decoded, it is recent enough
	case conditional:
		err = s.firstUse(ctx, id, u)
	}
	if err != nil {
		return fmt.Errorf("storing a use of token %s: %w", id, err)
	}
	return nil
}

// firstUse puts a use if there is none and the token exists. If a condition
// fails, another call was first or there is no token. Neither is an error.
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

// setUse returns the update that stores u as the last use.
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
	return usesOf(its)
}

// usesOf returns the uses by the ids of their tokens, and an error about those that
// it cannot decode.
func usesOf(its []item.Item) (map[string]events.Use, error) {
	uses := make(map[string]events.Use, len(its))
	var faults error
	for _, it := range its {
		id, u, err := item.ReadUse(it)
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		uses[id] = u
	}
	if faults != nil {
		return uses, fmt.Errorf("reading last uses: %w", faults)
	}
	return uses, nil
}
