package dynamo

import (
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Table describes a new table: its keys, its four sparse indexes, the change
// stream from which events are published, deletion protection, and the encryption
// with a key that AWS owns. TimeToLive and Recovery are the settings that a table
// gets by calls of their own. The deployment's template has the same definition, and a
// test compares them. The package newtable makes the table.
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
		StreamSpecification:       &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
		SSESpecification:          &types.SSESpecification{Enabled: aws.Bool(false)},
		DeletionProtectionEnabled: aws.Bool(true),
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

// Recovery keeps what is needed to restore the table to a moment of the last 35
// days.
func Recovery(name string) *dynamodb.UpdateContinuousBackupsInput {
	return &dynamodb.UpdateContinuousBackupsInput{
		TableName:                        &name,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
	}
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
