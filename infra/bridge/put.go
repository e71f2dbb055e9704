package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"apitoken/events"
)

const (
	// maxEntries is what one PutEvents call may hold (AWS limit).
	maxEntries = 10

	// maxBytes is what the entries of one call may have together. AWS raised it
	// to 1 MB in January 2026; not every region and emulator followed, and ours
	// are far smaller.
	maxBytes = 256 << 10

	// maxDetailType is what a detail-type may have: EventBridge drops an event
	// with a longer one and says nothing.
	maxDetailType = 128

	// timeBytes is what AWS counts for an entry's time.
	timeBytes = 14
)

var (
	errNoDetail   = fmt.Errorf("an event needs a type of 1 to %d bytes", maxDetailType)
	errMiscounted = errors.New("EventBridge did not answer one result for each event")
)

// put is one Put on its way: the batch that is being filled, and what became of
// the rest.
type put struct {
	bridge *Bridge
	batch  []events.Message
	in     []types.PutEventsRequestEntry
	bytes  int

	failed map[string]error
	taken  int
	err    error // a call that failed as a whole; no more calls are made after it
}

// add puts a message into the batch, after sending a batch that it would not
// fit into any more.
func (p *put) add(ctx context.Context, m events.Message) {
	entry, err := p.bridge.entry(m)
	if err != nil {
		p.failed[m.ID] = err
		return
	}
	n := size(entry)
	if n > maxBytes {
		p.failed[m.ID] = fmt.Errorf("event %s has %d bytes, %d are allowed", m.ID, n, maxBytes)
		return
	}
	if len(p.in) == maxEntries || p.bytes+n > maxBytes {
		p.flush(ctx)
	}
	if p.err != nil {
		p.failed[m.ID] = p.err
		return
	}
	p.batch, p.in, p.bytes = append(p.batch, m), append(p.in, entry), p.bytes+n
}

func (p *put) flush(ctx context.Context) {
	batch, in := p.batch, p.in
	p.batch, p.in, p.bytes = nil, nil, 0
	if len(in) == 0 {
		return
	}
	out, err := p.bridge.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: in})
	if err == nil && len(out.Entries) != len(in) {
		err = errMiscounted
	}
	if err != nil {
		p.err = fmt.Errorf("sending %d events to bus %s: %w", len(in), p.bridge.bus, err)
		for _, m := range batch {
			p.failed[m.ID] = p.err
		}
		return
	}
	for i, m := range batch {
		if result := out.Entries[i]; result.ErrorCode != nil || aws.ToString(result.EventId) == "" {
			p.failed[m.ID] = fmt.Errorf("event %s was not taken: %s %s", m.ID, aws.ToString(result.ErrorCode), aws.ToString(result.ErrorMessage))
			continue
		}
		p.taken++
	}
}

func (b *Bridge) entry(m events.Message) (types.PutEventsRequestEntry, error) {
	if m.Type == "" || len(m.Type) > maxDetailType {
		return types.PutEventsRequestEntry{}, errNoDetail
	}
	detail, err := m.Detail()
	if err != nil {
		return types.PutEventsRequestEntry{}, err
	}
	return types.PutEventsRequestEntry{
		EventBusName: &b.bus, Source: aws.String(events.Source), DetailType: aws.String(m.Type),
		Detail: aws.String(string(detail)), Time: aws.Time(m.Time),
	}, nil
}

// size is an entry's size as AWS counts it ("Calculating PutEvents event entry
// size" in the EventBridge user guide).
func size(e types.PutEventsRequestEntry) int {
	n := len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	if e.Time != nil {
		n += timeBytes
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}
