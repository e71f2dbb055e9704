// Package awsenv reads what a client of an AWS service needs from the
// environment of a Lambda function, and from nowhere else. The SDK's package
// config, which also knows files, single sign-on and instance roles, would
// triple the time that a function takes to start.
package awsenv

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Env is where a client goes and who it is.
type Env struct {
	Region      string
	Credentials aws.CredentialsProvider
	Endpoint    *string // nil: AWS itself
}

// Read reads what Lambda sets, by getenv: AWS_REGION, AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; and, where something stands in
// for AWS, AWS_ENDPOINT_URL_SERVICE or AWS_ENDPOINT_URL. The service is in
// capitals, as in the variable. The error names every variable that is missing.
func Read(getenv func(string) string, service string) (Env, error) {
	var missing []string
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return Env{}, errors.New("not set: " + strings.Join(missing, ", "))
	}
	e := Env{Region: getenv("AWS_REGION"), Credentials: fixed{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment",
	}}
	if url := cmp.Or(getenv("AWS_ENDPOINT_URL_"+service), getenv("AWS_ENDPOINT_URL")); url != "" {
		e.Endpoint = &url
	}
	return e, nil
}

// fixed are credentials that last as long as the process: Lambda replaces a
// sandbox before its credentials end.
type fixed aws.Credentials

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(f), nil }

// Limits are the time and the number of attempts that one call may take, for a
// service whose callers wait.
type Limits struct {
	Attempts    int
	AttemptTime time.Duration
	MaxPause    time.Duration // between attempts
}

// HTTPClient is a transport that keeps the time.
func (l Limits) HTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(l.AttemptTime)
}

// Retryer is the SDK's standard one with the limits.
func (l Limits) Retryer() aws.Retryer {
	return retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = l.Attempts
		s.MaxBackoff = l.MaxPause
	})
}
