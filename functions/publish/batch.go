package main

import (
	"cmp"
	"slices"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events"
	"apitoken/infra/dynamo/item"
)

// entry is one record of the change stream that is to be sent.
type entry struct {
	at      string // its sequence number in the change stream
	pk, sk  string // of the item
	message events.Message
	err     error // why the item is not a message; then it can never be sent
}

// batch is what is to be sent of one batch, in the order of the change stream.
type batch []entry

// read takes what is to be sent out of a batch: what was inserted and is a
// record or a notice.
func read(records []lambdaevents.DynamoDBEventRecord) (b batch) {
	for _, r := range records {
		if r.EventName != string(lambdaevents.DynamoDBOperationTypeInsert) {
			continue
		}
		key, err := convert(r.Change.Keys)
		if err == nil && !publishable(key) {
			continue
		}
		e := entry{at: r.Change.SequenceNumber, pk: textOf(key[item.PK]), sk: textOf(key[item.SK]), err: err}
		if err == nil {
			e.message, e.err = message(r.Change.NewImage)
		}
		b = append(b, e)
	}
	return b
}

func publishable(key item.Item) bool {
	kind := item.KindOf(key)
	return kind == item.KindRecord || kind == item.KindNotice
}

func message(image map[string]lambdaevents.DynamoDBAttributeValue) (events.Message, error) {
	it, err := convert(image)
	if err != nil {
		return events.Message{}, err
	}
	return item.ReadMessage(it)
}

// messages are what can go out, each stream in its order: a transaction's items
// may arrive swapped. What stands behind an unreadable record of its stream
// waits with it.
func (b batch) messages() (ms []events.Message) {
	unreadable := map[string]string{} // by partition, the first such record
	for _, e := range b {
		if was, ok := unreadable[e.pk]; e.err != nil && (!ok || e.sk < was) {
			unreadable[e.pk] = e.sk
		}
	}
	for _, e := range b {
		if limit, ok := unreadable[e.pk]; ok && e.sk >= limit {
			continue
		}
		ms = append(ms, e.message)
	}
	slices.SortStableFunc(ms, func(x, y events.Message) int {
		return cmp.Or(cmp.Compare(x.Stream, y.Stream), cmp.Compare(x.Seq, y.Seq))
	})
	return ms
}

// fault is the first reason why something can never be sent.
func (b batch) fault() error {
	for _, e := range b {
		if e.err != nil {
			return e.err
		}
	}
	return nil
}

// stuck is the place in the change stream of the first entry that was not sent.
// Lambda goes on from there: whatever stands behind it comes again, sent or
// not, so that nothing has to be named but the first.
func (b batch) stuck(took map[string]bool) (at string, found bool) {
	for _, e := range b {
		if e.err != nil || !took[e.message.ID] {
			return e.at, true
		}
	}
	return "", false
}

// sent counts what went out, and how long the slowest of it took.
func (b batch) sent(took map[string]bool, now time.Time) (n int, lag time.Duration) {
	for _, e := range b {
		if e.err == nil && took[e.message.ID] {
			n++
			lag = max(lag, now.Sub(e.message.Time))
		}
	}
	return n, lag
}
