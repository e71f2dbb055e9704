// Command publish is the Lambda function behind the table's change stream: it
// puts what was written onto the event bus.
//
// It sends inserted records and notices and nothing else: what is changed or
// removed, by whomever or by DynamoDB's time to live, is no event. Of each
// owner's records, none goes out before its predecessor was taken; what one
// owner's cannot, holds nobody else up. What was sent is taken out of the
// outbox; what was not is answered by its sequence number, so that Lambda hands
// the batch out again from there. Everything behind it then comes again too,
// and may be sent twice.
//
// One thing breaks the order: once Lambda's retries have given a batch up, the
// owner's later events go out, and those of the batch follow when the
// reconciler sends them. Holding the owner back would keep every later event
// from its consumers for as long; they have the sequence to order by.
package main

import (
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/outbound"
)

func main() {
	outbound.Run("publish", func(f wiring.Function, bus events.Bus) lambda.Handler {
		p := &publisher{bus: bus, outbox: f.Store, log: f.Log, now: time.Now}
		return lambda.NewHandler(p.publish)
	})
}
