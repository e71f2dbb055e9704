package dynamo_test

import (
	"crypto/rand"
	"testing"

	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestCreateTableAgreesWithTable also calls CreateTable a second time.
func TestCreateTableAgreesWithTable(t *testing.T) {
	c := client(t)
	table := "apitoken-" + rand.Text()
	dropAfter(t, c, table)
	for range 2 {
		if err := dynamo.CreateTable(t.Context(), c, table); err != nil {
			t.Fatal(err)
		}
	}
	ttl, err := c.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.AttributeName == nil || *d.AttributeName != item.TTL || d.TimeToLiveStatus != types.TimeToLiveStatusEnabled {
		t.Errorf("the time to live: got %+v", d)
	}
	out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(out.Table.GlobalSecondaryIndexes), len(dynamo.Table(table).GlobalSecondaryIndexes); got != want {
		t.Errorf("got %d indexes, want %d", got, want)
	}
	if s := out.Table.StreamSpecification; s == nil || s.StreamViewType != types.StreamViewTypeNewImage {
		t.Errorf("the stream: got %+v, want new images", s)
	}
}
