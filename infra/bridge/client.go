package bridge

import (
	"fmt"
	"time"

	"apitoken/infra/awsenv"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// One call takes some ten seconds at most. Whoever sends from a change stream
// tries again anyway.
var limits = awsenv.Limits{Attempts: 3, AttemptTime: 3 * time.Second, MaxPause: 500 * time.Millisecond}

// FromEnv is the client of a Lambda function, see awsenv.Read. The more
// special endpoint is AWS_ENDPOINT_URL_EVENTBRIDGE.
func FromEnv(getenv func(string) string) (*eventbridge.Client, error) {
	env, err := awsenv.Read(getenv, "EVENTBRIDGE")
	if err != nil {
		return nil, fmt.Errorf("making an EventBridge client: %w", err)
	}
	return eventbridge.New(eventbridge.Options{
		Region: env.Region, Credentials: env.Credentials, BaseEndpoint: env.Endpoint,
		HTTPClient: limits.HTTPClient(), Retryer: limits.Retryer(),
	}), nil
}
