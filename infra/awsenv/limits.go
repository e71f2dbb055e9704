package awsenv

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// idleTime is the time after which a kept connection is not used again. AWS
	// closes idle connections before the SDK's default of 90 seconds: DynamoDB was
	// seen to do so after 60 (aws-sdk-java#1365), other services do so earlier
	// (aws-sdk-go-v2#3423). A sandbox that Lambda has frozen does not notice
	// (aws-sdk-js-v3#1196). A request on a closed connection fails, or waits for the
	// whole AttemptTime if the network drops its packets. A new connection takes a
	// few milliseconds. net/http compares the wall clock, so the time in which the
	// sandbox was frozen counts.
	idleTime = 20 * time.Second

	// firstPause limits the first pause after a failure that is not throttling. It
	// is short because most such failures are a connection that AWS has closed.
	firstPause = 20 * time.Millisecond
)

// Limits are the time and the number of attempts of one call. They are short
// because the clients of our service wait for the call.
type Limits struct {
	Attempts    int           // 1: no retry
	AttemptTime time.Duration // maximum of one attempt
	MaxPause    time.Duration // maximum between two attempts
}

// HTTPClient returns an HTTP client that ends an attempt after AttemptTime, and
// uses no connection that was idle for 20 seconds.
func (l Limits) HTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(l.AttemptTime).
		WithTransportOptions(func(t *http.Transport) { t.IdleConnTimeout = idleTime })
}

// Retryer returns the SDK's standard retryer with these limits.
func (l Limits) Retryer() aws.Retryer {
	return retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = l.Attempts
		// The SDK's own pauses are not random if MaxBackoff is less than a second.
		s.Backoff = retry.BackoffDelayerFunc(l.pause)
	})
}

// throttling recognizes the errors that the SDK's retryer sees as throttling.
var throttling = retry.IsErrorThrottles(retry.DefaultThrottles)

// pause is the random time to wait after an attempt. The first attempt is 1. After
// throttling, a short pause would only meet the throttling again.
func (l Limits) pause(attempt int, err error) (time.Duration, error) {
	longest := firstPause << min(attempt-1, 10)
	if throttling.IsErrorThrottle(err).Bool() {
		longest = l.MaxPause
	}
	return rand.N(max(1, min(longest, l.MaxPause))), nil
}
