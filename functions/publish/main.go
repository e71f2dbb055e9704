// Command publish is the Lambda function of the table's change stream. It sends
// new records and notices to the event bus.
//
// It sends only inserted records and notices. An item that was changed or
// removed, by a caller or by DynamoDB's time to live, is not an event. The
// records of an owner are sent one after the other: a record is sent only after
// the bus accepted the record before it. A record that cannot be sent delays
// only its own owner.
//
// The function removes sent messages from the outbox. It returns the sequence
// number of the first record that it could not send, and Lambda delivers the
// batch again from that record. This includes the later records of the batch, so
// a record may be sent twice.
//
// In one case the events of an owner are not in order. When Lambda has used all
// retries of a batch, it continues with the next batch, and the function sends the
// owner's later events. Reconcile sends the events of the first batch afterwards.
// The function does not delay the later events, because consumers would then wait
// for all of them. Consumers can order events by their sequence.
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
