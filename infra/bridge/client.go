package bridge

import (
	"fmt"
	"time"

	"apitoken/infra/awsenv"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// limits end one call after about ten seconds at most. The caller sends again
// later: Lambda retries a batch of the change stream, and the outbox keeps the
// messages.
var limits = awsenv.Limits{Attempts: 3, AttemptTime: 3 * time.Second, MaxPause: 500 * time.Millisecond}

// Limit sets a client's time-out and number of attempts.
func Limit(o *eventbridge.Options) {
	o.HTTPClient, o.Retryer = limits.HTTPClient(), limits.Retryer()
}

// FromEnv makes the client of a Lambda function from the variables of
// awsenv.Read; the endpoint of this service is AWS_ENDPOINT_URL_EVENTBRIDGE. The
// error names every missing variable.
func FromEnv(getenv func(string) string) (*eventbridge.Client, error) {
	env, err := awsenv.Read(getenv, "EVENTBRIDGE")
	if err != nil {
		return nil, fmt.Errorf("making an EventBridge client: %w", err)
	}
	return eventbridge.New(eventbridge.Options{
		Region: env.Region, Credentials: env.Credentials, BaseEndpoint: env.Endpoint,
	}, Limit), nil
}
