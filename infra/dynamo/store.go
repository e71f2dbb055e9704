// Package dynamo implements all ports of package events in one DynamoDB table.
//
// A commit is one TransactWriteItems: it is written whole or not at all, and is
// durable when Commit returns. All reads for decisions are consistent. Lists
// and the outbox come from indexes, which lag. If DynamoDB asks for a retry, the
// package retries, with jitter. Retries end with the context and after a few
// seconds at most, so a caller gets the error before API Gateway's time-out.
//
// The package leaves the layout of the items to infra/dynamo/item, retries
// after a conflict to its callers, and credentials outside of Lambda to
// infra/dynamo/chain.
//
// Only one region may write to the table: in a global table two regions could
// each create the last token that a limit allows.
package dynamo

import (
	"apitoken/events"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Store is a table. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	table  string
}

var _ events.Store = (*Store)(nil)

// New returns a store in the table, which must have the form of Table. The
// client limits the time of one attempt and the number of attempts of a read.
// The clients of FromEnv and chain.Client have the right limits, see Limit.
func New(client *dynamodb.Client, table string) *Store {
	return &Store{client: client, table: table}
}
