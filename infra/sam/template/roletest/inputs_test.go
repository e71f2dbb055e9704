package roletest_test

import (
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func update(pk, sk, expression string) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{TableName: aws.String(log), Key: item.Key(pk, sk), UpdateExpression: &expression}
}

func get(pk string) *dynamodb.GetItemInput {
	return &dynamodb.GetItemInput{TableName: aws.String(log), Key: item.Key(pk, "HEAD")}
}

func put(table, pk string) *dynamodb.PutItemInput {
	return &dynamodb.PutItemInput{TableName: &table, Item: item.Key(pk, "x")}
}

func query(table, index, condition, key string) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: &condition, ExpressionAttributeValues: item.Item{":v": item.Text(key)}}
	if index != "" {
		in.IndexName = &index
	}
	return in
}

func transaction(parts ...types.TransactWriteItem) *dynamodb.TransactWriteItemsInput {
	return &dynamodb.TransactWriteItemsInput{TransactItems: parts}
}

func putPart(pk string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: aws.String(log), Item: item.Key(pk, "x")}}
}

// returning changes the ReturnValues of an update.
func returning(in *dynamodb.UpdateItemInput, v types.ReturnValue) *dynamodb.UpdateItemInput {
	in.ReturnValues = v
	return in
}

// on adds a condition to an update.
func on(in *dynamodb.UpdateItemInput, condition string) *dynamodb.UpdateItemInput {
	in.ConditionExpression = &condition
	return in
}

// aliased replaces the names of an update.
func aliased(in *dynamodb.UpdateItemInput, names map[string]string) *dynamodb.UpdateItemInput {
	in.ExpressionAttributeNames = names
	return in
}

func batch(pks ...string) *dynamodb.BatchGetItemInput {
	var keys []map[string]types.AttributeValue
	for _, pk := range pks {
		keys = append(keys, item.Key(pk, "x"))
	}
	return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{log: {Keys: keys}}}
}

// scan asks for some attributes, for all if there are none.
func scan(table, attributes string, kind types.Select) *dynamodb.ScanInput {
	in := &dynamodb.ScanInput{TableName: &table, Select: kind}
	if attributes != "" {
		in.ProjectionExpression = &attributes
	}
	return in
}

// filtered adds a filter to a Scan.
func filtered(in *dynamodb.ScanInput, filter string) *dynamodb.ScanInput {
	in.FilterExpression = &filter
	return in
}
