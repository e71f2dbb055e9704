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
// batch again from that record. Later records of the batch come again too, so a
// record may be sent twice.
//
// In one case the order breaks. When Lambda has used all retries of a batch, it
// goes on, and the owner's later events are sent. The events of the batch follow
// when reconcile sends them. The function does not hold the later events back:
// consumers would have to wait for all of them. Consumers can order events by
// their sequence.
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
