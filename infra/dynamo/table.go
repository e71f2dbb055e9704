package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table describes the table: its keys, its four sparse indexes and the change
// stream from which events are published. The deployment's template has the same
// definition. Only the template sets point-in-time recovery, encryption and
// deletion protection.
func Table(name string) *dynamodb.CreateTableInput {
	return &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keys(item.PK, item.SK),
		AttributeDefinitions: texts(
			item.PK, item.SK, item.ListPK, item.ListSK, item.OwnerPK, item.UnsentPK, item.UnsentSK, item.DuePK, item.DueSK),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{
			{
				IndexName: aws.String(item.ListIndex), KeySchema: keys(item.ListPK, item.ListSK),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: item.ListAttributes},
			},
			{
				IndexName: aws.String(item.OwnerIndex), KeySchema: keys(item.OwnerPK, item.OwnerSK),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: item.OwnerAttributes},
			},
			{
				IndexName: aws.String(item.UnsentIndex), KeySchema: keys(item.UnsentPK, item.UnsentSK),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			},
			{
				IndexName: aws.String(item.DueIndex), KeySchema: keys(item.DuePK, item.DueSK),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: item.DueAttributes},
			},
		},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	}
}

// TimeToLive names the attribute by which DynamoDB deletes items after their
// time.
func TimeToLive(name string) *dynamodb.UpdateTimeToLiveInput {
	return &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(item.TTL), Enabled: aws.Bool(true)},
	}
}

// tableReady is the maximum wait for a new table. AWS needs about ten seconds.
const tableReady = 2 * time.Minute

// CreateTable creates the table where no template does: in tests and on a local
// engine. It returns when the table can be used. It does not change an existing
// table of that name, except for the time to live, which it enables.
func CreateTable(ctx context.Context, client *dynamodb.Client, name string) error {
	_, err := client.CreateTable(ctx, Table(name))
	if _, exists := errors.AsType[*types.ResourceInUseException](err); err != nil && !exists {
		return fmt.Errorf("creating table %s: %w", name, err)
	}
	ready := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = maxPause })
	if err := ready.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tableReady); err != nil {
		return fmt.Errorf("waiting for table %s: %w", name, err)
	}
	if err := enableTTL(ctx, client, name); err != nil {
		return fmt.Errorf("setting the time to live of table %s: %w", name, err)
	}
	return nil
}

// enableTTL reads the setting first, because DynamoDB refuses to enable it
// twice.
func enableTTL(ctx context.Context, client *dynamodb.Client, name string) error {
	out, err := client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return err
	}
	if d := out.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == types.TimeToLiveStatusEnabled || d.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		return nil
	}
	_, err = client.UpdateTimeToLive(ctx, TimeToLive(name))
	return err
}

func keys(partition, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &partition, KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}

func texts(names ...string) []types.AttributeDefinition {
	var ds []types.AttributeDefinition
	for _, name := range names {
		ds = append(ds, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	return ds
}
