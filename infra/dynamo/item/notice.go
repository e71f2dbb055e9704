package item

import (
	"fmt"
	"strings"
	"time"

	"apitoken/events"
)

const (
	noticeType    = "type"
	noticeV       = "v"
	noticeAt      = "at"
	noticeSubject = "subject"
	noticeCommand = "command"
	noticeActor   = "actor"
	noticeTokenID = "token_id"
	noticeData    = "data"
)

// noticeKept is how long the item of a notice is kept, at least. During this time,
// and before its KeepUntil, the same notice cannot be put again.
const noticeKept = 30 * 24 * time.Hour

// Notice returns a notice as an item that is not yet sent.
func Notice(m events.Message) Item {
	it := Key(pkNotice+m.ID, skNotice)
	putText(it, noticeType, m.Type)
	it[noticeV] = integer(m.V)
	putTime(it, noticeAt, m.Time)
	putText(it, noticeSubject, m.Subject)
	putText(it, noticeCommand, m.Command)
	putText(it, noticeActor, m.Actor)
	putText(it, noticeTokenID, m.TokenID)
	putBytes(it, noticeData, m.Data)
	kept := m.Time.Add(noticeKept)
	if m.KeepUntil.After(kept) {
		kept = m.KeepUntil
	}
	putTTL(it, kept)
	putUnsent(it, m)
	return it
}

// readNotice reads no stream: a notice belongs to none. A planted notice with the
// stream of a user would wait in the lane of that user. A bus that refuses the notice
// would then keep back all events of the user.
func readNotice(it Item) (events.Message, error) {
	r := &reader{it: it}
	id, ok := strings.CutPrefix(r.mustText(PK), pkNotice)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a notice"))
	}
	m := events.Message{
		ID: id, Type: r.text(noticeType), V: int(r.number(noticeV)), Time: r.time(noticeAt),
		Subject: r.text(noticeSubject),
		Command: r.text(noticeCommand), Actor: r.text(noticeActor), TokenID: r.text(noticeTokenID), Data: r.bytes(noticeData),
	}
	// A function that checks tokens may write the partitions of one type of notice.
	// Without this check it could publish messages of every type.
	if kind, _, _ := strings.Cut(id, "/"); m.Type != kind {
		r.fail(noticeType, fmt.Errorf("the partition key is that of another type of notice"))
	}
	return m, r.err
}

// ReadMessage decodes the item of a record or a notice and returns its message.
// It returns an error for every other item.
func ReadMessage(it Item) (events.Message, error) {
	switch KindOf(it) {
	case KindRecord:
		r, err := ReadRecord(it)
		if err != nil {
			return events.Message{}, err
		}
		return r.Message(), nil
	case KindNotice:
		return readNotice(it)
	}
	return events.Message{}, fmt.Errorf("%s is neither a record nor a notice", Name(it))
}

// Unsent reports whether the message of the item is not yet sent.
func Unsent(it Item) bool { return it[UnsentPK] != nil }
