package stream

import (
	"fmt"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/infra/dynamo/item"
)

// itemOf converts the attribute values of Lambda's events to those of the SDK:
// they are different types (github.com/aws/aws-lambda-go issue 58). It accepts
// only the attribute types that our items have.
func itemOf(image map[string]lambdaevents.DynamoDBAttributeValue) (item.Item, error) {
	it := make(item.Item, len(image))
	for name, v := range image {
		value, err := attribute(v)
		if err != nil {
			return nil, fmt.Errorf("attribute %q of a stream record: %w", name, err)
		}
		it[name] = value
	}
	return it, nil
}

func attribute(v lambdaevents.DynamoDBAttributeValue) (types.AttributeValue, error) {
	switch v.DataType() {
	case lambdaevents.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}, nil
	case lambdaevents.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}, nil
	case lambdaevents.DataTypeBinary:
		return &types.AttributeValueMemberB{Value: v.Binary()}, nil
	case lambdaevents.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}, nil
	case lambdaevents.DataTypeList:
		return list(v.List())
	}
	return nil, fmt.Errorf("its type %d is unknown; allowed: string, number, binary, boolean, list", v.DataType())
}

func list(values []lambdaevents.DynamoDBAttributeValue) (types.AttributeValue, error) {
	l := &types.AttributeValueMemberL{Value: make([]types.AttributeValue, len(values))}
	for i, v := range values {
		var err error
		if l.Value[i], err = attribute(v); err != nil {
			return nil, fmt.Errorf("element %d of a list: %w", i, err)
		}
	}
	return l, nil
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
