package dynamo

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
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
	o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(attemptTime)
	o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = attempts
		s.MaxBackoff = maxPause
	})
}

// FromEnv is the client of a Lambda function. It reads what Lambda sets, by
// getenv: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN; and AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL where
// something stands in for AWS. The SDK's package config, which also knows
// files, single sign-on and instance roles, would triple the time to start.
// The error names every variable that is missing.
func FromEnv(getenv func(string) string) (*dynamodb.Client, error) {
	var missing []string
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("making a DynamoDB client: not set: %s", strings.Join(missing, ", "))
	}
	o := dynamodb.Options{
		Region: getenv("AWS_REGION"),
		Credentials: fixed{
			AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment",
		},
	}
	if url := cmp.Or(getenv("AWS_ENDPOINT_URL_DYNAMODB"), getenv("AWS_ENDPOINT_URL")); url != "" {
		o.BaseEndpoint = &url
	}
	return dynamodb.New(o, Limit), nil
}

// fixed are credentials that last as long as the process: Lambda replaces a
// sandbox before its credentials end.
type fixed aws.Credentials

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(f), nil }
