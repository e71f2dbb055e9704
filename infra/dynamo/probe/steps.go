package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Each step uses items of its own: a step must not depend on the one before.
const (
	readItem = iota
	conditionItem
	firstItem  // of a transaction
	secondItem // of a transaction
)

// rounds is how often a step reads directly after a write. A service whose reads lag
// seldom returns the newest item each time.
const rounds = 5

// value reads an item as the store does. There is no item with the value 0.
func (p *probe) value(ctx context.Context, n int) (uint64, error) {
	out, err := p.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &p.table, Key: p.key(n), ConsistentRead: aws.Bool(true)})
	if err != nil || out.Item == nil {
		return 0, err
	}
	return item.ProbeValue(out.Item), nil
}

// queried reads an item as the store reads a head.
func (p *probe) queried(ctx context.Context, n int) (uint64, error) {
	key := p.key(n)
	out, err := p.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &p.table, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression:    aws.String("PK = :pk AND SK <= :sk"),
		ExpressionAttributeValues: item.Item{":pk": key[item.PK], ":sk": key[item.SK]},
	})
	if err != nil || len(out.Items) == 0 {
		return 0, err
	}
	return item.ProbeValue(out.Items[0]), nil
}

// expect returns an error unless the item has the value.
func (p *probe) expect(ctx context.Context, n int, want uint64, after string) error {
	got, err := p.value(ctx, n)
	if err == nil && got != want {
		err = wrong(fmt.Sprintf("%s an item has the value %d, not %d", after, got, want))
	}
	return err
}

func (p *probe) put(ctx context.Context, n int, value uint64) error {
	_, err := p.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &p.table, Item: p.item(n, value)})
	return err
}

func (p *probe) reads(ctx context.Context) error {
	for v := range uint64(rounds) {
		if err := p.put(ctx, readItem, v+1); err != nil {
			return err
		}
		if err := p.expect(ctx, readItem, v+1, "after a write"); err != nil {
			return err
		}
		got, err := p.queried(ctx, readItem)
		if err == nil && got != v+1 {
			err = wrong(fmt.Sprintf("after a write a query returns the value %d, not %d", got, v+1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) conditions(ctx context.Context) error {
	if err := p.put(ctx, conditionItem, 1); err != nil {
		return err
	}
	_, err := p.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &p.table, Item: p.item(conditionItem, 2), ConditionExpression: aws.String("attribute_not_exists(PK)"),
	})
	if err := refused(err, "a put on the condition that there is no item"); err != nil {
		return err
	}
	if err := refused(p.update(ctx, 2, 3), "an update on a condition that is false"); err != nil {
		return err
	}
	if err := p.expect(ctx, conditionItem, 1, "after refused writes"); err != nil {
		return err
	}
	if err := p.update(ctx, 1, 4); err != nil {
		return err
	}
	return p.expect(ctx, conditionItem, 4, "after an update on a condition that is true")
}

// update sets the value to next if it is the value before.
func (p *probe) update(ctx context.Context, before, next uint64) error {
	_, err := p.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &p.table, Key: p.key(conditionItem),
		UpdateExpression: aws.String("SET #v = :next"), ConditionExpression: aws.String("#v = :before"),
		ExpressionAttributeNames:  map[string]string{"#v": item.ProbeNumber},
		ExpressionAttributeValues: item.Item{":before": item.Number(before), ":next": item.Number(next)},
	})
	return err
}

// refused returns an error unless the condition failed.
func refused(err error, write string) error {
	switch {
	case err == nil:
		return wrong(write + " was written")
	case conditionFailed(err):
		return nil
	}
	return err
}

func (p *probe) transactions(ctx context.Context) error {
	if err := p.transact(ctx, rand.Text(), p.writing(firstItem, 1, ""), p.writing(secondItem, 1, "")); err != nil {
		return err
	}
	err := p.transact(ctx, rand.Text(), p.writing(firstItem, 2, ""), p.writing(secondItem, 2, "attribute_not_exists(PK)"))
	if err := cancelled(err); err != nil {
		return err
	}
	if err := p.expect(ctx, firstItem, 1, "after a cancelled transaction"); err != nil {
		return err
	}
	return p.expect(ctx, secondItem, 1, "after a cancelled transaction")
}

// cancelled returns an error unless the transaction was cancelled by the condition of
// its second item.
func cancelled(err error) error {
	if err == nil {
		return wrong("a transaction with a condition that is false was written")
	}
	c, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	var codes []string
	for _, r := range c.CancellationReasons {
		codes = append(codes, aws.ToString(r.Code))
	}
	if len(codes) != 2 || codes[1] != "ConditionalCheckFailed" || codes[0] != "None" && codes[0] != "" {
		return wrong(fmt.Sprintf("a cancelled transaction has the reasons %q, not None and ConditionalCheckFailed", codes))
	}
	return nil
}

// requestTokens sends one transaction twice. The second one must change nothing.
func (p *probe) requestTokens(ctx context.Context) error {
	if err := p.put(ctx, firstItem, 10); err != nil {
		return err
	}
	token := rand.Text()
	add := types.TransactWriteItem{Update: &types.Update{
		TableName: &p.table, Key: p.key(firstItem), UpdateExpression: aws.String("ADD #v :one"),
		ExpressionAttributeNames: map[string]string{"#v": item.ProbeNumber}, ExpressionAttributeValues: item.Item{":one": item.Number(1)},
	}}
	for range 2 {
		if err := p.transact(ctx, token, add); err != nil {
			return err
		}
	}
	return p.expect(ctx, firstItem, 11, "after one transaction that was sent twice")
}

func (p *probe) transact(ctx context.Context, token string, writes ...types.TransactWriteItem) error {
	_, err := p.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes, ClientRequestToken: &token})
	return err
}

// writing is a put in a transaction, on a condition unless it is "".
func (p *probe) writing(n int, value uint64, condition string) types.TransactWriteItem {
	put := &types.Put{TableName: &p.table, Item: p.item(n, value)}
	if condition != "" {
		put.ConditionExpression = &condition
	}
	return types.TransactWriteItem{Put: put}
}

// indexes asks each index for one entry of a partition that has none.
func (p *probe) indexes(ctx context.Context) error {
	for index, key := range map[string]string{
		item.ListIndex: item.ListPK, item.OwnerIndex: item.OwnerPK, item.UnsentIndex: item.UnsentPK, item.DueIndex: item.DuePK,
	} {
		_, err := p.client.Query(ctx, &dynamodb.QueryInput{
			TableName: &p.table, IndexName: &index, Limit: aws.Int32(1), KeyConditionExpression: aws.String("#key = :key"),
			ExpressionAttributeNames: map[string]string{"#key": key}, ExpressionAttributeValues: item.Item{":key": item.Text(p.id)},
		})
		if err != nil {
			return fmt.Errorf("index %s: %w", index, err)
		}
	}
	return nil
}
