// Package chain makes a DynamoDB client with the default credential chain of
// AWS's own tools: variables, shared files, single sign-on, an instance's role.
// The first source that has credentials is used.
//
// It is separate from infra/dynamo because of the packages that it links. A
// Lambda function does not need them, and each start would be slower with them.
package chain

import (
	"context"
	"fmt"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client returns a client with the region, credentials and endpoint of the
// default chain, and with the limits of dynamo.Limit.
func Client(ctx context.Context) (*dynamodb.Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	return dynamodb.NewFromConfig(c, dynamo.Limit), nil
}
