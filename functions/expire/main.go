// Command expire is the Lambda function that warns before tokens expire, and
// records expiries that have passed. A schedule starts it each hour. A run catches
// up with missed ones. Time alone decides whether a token passes, so no call waits
// for this function.
//
// It puts warnings into the outbox and expiries into the log; the change stream
// publishes both. It stops before Lambda would end it, and the next run goes on. It
// fails if it stopped, or if some tokens could not be handled; the others are
// handled then.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/issuer"
	"apitoken/events/sweep"
	"apitoken/functions/wiring"
)

// parallel is more than in a server: nothing else runs in this process, and it mostly
// waits for DynamoDB.
const parallel = 16

func main() { wiring.Run("expire", build) }

func build(f wiring.Function) (lambda.Handler, error) {
	return lambda.NewHandler(newExpirer(f, time.Now).handle), nil
}

func newExpirer(f wiring.Function, now func() time.Time) *expirer {
	i := issuer.New(issuer.Config{Store: f.Store, Keys: f.Keys, Now: now, Logger: f.Log})
	s := sweep.New(sweep.Config{Store: f.Store, Issuer: i, Keys: f.Keys, Now: now, Logger: f.Log, Parallel: parallel})
	return &expirer{run: s.Run, log: f.Log, now: now}
}
