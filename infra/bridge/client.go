package bridge

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// One call takes some ten seconds at most. Whoever sends from a change stream
// tries again anyway.
const (
	attempts    = 3
	attemptTime = 3 * time.Second
	maxPause    = 500 * time.Millisecond
)

// FromEnv is the client of a Lambda function. It reads what Lambda sets, by
// getenv: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN; and AWS_ENDPOINT_URL_EVENTBRIDGE or AWS_ENDPOINT_URL where
// something stands in for AWS. The error names every variable that is missing.
func FromEnv(getenv func(string) string) (*eventbridge.Client, error) {
	var missing []string
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("making an EventBridge client: not set: %s", strings.Join(missing, ", "))
	}
	o := eventbridge.Options{
		Region: getenv("AWS_REGION"),
		Credentials: fixed{
			AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
			SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment",
		},
		HTTPClient: awshttp.NewBuildableClient().WithTimeout(attemptTime),
		Retryer: retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxAttempts = attempts
			s.MaxBackoff = maxPause
		}),
	}
	if url := cmp.Or(getenv("AWS_ENDPOINT_URL_EVENTBRIDGE"), getenv("AWS_ENDPOINT_URL")); url != "" {
		o.BaseEndpoint = &url
	}
	return eventbridge.New(o), nil
}

// fixed are credentials that last as long as the process: Lambda replaces a
// sandbox before its credentials end.
type fixed aws.Credentials

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(f), nil }
