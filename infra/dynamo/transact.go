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

// transaction is what is written all or nothing. DynamoDB says why it refused
// one by position only, so failed has for each item, in the same order, what it
// means if that item's condition failed.
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
// client request token, so DynamoDB takes it once however often it is sent
// (for ten minutes; the conditions do the same for ever). The error is what
// verdict makes of the last attempt's; unanswered says that some attempt may
// have been written, or may still be.
func (s *Store) send(ctx context.Context, t *transaction) (unanswered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	in := &dynamodb.TransactWriteItemsInput{TransactItems: t.items, ClientRequestToken: aws.String(rand.Text())}
	r := &retryer{verdict: t.verdict}
	_, err = s.client.TransactWriteItems(ctx, in, func(o *dynamodb.Options) { o.Retryer = r })
	return r.unanswered, t.verdict(err)
}

var (
	// errBusy: nothing was written, and DynamoDB asks to be tried again.
	errBusy = errors.New("DynamoDB is busy with these items")
	// errCancelled: nothing was written, for a reason that trying again keeps.
	errCancelled = errors.New("DynamoDB cancelled the transaction")
)

// verdict says what an error of TransactWriteItems means: if the transaction
// was cancelled, the failed condition's error, or errBusy, or errCancelled;
// every other error is itself. A stream that moved on says more than an id that
// is taken: only the first tells whether the second still matters.
func (t *transaction) verdict(err error) error {
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return err
	}
	reasons := make([]string, len(cancelled.CancellationReasons))
	var busy, taken bool
	for i, reason := range cancelled.CancellationReasons {
		reasons[i] = aws.ToString(reason.Code)
		switch {
		case slices.Contains(tryAgain, reasons[i]):
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
