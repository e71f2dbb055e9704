package dynamo

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Commit is one TransactWriteItems. If an attempt was not answered, the
// command id in the log says what became of it.
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
		err = s.settle(ctx, c, err)
	}
	if err != nil {
		return fmt.Errorf("committing to stream %s: %w", c.Stream(), err)
	}
	return nil
}

// settle finds out what became of a commit of which some attempt was not
// answered. The record that follows the base decides it: if it is ours, all of
// the commit is there; if it is another's, the head moved on and no attempt
// can land any more. As long as there is none, an attempt may still land.
func (s *Store) settle(ctx context.Context, c events.Commit, verdict error) error {
	key, err := item.RecordKey(c.Stream(), c.Base()+1)
	if err != nil {
		return err
	}
	next, err := s.get(ctx, key)
	switch {
	case err != nil:
		// The verdict must not come out as ErrConflict or ErrIDTaken here: it
		// may be the echo of our own write.
		return fmt.Errorf("the outcome is unknown (%v), and the log cannot be asked: %w", verdict, err)
	case next != nil && item.Command(next) == c.Command():
		return nil
	case next != nil:
		return events.ErrConflict
	case errors.Is(verdict, events.ErrConflict), errors.Is(verdict, events.ErrIDTaken):
		return verdict
	}
	return fmt.Errorf("the outcome is unknown: %w", verdict)
}

// transaction is the commit as DynamoDB takes it, each item once.
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
	t.put(ifStandsAt(c.Base()), head)
	e := c.Effect()
	for _, v := range e.Minted {
		t.put(ifNotTaken, item.View(v))
	}
	for _, v := range e.Changed {
		t.put(always, item.View(v))
	}
	if e.Reply != nil {
		t.put(ifNew, item.Reply(*e.Reply))
	}
	return t, nil
}

// condition is on what a put rests, and what it means if that fails.
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

// ifStandsAt is the condition that carries the order of the records and every
// limit: the head is still the one that was read.
func ifStandsAt(version uint64) condition {
	if version == 0 {
		return ifNew
	}
	return condition{func(p *types.Put) {
		p.ConditionExpression = aws.String("#version = :read")
		p.ExpressionAttributeNames = map[string]string{"#version": item.HeadVersion}
		p.ExpressionAttributeValues = item.Item{":read": item.Number(version)}
	}, events.ErrConflict}
}

func (t *transaction) put(cond condition, it item.Item) {
	p := &types.Put{TableName: &t.table, Item: it}
	cond.apply(p)
	t.add(types.TransactWriteItem{Put: p}, cond.failed)
}
