// Package dynamo keeps all ports of package events in one DynamoDB table.
//
// A commit is one TransactWriteItems: it is written whole or not at all, and is
// durable once it is answered. Everything a decision rests on is read
// consistently; lists and the outbox come from indexes, which lag. Whatever
// DynamoDB asks to be tried again is tried again here, with jitter, inside the
// time that the context leaves, and at most a few seconds, so that a caller has
// its error before API Gateway gives up.
//
// The package leaves the layout of the items to infra/dynamo/item, retries of
// a conflict to its callers, and the credentials of anything but a Lambda
// function to infra/dynamo/chain.
//
// It is made for a table with one writing region: in a global table two
// regions could each admit the last slot.
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

// New keeps the ports in the table, which Table describes. How long a single
// attempt may take and how often a read is tried is the client's affair: those
// of FromEnv and chain.Client have the right limits, see Limit.
func New(client *dynamodb.Client, table string) *Store {
	return &Store{client: client, table: table}
}
