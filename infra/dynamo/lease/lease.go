// Package lease implements lease.Store in the DynamoDB table: one item for each lease.
// Only `apitoken serve --table` uses it, so no Lambda function links it.
package lease

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events/lease"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Store has the leases of a table. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	table  string
}

var _ lease.Store = (*Store)(nil)

// New returns the leases of a table.
func New(client *dynamodb.Client, table string) *Store { return &Store{client, table} }

// Lease is one consistent GetItem.
func (s *Store) Lease(ctx context.Context, name string) (lease.Entry, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: item.LeaseKey(name), ConsistentRead: aws.Bool(true)})
	if err != nil || out.Item == nil {
		return lease.Entry{}, err
	}
	return item.ReadLease(out.Item)
}

// Take is one conditional PutItem.
func (s *Store) Take(ctx context.Context, name string, seen, next lease.Entry) (bool, error) {
	in := &dynamodb.PutItemInput{TableName: &s.table, Item: item.Lease(name, next), ConditionExpression: aws.String("attribute_not_exists(PK)")}
	if seen.Holder != "" {
		in.ConditionExpression = aws.String("#holder = :holder AND #beat = :beat")
		in.ExpressionAttributeNames, in.ExpressionAttributeValues = names, values(seen)
	}
	return s.put(ctx, in)
}

// Renew is one conditional PutItem.
func (s *Store) Renew(ctx context.Context, name string, next lease.Entry) (bool, error) {
	return s.put(ctx, &dynamodb.PutItemInput{
		TableName: &s.table, Item: item.Lease(name, next), ConditionExpression: aws.String("#holder = :holder AND #beat <= :beat"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values(next),
	})
}

// Release is one conditional DeleteItem.
func (s *Store) Release(ctx context.Context, name, holder string) error {
	_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &s.table, Key: item.LeaseKey(name), ConditionExpression: aws.String("#holder = :holder"),
		ExpressionAttributeNames:  map[string]string{"#holder": item.LeaseHolder},
		ExpressionAttributeValues: item.Item{":holder": item.Text(holder)},
	})
	if _, err := outcome(err); err != nil {
		return fmt.Errorf("removing the lease %s: %w", name, err)
	}
	return nil
}

var names = map[string]string{"#holder": item.LeaseHolder, "#beat": item.LeaseBeat}

func values(e lease.Entry) item.Item {
	return item.Item{":holder": item.Text(e.Holder), ":beat": item.Number(e.Beat)}
}

func (s *Store) put(ctx context.Context, in *dynamodb.PutItemInput) (bool, error) {
	_, err := s.client.PutItem(ctx, in)
	return outcome(err)
}

// outcome is false for a condition that failed.
func outcome(err error) (bool, error) {
	if _, failed := errors.AsType[*types.ConditionalCheckFailedException](err); failed {
		return false, nil
	}
	return err == nil, err
}
