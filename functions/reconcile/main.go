// Command reconcile is the Lambda function that, on a schedule, sends again
// what has waited in the outbox for 15 minutes: what the change stream's
// function could not send, or sent without being able to note it.
//
// So that nothing is lost: the change stream forgets after a day, the outbox
// does not. It fails if something still waits at its end, and its metric Lag is
// the age of the oldest message that it found waiting.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/outbound"
)

func main() {
	outbound.Run("reconcile", func(f wiring.Function, bus events.Bus) lambda.Handler {
		r := &reconciler{bus: bus, outbox: f.Store, log: f.Log, now: time.Now}
		return lambda.NewHandler(r.reconcile)
	})
}
