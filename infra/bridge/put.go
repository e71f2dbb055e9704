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
	// maxEntries is the limit of entries in one PutEvents call (AWS limit).
	maxEntries = 10

	// maxBytes is the limit of bytes of all entries in one call. AWS raised it to
	// 1 MB in January 2026, but not in every region, and not every emulator
	// followed. Our entries are far smaller.
	maxBytes = 256 << 10

	// maxDetailType is the limit of bytes in a detail-type. EventBridge drops an
	// event with a longer detail-type and returns no error.
	maxDetailType = 128

	// timeBytes is the size of an entry's time, as AWS counts it.
	timeBytes = 14
)

var (
	errTypeLength = fmt.Errorf("the type of an event must have 1 to %d bytes", maxDetailType)
	errMiscounted = errors.New("EventBridge did not return one result for each event")
)

// put is the state of one Put: the batch that is not yet sent, and the results
// of the batches before it.
type put struct {
	bridge *Bridge
	batch  []events.Message
	in     []types.PutEventsRequestEntry
	bytes  int

	failed   map[string]error
	accepted int
	err      error // of a call that failed as a whole; no more calls are made after it
}

// add adds a message to the batch. If the message does not fit into the batch,
// add sends the batch first.
func (p *put) add(ctx context.Context, m events.Message) {
	entry, err := p.bridge.entry(m)
	if err != nil {
		p.failed[m.ID] = err
		return
	}
	n := size(entry)
	if n > maxBytes {
		p.failed[m.ID] = fmt.Errorf("event %s has %d bytes; at most %d are allowed", m.ID, n, maxBytes)
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
			p.failed[m.ID] = fmt.Errorf("EventBridge did not accept event %s: %s %s", m.ID, aws.ToString(result.ErrorCode), aws.ToString(result.ErrorMessage))
			continue
		}
		p.accepted++
	}
}

func (b *Bridge) entry(m events.Message) (types.PutEventsRequestEntry, error) {
	if m.Type == "" || len(m.Type) > maxDetailType {
		return types.PutEventsRequestEntry{}, errTypeLength
	}
	m.Deployment = b.deployment
	detail, err := m.Detail()
	if err != nil {
		return types.PutEventsRequestEntry{}, err
	}
	return types.PutEventsRequestEntry{
		EventBusName: &b.bus, Source: aws.String(events.Source), DetailType: aws.String(m.Type),
		Detail: aws.String(string(detail)), Time: aws.Time(m.Time),
	}, nil
}

// size returns the bytes of an entry as AWS counts them ("Calculating PutEvents
// event entry size" in the EventBridge user guide).
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
