package item

import (
	"fmt"
	"strings"
	"time"

	"apitoken/events"
)

const (
	replySealed = "sealed"
	replyAt     = "at"
)

// replyKept is how long a reply is valid after its own time. DynamoDB may delete
// it much later, so a reader of a reply must compare the time.
const replyKept = 24 * time.Hour

// Reply returns a sealed reply as an item.
func Reply(rp events.Reply) Item {
	it := ReplyKey(rp.Key)
	putBytes(it, replySealed, rp.Sealed)
	putTime(it, replyAt, rp.At)
	putTTL(it, rp.At.Add(replyKept))
	return it
}

// ReadReply decodes an item of Reply.
func ReadReply(it Item) (events.Reply, error) {
	r := &reader{it: it}
	name, ok := strings.CutPrefix(r.mustText(PK), pkReply)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a reply"))
	}
	return events.Reply{Key: name, Sealed: r.bytes(replySealed), At: r.time(replyAt)}, r.err
}
