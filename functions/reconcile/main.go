// Command reconcile is the Lambda function that sends the messages that have
// been in the outbox for 15 minutes. A schedule starts it. publish could not
// send these messages, or sent them and could not remove them from the outbox.
//
// So no message is lost: the change stream keeps a record for a day, the outbox
// keeps a message until it is sent. The function fails if messages still wait at
// its end. Its metric Lag is the age of the oldest message that it found.
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
