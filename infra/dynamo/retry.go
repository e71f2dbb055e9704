package dynamo

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"apitoken/events"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// retryable has the error codes, of a call or of one item of a transaction,
// that mean: nothing was written, and a retry may succeed.
var retryable = []string{
	"TransactionConflict", "TransactionConflictException",
	"ThrottlingError", "ThrottlingException", "RequestLimitExceeded",
	"ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException",
}

// inProgress is the error code that means: DynamoDB still works on an earlier
// attempt.
const inProgress = "TransactionInProgressException"

// retryer decides whether one transaction is sent again, and remembers whether
// an attempt had no answer. The SDK runs it, because only the SDK sends exactly
// the same bytes again: the order of attributes changes with each encoding of
// an input.
type retryer struct {
	meaning    func(error) error // of an attempt's error
	unanswered bool              // an attempt may have been applied, or may still be
	silent     int               // the number of attempts with an unknown outcome
}

// IsErrorRetryable is asked once after each failed attempt.
func (r *retryer) IsErrorRetryable(err error) bool {
	switch classify(r.meaning(err)) {
	case outcomeBusy:
		return true
	case outcomePending:
		r.unanswered = true
		return true
	case outcomeUnknown:
		r.unanswered = true
		r.silent++
		return r.silent < attempts
	}
	return false
}

// MaxAttempts sets no limit: the context and IsErrorRetryable end the retries.
func (*retryer) MaxAttempts() int { return 0 }

// RetryDelay is random, so that writers that collided do not collide again.
func (*retryer) RetryDelay(attempt int, _ error) (time.Duration, error) { return pause(attempt), nil }

// GetRetryToken allows every retry: only time limits the retries.
func (*retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return released, nil
}

// GetInitialToken implements aws.Retryer. Its token has no effect, because there
// is no quota of retries.
func (*retryer) GetInitialToken() func(error) error { return released }

func released(error) error { return nil }

// pause is the random time to wait after an attempt. The first attempt is 1.
func pause(attempt int) time.Duration {
	return rand.N(min(maxPause, 10*time.Millisecond<<min(attempt, 10)))
}

// wait sleeps for the pause after an attempt, or until the context ends.
func wait(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause(attempt)):
		return nil
	}
}

// outcome is what an attempt that failed has done to the table.
type outcome int

const (
	outcomeRefused outcome = iota // nothing was written, and a retry would not succeed
	outcomeBusy                   // nothing was written, and a retry may succeed
	outcomePending                // DynamoDB still works on an earlier attempt
	outcomeUnknown                // the attempt may have been applied, or may still be
)

// classify takes the meaning of an error. DynamoDB did not apply a call that it
// answered with a 4xx. In all other cases (no answer, a 5xx, an unreadable
// answer, a time-out) the call may have been applied, or may be applied later.
func classify(err error) outcome {
	switch code := codeOf(err); {
	case err == nil, errors.Is(err, events.ErrConflict), errors.Is(err, events.ErrIDTaken), errors.Is(err, errCancelled):
		return outcomeRefused
	case errors.Is(err, errBusy), slices.Contains(retryable, code):
		return outcomeBusy
	case code == inProgress:
		return outcomePending
	}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode()/100 == http.StatusBadRequest/100 {
		return outcomeRefused
	}
	return outcomeUnknown
}

// codeOf returns the error code in an answer of AWS, and "" for other errors.
func codeOf(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}
