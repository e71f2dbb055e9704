package dynamo

import (
	"context"
	"fmt"

	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TokenIDs calls f for the id of each token that has a view, in one of n segments
// of the table. The segments are numbered from 0. It returns the first error of f.
//
// It is a Scan that reads keys only, and asks for them by name: a role can allow
// just such a Scan (IAM User Guide, "Amazon DynamoDB: Allows access to specific
// attributes"). DynamoDB bills a Scan by the size of the items, not of the keys.
func (s *Store) TokenIDs(ctx context.Context, segment, n int, f func(id string) error) error {
	in := &dynamodb.ScanInput{
		TableName: &s.table, Segment: aws.Int32(int32(segment)), TotalSegments: aws.Int32(int32(n)),
		Select: types.SelectSpecificAttributes, ProjectionExpression: aws.String("PK, SK"),
	}
	for {
		out, err := s.client.Scan(ctx, in)
		if err != nil {
			return fmt.Errorf("reading the ids of the tokens, segment %d of %d: %w", segment, n, err)
		}
		for _, it := range out.Items {
			if id, ok := item.TokenID(it); ok {
				if err := f(id); err != nil {
					return err
				}
			}
		}
		if out.LastEvaluatedKey == nil {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}
