// Package chain makes an EventBridge client with the default credential chain of AWS's
// own tools, as infra/dynamo/chain does for the table. It is separate from infra/bridge
// for the same reason: a Lambda function must not link what it imports.
package chain

import (
	"context"
	"fmt"

	"apitoken/infra/bridge"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// Client returns a client with the region, credentials and endpoint of the default
// chain, and with the limits of bridge.Limit. AWS_ENDPOINT_URL_EVENTBRIDGE has
// precedence over AWS_ENDPOINT_URL.
func Client(ctx context.Context) (*eventbridge.Client, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	return eventbridge.NewFromConfig(c, bridge.Limit), nil
}
