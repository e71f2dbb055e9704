package dynamo

import (
	"fmt"
	"time"

	"apitoken/infra/awsenv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// The time limits of one call. A call takes at most attempts × (attemptTime +
// maxPause), about four seconds. A commit takes at most commitTime and the one
// read that finds its outcome. API Gateway's time-out is 29 seconds.
const (
	attempts    = 3
	attemptTime = time.Second
	maxPause    = 250 * time.Millisecond
	commitTime  = 8 * time.Second
)

// Limit sets a client's time-out and number of attempts for a service with
// waiting callers.
func Limit(o *dynamodb.Options) {
	limits := awsenv.Limits{Attempts: attempts, AttemptTime: attemptTime, MaxPause: maxPause}
	o.HTTPClient, o.Retryer = limits.HTTPClient(), limits.Retryer()
}

// FromEnv returns the client of a Lambda function, see awsenv.Read.
// AWS_ENDPOINT_URL_DYNAMODB has precedence over AWS_ENDPOINT_URL. The error
// names the variables that are not set.
func FromEnv(getenv func(string) string) (*dynamodb.Client, error) {
	env, err := awsenv.Read(getenv, "DYNAMODB")
	if err != nil {
		return nil, fmt.Errorf("making a DynamoDB client: %w", err)
	}
	o := dynamodb.Options{Region: env.Region, Credentials: env.Credentials, BaseEndpoint: env.Endpoint}
	return dynamodb.New(o, Limit), nil
}
