package dynamo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"apitoken/events"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// transaction is a set of writes, applied all or nothing. DynamoDB names a
// failed condition by its position only. So failed has one error for each item,
// in the same order: the meaning of a failed condition of that item.
type transaction struct {
	table  string
	items  []types.TransactWriteItem
	failed []error
}

func (t *transaction) add(w types.TransactWriteItem, failed error) {
	t.items = append(t.items, w)
	t.failed = append(t.failed, failed)
}

// send writes the transaction. Every attempt has the same bytes and the same
// client request token, so DynamoDB applies it only once. DynamoDB remembers the
// token for ten minutes; the conditions have the same effect without a limit of
// time. The error is the meaning of the last attempt's error. unanswered says
// that an attempt may have been applied, or may still be applied.
func (s *Store) send(ctx context.Context, t *transaction) (unanswered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	in := &dynamodb.TransactWriteItemsInput{TransactItems: t.items, ClientRequestToken: aws.String(rand.Text())}
	r := &retryer{meaning: t.meaning}
	_, err = s.client.TransactWriteItems(ctx, in, func(o *dynamodb.Options) { o.Retryer = r })
	return r.unanswered, t.meaning(err)
}

var (
	// errBusy: nothing was written, and a retry may succeed.
	errBusy = errors.New("DynamoDB is busy with these items")
	// errCancelled: nothing was written, and a retry would not succeed.
	errCancelled = errors.New("DynamoDB cancelled the transaction")
)

// meaning returns what an error of TransactWriteItems means. For a cancelled
// transaction this is the failed condition's error, errBusy or errCancelled;
// every other error is returned unchanged. ErrConflict has precedence over
// ErrIDTaken: after a conflict the command is decided again, and the taken id may
// no longer matter.
func (t *transaction) meaning(err error) error {
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	reasons := make([]string, len(cancelled.CancellationReasons))
	var busy, taken bool
	for i, reason := range cancelled.CancellationReasons {
		reasons[i] = aws.ToString(reason.Code)
		switch {
		case slices.Contains(retryable, reasons[i]):
			busy = true
		case reasons[i] != "ConditionalCheckFailed" || i >= len(t.failed):
		case errors.Is(t.failed[i], events.ErrIDTaken):
			taken = true
		default:
			return t.failed[i]
		}
	}
	switch {
	case busy:
		return fmt.Errorf("%w: %s", errBusy, strings.Join(reasons, " "))
	case taken:
		return events.ErrIDTaken
	}
	return fmt.Errorf("%w: %s", errCancelled, strings.Join(reasons, " "))
}
