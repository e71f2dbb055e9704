package item

import (
	"fmt"
	"strings"

	"apitoken/events"
)

// ReplySealed is the attribute with the sealed bytes of a reply.
const ReplySealed = "sealed"

const replyAt = "at"

// Reply returns a sealed reply as an item. DynamoDB may delete the item much later
// than its ttl, so a reader of a reply must compare the time.
func Reply(rp events.Reply) Item {
	it := ReplyKey(rp.Key)
	putBytes(it, ReplySealed, rp.Sealed)
	putTime(it, replyAt, rp.At)
	putTTL(it, rp.At.Add(events.ReplyValid))
	return it
}

// ReadReply decodes an item of Reply.
func ReadReply(it Item) (events.Reply, error) {
	r := &reader{it: it}
	name, ok := strings.CutPrefix(r.mustText(PK), pkReply)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a reply"))
	}
	return events.Reply{Key: name, Sealed: r.bytes(ReplySealed), At: r.time(replyAt)}, r.err
}
