// Package copies keeps the copies of published events on a DynamoDB table of
// their own. Only the audit function may write that table. A copy is never
// changed and never removed.
//
//	item      PK        SK                          holds
//	copy      user/ann  000000000007                the event
//	notice    notice    its id                      the event
//	evidence  evidence  the id # a digest           an event that could not be kept under its id
//	wait      wait      since # stream # sequence   an event that waits for its predecessor
//
// Keys and times have the form that infra/dynamo/item gives them. events/audit
// judges whether the copies agree with each other and with the log.
package copies

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table stores the copies of published events in one DynamoDB table. Many
// goroutines may use one Table.
type Table struct {
	client *dynamodb.Client
	name   string
}

// New returns the Table on the DynamoDB table called name.
func New(client *dynamodb.Client, name string) *Table { return &Table{client, name} }

// Keep stores the message if the table has none with its id. Otherwise it
// returns the earlier message with that id.
func (t *Table) Keep(ctx context.Context, m events.Message) (first bool, earlier events.Message, err error) {
	it, err := copyItem(m)
	if err != nil {
		return false, events.Message{}, err
	}
	old, err := t.put(ctx, it)
	switch {
	case err != nil:
		return false, events.Message{}, fmt.Errorf("keeping event %s: %w", m.ID, err)
	case old == nil:
		return true, events.Message{}, nil
	}
	earlier, err = message(old)
	return false, earlier, err
}

// Evidence stores a message in addition to the copies, once for each content.
func (t *Table) Evidence(ctx context.Context, m events.Message) error {
	it, err := evidenceItem(m)
	if err != nil {
		return err
	}
	if _, err := t.put(ctx, it); err != nil {
		return fmt.Errorf("keeping event %s as evidence: %w", m.ID, err)
	}
	return nil
}

// Await records that the predecessor of an event is missing.
func (t *Table) Await(ctx context.Context, s events.Stream, seq uint64, since time.Time) error {
	if _, err := t.put(ctx, waitItem(s, seq, since)); err != nil {
		return fmt.Errorf("awaiting the event before %s/%d: %w", s, seq, err)
	}
	return nil
}

// Arrived deletes what Await recorded.
func (t *Table) Arrived(ctx context.Context, s events.Stream, seq uint64, since time.Time) error {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: waitItem(s, seq, since)})
	if err != nil {
		return fmt.Errorf("deleting the wait for the event before %s/%d: %w", s, seq, err)
	}
	return nil
}

// put writes an item if the table has none with its key. Otherwise it returns
// the stored one.
func (t *Table) put(ctx context.Context, it item.Item) (old item.Item, err error) {
	_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it, ConditionExpression: aws.String("attribute_not_exists(PK)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if exists, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return exists.Item, nil
	}
	return nil, err
}
