package lease_test

import (
	"errors"
	"testing"

	"apitoken/events"
	"apitoken/events/lease"
	"apitoken/events/lease/leasetest"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
	tablelease "apitoken/infra/dynamo/lease"
	"apitoken/localstack/engines"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

func TestKeepsThePromisesOfAStore(t *testing.T) {
	client := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, client)
	leasetest.Run(t, func(*testing.T) lease.Store { return tablelease.New(client, table) })
}

// TestADamagedLeaseIsAnError that names the item. It is taken when it is removed.
func TestADamagedLeaseIsAnError(t *testing.T) {
	client := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, client)
	damaged := item.LeaseKey("relay")
	damaged[item.LeaseHolder] = item.Number(7)
	if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: damaged}); err != nil {
		t.Fatal(err)
	}
	s := tablelease.New(client, table)
	if e, err := s.Lease(t.Context(), "relay"); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("got %+v, %v, want ErrDamaged", e, err)
	}
	if ok, err := s.Take(t.Context(), "relay", lease.Entry{}, lease.Entry{Holder: "a", Beat: 1}); ok || err != nil {
		t.Errorf("taking it as if it was not there: got %v, %v", ok, err)
	}
}
