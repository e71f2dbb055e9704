package dynamo

import (
	"fmt"
	"time"

	"apitoken/infra/awsenv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// The budget of one call: no call takes longer than attempts × (attemptTime +
// maxPause), some four seconds, and a commit no longer than commitTime and the
// one read that settles it. API Gateway gives up after 29 seconds.
const (
	attempts    = 3
	attemptTime = time.Second
	maxPause    = 250 * time.Millisecond
	commitTime  = 8 * time.Second
)

// Limit gives a client the time-outs and the number of attempts that suit a
// service whose callers wait.
func Limit(o *dynamodb.Options) {
	limits := awsenv.Limits{Attempts: attempts, AttemptTime: attemptTime, MaxPause: maxPause}
	o.HTTPClient, o.Retryer = limits.HTTPClient(), limits.Retryer()
}

// FromEnv is the client of a Lambda function, see awsenv.Read. The more
// special endpoint is AWS_ENDPOINT_URL_DYNAMODB.
func FromEnv(getenv func(string) string) (*dynamodb.Client, error) {
	env, err := awsenv.Read(getenv, "DYNAMODB")
	if err != nil {
		return nil, fmt.Errorf("making a DynamoDB client: %w", err)
	}
	o := dynamodb.Options{Region: env.Region, Credentials: env.Credentials, BaseEndpoint: env.Endpoint}
	return dynamodb.New(o, Limit), nil
}
