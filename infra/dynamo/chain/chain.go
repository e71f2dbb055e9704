// Package chain makes a DynamoDB client as AWS's own tools do: from variables,
// shared files, single sign-on or an instance's role, whichever comes first.
//
// It stands apart from infra/dynamo for what it links: a Lambda function has
// no use for any of this and would pay for it at every start.
package chain

import (
	"context"
	"fmt"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Client is a client with the default chain's region, credentials and endpoint
// and with dynamo's limits.
func Client(ctx context.Context) (*dynamodb.Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	return dynamodb.NewFromConfig(c, dynamo.Limit), nil
}
