package dynamo

import (
	"context"
	"fmt"
	"strings"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// WithRepairs is a Store that also implements events.Repairs. It is a type of its
// own, so that no function links the repairs: the linker keeps all exported
// methods of a type that it links.
type WithRepairs struct{ *Store }

var _ events.Repairs = WithRepairs{}

// Newer implements events.Repairs. It ignores items under keys that no record can
// have: they keep no commit from its keys.
func (s WithRepairs) Newer(ctx context.Context, stream events.Stream, after uint64, limit int) ([]events.Newer, error) {
	var ns []events.Newer
	err := s.eachItem(ctx, stream, after, limit, func(it item.Item) (bool, error) {
		seq, ok := item.KeySequence(it)
		if ok {
			n := events.Newer{Seq: seq, Stored: it}
			n.Record, n.Damaged = item.ReadRecord(it)
			ns = append(ns, n)
		}
		return ok, nil
	})
	return ns, err
}

// Remove implements events.Repairs with one TransactWriteItems.
func (s WithRepairs) Remove(ctx context.Context, stream events.Stream, base uint64, n events.Newer) error {
	stored, ours := n.Stored.(item.Item)
	if !ours {
		return fmt.Errorf("removing record %d of stream %s: the record is not from this store", n.Seq, stream)
	}
	head, err := item.HeadKey(stream)
	if err != nil {
		return err
	}
	t := &transaction{table: s.table}
	t.check(ifVersion(base), head)
	t.remove(stored)
	if err := s.sendOnce(ctx, t); err != nil {
		return fmt.Errorf("removing record %d of stream %s at version %d: %w", n.Seq, stream, base, err)
	}
	return nil
}

// Advance implements events.Repairs with one TransactWriteItems.
func (s WithRepairs) Advance(ctx context.Context, a events.Advance) error {
	head, err := item.Head(a.Stream(), a.Head())
	if err != nil {
		return err
	}
	t := &transaction{table: s.table}
	t.put(ifVersion(a.Base()), head)
	for _, v := range a.Views() {
		t.put(always, item.View(v))
	}
	if err := s.sendOnce(ctx, t); err != nil {
		return fmt.Errorf("writing a newer head of stream %s at version %d: %w", a.Stream(), a.Base(), err)
	}
	return nil
}

// sendOnce sends a transaction without a look at the log for its outcome. After an
// attempt without an answer a conflict may come from this very transaction, so it
// is then no ErrConflict.
func (s WithRepairs) sendOnce(ctx context.Context, t *transaction) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	unanswered, err := s.send(ctx, t)
	if unanswered && err != nil {
		return fmt.Errorf("the outcome is unknown: %v", err)
	}
	return err
}

// check adds the condition that an item must fulfil, without a write of the item.
func (t *transaction) check(cond condition, key item.Item) {
	var p types.Put
	cond.apply(&p)
	t.add(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &t.table, Key: key, ConditionExpression: p.ConditionExpression,
		ExpressionAttributeNames: p.ExpressionAttributeNames, ExpressionAttributeValues: p.ExpressionAttributeValues,
	}}, cond.failed)
}

// remove adds the removal of a record, if the record still has the same hash and
// the same MAC, or still lacks them.
func (t *transaction) remove(stored item.Item) {
	d := &types.Delete{TableName: &t.table, Key: item.KeyOf(stored), ExpressionAttributeNames: map[string]string{}}
	conditions := []string{"attribute_exists(PK)"}
	for i, name := range item.RecordIdentity {
		short, value := fmt.Sprintf("#a%d", i), fmt.Sprintf(":v%d", i)
		d.ExpressionAttributeNames[short] = name
		if v, has := stored[name]; has {
			if d.ExpressionAttributeValues == nil {
				d.ExpressionAttributeValues = item.Item{}
			}
			d.ExpressionAttributeValues[value] = v
			conditions = append(conditions, short+" = "+value)
		} else {
			conditions = append(conditions, "attribute_not_exists("+short+")")
		}
	}
	d.ConditionExpression = aws.String(strings.Join(conditions, " AND "))
	t.add(types.TransactWriteItem{Delete: d}, events.ErrConflict)
}
