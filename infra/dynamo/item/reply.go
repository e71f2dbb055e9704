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

// replyKept is how long a reply is good for, by its own time. After
// that it is garbage, and whoever reads it compares the time.
const replyKept = 24 * time.Hour

// Reply is a sealed reply as an item.
func Reply(rp events.Reply) Item {
	it := ReplyKey(rp.Key)
	putBytes(it, replySealed, rp.Sealed)
	putTime(it, replyAt, rp.At)
	putTTL(it, rp.At.Add(replyKept))
	return it
}

// ReadReply reads what Reply gave.
func ReadReply(it Item) (events.Reply, error) {
	r := &reader{it: it}
	name, ok := strings.CutPrefix(r.mustText(PK), pkReply)
	if !ok {
		r.fail(PK, fmt.Errorf("it is not the partition of a reply"))
	}
	return events.Reply{Key: name, Sealed: r.bytes(replySealed), At: r.time(replyAt)}, r.err
}
