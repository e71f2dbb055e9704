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

// Commit is one TransactWriteItems. If an attempt had no answer, the command id
// in the log shows whether it was applied.
func (s *Store) Commit(ctx context.Context, c events.Commit) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("committing to stream %s: %w", c.Stream(), err)
	}
	t, err := s.transaction(c)
	if err != nil {
		return err
	}
	unanswered, err := s.send(ctx, t)
	if unanswered && err != nil {
		err = s.outcomeOf(ctx, c, err)
	}
	if err != nil {
		return fmt.Errorf("committing to stream %s: %w", c.Stream(), err)
	}
	return nil
}

// outcomeOf returns the outcome of a commit after an attempt without an answer.
// last is the error of the last attempt. The record after the base decides. If
// it has our command id, the whole commit is applied. If it has another command
// id, the head has moved and no attempt can be applied any more. If there is no
// such record yet, an attempt may still be applied.
func (s *Store) outcomeOf(ctx context.Context, c events.Commit, last error) error {
	next, err := s.recordAfter(ctx, c.Stream(), c.Base())
	switch {
	case err != nil:
		// Do not wrap last here: an ErrConflict or ErrIDTaken in it may be the
		// result of our own earlier attempt.
		return fmt.Errorf("the outcome is unknown (%v), and the log cannot be read: %w", last, err)
	case next != nil && item.Command(next) == c.Command():
		return nil
	case next != nil:
		return events.ErrConflict
	case errors.Is(last, events.ErrConflict), errors.Is(last, events.ErrIDTaken):
		return last
	}
	return fmt.Errorf("the outcome is unknown: %w", last)
}

// recordAfter reads the item of the record after a version; nil if there is none.
// A Query needs no right that a command does not need anyway to read the head.
func (s *Store) recordAfter(ctx context.Context, stream events.Stream, version uint64) (item.Item, error) {
	key, err := item.RecordKey(stream, version+1)
	if err != nil {
		return nil, err
	}
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("PK = :pk AND SK = :sk"),
		ExpressionAttributeValues: item.Item{":pk": key[item.PK], ":sk": key[item.SK]},
	})
	if err != nil || len(out.Items) == 0 {
		return nil, err
	}
	return out.Items[0], nil
}

// transaction builds the DynamoDB transaction of a commit, with each item once.
func (s *Store) transaction(c events.Commit) (*transaction, error) {
	t := &transaction{table: s.table}
	for _, r := range c.Records() {
		it, err := item.Record(r)
		if err != nil {
			return nil, err
		}
		t.put(ifNew, it)
	}
	head, err := item.Head(c.Stream(), c.Head())
	if err != nil {
		return nil, err
	}
	t.put(ifVersion(c.Base()), head)
	e := c.Effect()
	for _, v := range e.Minted {
		t.put(ifNotTaken, item.View(v))
	}
	for _, v := range e.Changed {
		t.put(always, item.View(v))
	}
	if e.Reply != nil {
		t.put(ifNewOr(e.Expired), item.Reply(*e.Reply))
	}
	return t, nil
}

// condition is the condition of a put, and the error of the commit if the
// condition fails.
type condition struct {
	apply  func(*types.Put)
	failed error
}

var (
	always     = condition{apply: func(*types.Put) {}}
	ifNew      = condition{absent, events.ErrConflict}
	ifNotTaken = condition{absent, events.ErrIDTaken}
)

func absent(p *types.Put) { p.ConditionExpression = aws.String("attribute_not_exists(PK)") }

// ifVersion is the condition that keeps the order of the records and enforces
// every limit: the head still has the version that was read.
func ifVersion(version uint64) condition {
	if version == 0 {
		return ifNew
	}
	return condition{func(p *types.Put) {
		p.ConditionExpression = aws.String("#version = :read")
		p.ExpressionAttributeNames = map[string]string{"#version": item.HeadVersion}
		p.ExpressionAttributeValues = item.Item{":read": item.Number(version)}
	}, events.ErrConflict}
}

// ifNewOr is the condition of a reply: there is no other reply under its key, or
// exactly the expired one. The sealed bytes of a reply are random, so they name
// one reply.
func ifNewOr(expired *events.Reply) condition {
	if expired == nil {
		return ifNew
	}
	return condition{func(p *types.Put) {
		p.ConditionExpression = aws.String("attribute_not_exists(PK) OR #sealed = :expired")
		p.ExpressionAttributeNames = map[string]string{"#sealed": item.ReplySealed}
		p.ExpressionAttributeValues = item.Item{":expired": &types.AttributeValueMemberB{Value: expired.Sealed}}
	}, events.ErrConflict}
}

func (t *transaction) put(cond condition, it item.Item) {
	p := &types.Put{TableName: &t.table, Item: it}
	cond.apply(p)
	t.add(types.TransactWriteItem{Put: p}, cond.failed)
}
