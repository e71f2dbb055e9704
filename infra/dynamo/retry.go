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

// tryAgain are the codes with which DynamoDB says that it wrote nothing and
// that the same may succeed later, of a call or of one item of a transaction.
var tryAgain = []string{
	"TransactionConflict", "TransactionConflictException",
	"ThrottlingError", "ThrottlingException", "RequestLimitExceeded",
	"ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException",
}

// inProgress is the code with which DynamoDB says that it is still at work on
// an earlier attempt.
const inProgress = "TransactionInProgressException"

// retryer decides for one transaction what is sent again, and remembers
// whether an attempt went without an answer. It is given to the SDK, because
// only there the very same bytes are sent again: the order of attributes
// changes each time that an input is encoded.
type retryer struct {
	verdict    func(error) error
	unanswered bool // some attempt may have been written, or may yet be
	silent     int  // how many attempts had no answer at all
}

// IsErrorRetryable is asked once after each failed attempt.
func (r *retryer) IsErrorRetryable(err error) bool {
	switch classify(r.verdict(err)) {
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

// MaxAttempts sets no limit: the context does, and IsErrorRetryable.
func (*retryer) MaxAttempts() int { return 0 }

// RetryDelay is random, so that those who collided do not collide again.
func (*retryer) RetryDelay(attempt int, _ error) (time.Duration, error) { return pause(attempt), nil }

// GetRetryToken never refuses: what limits retries is the time.
func (*retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return released, nil
}

// GetInitialToken never refuses.
func (*retryer) GetInitialToken() func(error) error { return released }

func released(error) error { return nil }

// pause is the random time to wait after the given attempt, the first being 1.
func pause(attempt int) time.Duration {
	return rand.N(min(maxPause, 10*time.Millisecond<<min(attempt, 10)))
}

// wait pauses after the given attempt, or until the context ends.
func wait(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause(attempt)):
		return nil
	}
}

// outcome is what is known of an attempt that failed.
type outcome int

const (
	outcomeRefused outcome = iota // nothing was written, and trying again is no use
	outcomeBusy                   // nothing was written, but later it may be
	outcomePending                // an earlier attempt is still at work
	outcomeUnknown                // anything is possible
)

// classify takes what verdict gave. What DynamoDB answered with a 4xx it has
// not done. Everything else (no answer, a 5xx, an answer that cannot be read,
// a time-out) may have been done or may be done later.
func classify(err error) outcome {
	switch code := codeOf(err); {
	case err == nil, errors.Is(err, events.ErrConflict), errors.Is(err, events.ErrIDTaken), errors.Is(err, errCancelled):
		return outcomeRefused
	case errors.Is(err, errBusy), slices.Contains(tryAgain, code):
		return outcomeBusy
	case code == inProgress:
		return outcomePending
	}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode()/100 == http.StatusBadRequest/100 {
		return outcomeRefused
	}
	return outcomeUnknown
}

// codeOf is the code of an error that AWS answered, and empty for any other.
func codeOf(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}
