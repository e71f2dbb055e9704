package stream

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
	pk, sk  string // the item's keys
	message events.Message
	err     error // why the item cannot be decoded; such an entry can never be sent
}

// Batch holds the entries of one batch that are to be sent, in the order of
// the change stream.
type Batch []entry

// Read returns the entries that are to be sent from a batch of Lambda: the
// records and notices that were inserted. An item that cannot be decoded
// becomes an entry with an error, so that Fault and FirstUnsent report it.
func Read(records []lambdaevents.DynamoDBEventRecord) (b Batch) {
	for _, r := range records {
		if r.EventName != string(lambdaevents.DynamoDBOperationTypeInsert) {
			continue
		}
		key, err := itemOf(r.Change.Keys)
		if err == nil && !isMessage(key) {
			continue
		}
		e := entry{at: r.Change.SequenceNumber, pk: textOf(key[item.PK]), sk: textOf(key[item.SK]), err: err}
		if err == nil {
			e.message, e.err = messageOf(r.Change.NewImage)
		}
		b = append(b, e)
	}
	return b
}

func isMessage(key item.Item) bool {
	kind := item.KindOf(key)
	return kind == item.KindRecord || kind == item.KindNotice
}

func messageOf(image map[string]lambdaevents.DynamoDBAttributeValue) (events.Message, error) {
	it, err := itemOf(image)
	if err != nil {
		return events.Message{}, err
	}
	return item.ReadMessage(it)
}

// Messages returns the messages that can be sent, each stream in its order:
// the items of one transaction may arrive in another order. It skips the
// messages after an unreadable record of their stream, because no message may
// be sent before an earlier one.
func (b Batch) Messages() (ms []events.Message) {
	unreadable := map[string]string{} // by partition key, the sort key of the first unreadable record
	for _, e := range b {
		if first, ok := unreadable[e.pk]; e.err != nil && (!ok || e.sk < first) {
			unreadable[e.pk] = e.sk
		}
	}
	for _, e := range b {
		if first, ok := unreadable[e.pk]; ok && e.sk >= first {
			continue
		}
		ms = append(ms, e.message)
	}
	slices.SortStableFunc(ms, func(x, y events.Message) int {
		return cmp.Or(cmp.Compare(x.Stream, y.Stream), cmp.Compare(x.Seq, y.Seq))
	})
	return ms
}

// Fault returns the first reason why an entry can never be sent, nil if there
// is none.
func (b Batch) Fault() error {
	for _, e := range b {
		if e.err != nil {
			return e.err
		}
	}
	return nil
}

// FirstUnsent returns the sequence number of the first entry that was not sent.
// sent has the ids of the sent messages. Lambda delivers the batch again from
// that number, sent entries included, so one number is enough.
func (b Batch) FirstUnsent(sent map[string]bool) (at string, found bool) {
	for _, e := range b {
		if !e.isSent(sent) {
			return e.at, true
		}
	}
	return "", false
}

// CountSent counts the entries that were sent, and returns the age of their
// oldest message. sent has the ids of the sent messages.
func (b Batch) CountSent(sent map[string]bool, now time.Time) (n int, lag time.Duration) {
	for _, e := range b {
		if e.isSent(sent) {
			n++
			lag = max(lag, now.Sub(e.message.Time))
		}
	}
	return n, lag
}

func (e entry) isSent(sent map[string]bool) bool { return e.err == nil && sent[e.message.ID] }
