package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"apitoken/cmd/apitoken/access"
	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/name"
	"apitoken/functions/httpapi"
)

// historyCheck verifies the events of a history one by one. It keeps only the last one.
type historyCheck struct {
	stream  events.Stream // of all events; "": of the first one
	subject string        // the token that all events are about; "": that of the first one
	whole   bool          // the events are all of their stream, so none may be missing between two
	first   uint64
	last    events.Message
	count   int
}

// verified is the result of a verification, for --output json.
type verified struct {
	Stream   events.Stream `json:"stream"`
	Token    string        `json:"token,omitempty"`
	Verified int           `json:"verified"` // events
	First    uint64        `json:"first_sequence"`
	Last     uint64        `json:"last_sequence"`
	Chain    bool          `json:"chain"` // each event follows the one before
}

// runVerify reads a history page by page and verifies it. An id of "" means the
// history of the user --owner.
func (o *history) runVerify(ctx context.Context, e *console.Env, read readPage, id string) error {
	c := &historyCheck{whole: id == ""}
	if id != self {
		c.subject = id
	}
	if c.whole {
		stream, err := streamOf(o.owner)
		if err != nil {
			return err
		}
		c.stream = stream
	}
	progress := e.StartProgress()
	err := httpapi.Pages(func(after string) (httpapi.Paging, error) {
		page, err := read(ctx, httpapi.HistoryQuery{After: after, Limit: maxPage})
		if err != nil {
			return page.Paging, err
		}
		err = c.addAll(page.Entries)
		progress.Showf("events verified: %d", c.count)
		return page.Paging, err
	})
	progress.End()
	if err != nil {
		return access.Explain(err)
	}
	return c.print(e, o.output)
}

// streamOf returns the stream of a user's tokens.
func streamOf(user string) (events.Stream, error) {
	key, err := name.OwnerKey(user)
	if err != nil {
		return "", console.Usagef("--owner: %s", err)
	}
	return events.UserStream(key), nil
}

func (c *historyCheck) addAll(entries []json.RawMessage) error {
	return verifyAll(entries, c.add, &c.count)
}

// verifyAll calls add for each event. count is the number of events that were right.
func verifyAll(entries []json.RawMessage, add func(events.Message) error, count *int) error {
	for _, entry := range entries {
		m, err := events.ParseDetail(entry)
		if err == nil {
			err = add(m)
		}
		if err != nil {
			return fmt.Errorf("the history is broken after %d right events: %s", *count, console.Plain(err.Error()))
		}
	}
	return nil
}

// add verifies one event: its hash, and its place after the event before.
func (c *historyCheck) add(m events.Message) error {
	if err := c.belongs(m); err != nil {
		return err
	}
	next := c.count > 0 && m.Seq == c.last.Seq+1
	follows := next || c.count > 0 && c.whole && !c.lastIsGone()
	var err error
	switch {
	case follows:
		err = events.VerifyMessages(c.last.Prev, []events.Message{c.last, m})
	case m.Seq == 1:
		err = events.VerifyMessages(events.Hash{}, []events.Message{m})
	default:
		err = events.VerifyMessages(m.Prev, []events.Message{m})
	}
	if err != nil {
		return err
	}
	if c.count++; c.count == 1 {
		c.first = m.Seq
	}
	c.last = m
	return nil
}

// lastIsGone reports whether the retention of the last event ended while the history
// was read. Then the events after it may be past their retention too, and missing.
func (c *historyCheck) lastIsGone() bool {
	until := c.last.KeepUntil
	return !until.IsZero() && !time.Now().Before(until)
}

// belongs returns an error for an event of another history, or at another place.
func (c *historyCheck) belongs(m events.Message) error {
	if c.count == 0 && c.stream == "" {
		c.stream = m.Stream
	}
	if c.count == 0 && !c.whole && c.subject == "" {
		c.subject = m.Subject
	}
	switch {
	case m.Seq == 0:
		return errors.New("an event is not a record of a stream")
	case m.Stream != c.stream:
		return fmt.Errorf("record %s is not of stream %s", m.ID, c.stream)
	case !c.whole && m.Subject != c.subject:
		return fmt.Errorf("record %s is not about token %s", m.ID, c.subject)
	case c.count > 0 && m.Seq <= c.last.Seq:
		return fmt.Errorf("record %s is out of order", m.ID)
	}
	return nil
}

// print prints the result, and says what it does not show.
func (c *historyCheck) print(e *console.Env, output string) error {
	if c.count == 0 {
		e.Messagef("there are no events to verify")
	}
	if output == "json" { // also without events: a script reads the number
		return console.PrintJSON(e.Out, verified{Stream: c.stream, Token: c.subject, Verified: c.count, First: c.first, Last: c.last.Seq, Chain: c.whole})
	}
	if c.count == 0 {
		return nil
	}
	what, result := fmt.Sprintf("events of stream %s", c.stream), "each hash matches its event, and each event follows the one before"
	if !c.whole {
		what, result = fmt.Sprintf("events of token %s", c.subject), "each hash matches its event"
	}
	if _, err := fmt.Fprintf(e.Out, "%d %s verified, %d to %d: %s\n", c.count, console.Plain(what), c.first, c.last.Seq, result); err != nil {
		return err
	}
	if c.whole && c.first > 1 {
		e.Messagef("events 1 to %d are not in the history: they are past their retention, or were removed", c.first-1)
	}
	if !c.whole {
		e.Messagef("the events of other tokens were not read: only --owner verifies that no event between two is missing")
	}
	e.Messagef("not verified: that the service wrote the events (apitoken audit verify checks their MACs with the peppers), and that none is missing after event %d", c.last.Seq)
	return nil
}
