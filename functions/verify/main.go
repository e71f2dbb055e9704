// Command verify is the Lambda function that compares the token table with the
// audit table once a day. It finds what a writer of the token table can do without
// the peppers: put back a whole older view or head, or delete items.
//
// A finding is an error in the log and a metric with an alarm, and not a failure
// of the function. The function stops before Lambda would end it. Its metric
// Unverified counts the parts of the tables that it could not compare, with an
// alarm. It reads both tables, writes neither, and has no pepper.
package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/events/audit/compare"
	"apitoken/functions/wiring"
	"apitoken/infra/awsenv"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
)

func main() { wiring.Run("verify", build) }

// build reads the environment: AUDIT_TABLE, and the variables of the client.
func build(f wiring.Function) (lambda.Handler, error) {
	client, err := dynamo.FromEnv(f.Getenv)
	table := f.Getenv("AUDIT_TABLE")
	if table == "" {
		err = errors.Join(errors.New("AUDIT_TABLE: it is not set"), err)
	}
	if err != nil {
		return nil, err
	}
	patient := dynamodb.New(client.Options(), limit)
	v := newVerifier(dynamo.New(patient, f.Table), copies.New(patient, table), f.Log)
	return lambda.NewHandler(v.handle), nil
}

// limit sets the limits of one call. No caller waits for this function, and a page
// of a Scan takes longer than the read of an item.
func limit(o *dynamodb.Options) {
	limits := awsenv.Limits{Attempts: 8, AttemptTime: 10 * time.Second, MaxPause: 5 * time.Second}
	o.HTTPClient, o.Retryer = limits.HTTPClient(), limits.Retryer()
}

func newVerifier(store *dynamo.Store, table *copies.Table, log *slog.Logger) *verifier {
	return &verifier{
		compare:  compare.Comparison{Store: store, Copies: table, Now: time.Now},
		streams:  table.StreamsIn,
		ids:      store.TokenIDs,
		segments: segments, log: log, now: time.Now,
	}
}
