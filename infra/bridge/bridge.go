// Package bridge is events.Bus on Amazon EventBridge.
//
// It promises that every message is either accepted by EventBridge or reported
// as failed, for every answer of PutEvents. PutEvents may accept only a part of
// a batch, or return the wrong number of results. For a bus that does not exist
// it answers success and drops the event (github.com/aws/aws-sdk issue 186). A
// call never exceeds the limits of PutEvents.
//
// The caller sends failed messages again, and sends a message only after the
// bus accepted the message before it. The source of every entry is
// events.Source, its detail-type is the message's type, its detail is a
// CloudEvents object.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"apitoken/events"
)

// Client has the methods of *eventbridge.Client that a bridge calls.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
	DescribeEventBus(context.Context, *eventbridge.DescribeEventBusInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error)
}

// CheckEvery is the time between two checks that the bus exists. If the bus is
// deleted between two checks, EventBridge drops events and no error is returned.
const CheckEvery = 5 * time.Minute

// ErrNoBus: the bus does not exist. No message was sent.
var ErrNoBus = errors.New("the event bus does not exist")

var _ events.Bus = (*Bridge)(nil)

// Bridge sends messages to one event bus. Many goroutines may use one Bridge.
type Bridge struct {
	client     Client
	bus        string
	deployment string
	now        func() time.Time

	mu   sync.Mutex
	seen time.Time // when the bus was last known to exist
}

// Config has the parts of a bridge. All but Now are required.
type Config struct {
	Client     Client
	Bus        string           // name or ARN
	Deployment string           // the id of the deployment that sends the messages
	Now        func() time.Time // default time.Now
}

// New makes a bridge. New itself makes no call over the network.
func New(c Config) *Bridge {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Bridge{client: c.Client, bus: c.Bus, deployment: c.Deployment, now: c.Now}
}

// Put sends the messages in their order, at most 10 in one call. Before the
// first call, and later every CheckEvery, it checks that the bus exists;
// ErrNoBus if not.
func (b *Bridge) Put(ctx context.Context, messages []events.Message) (map[string]error, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	if err := b.Check(ctx); err != nil {
		return nil, err
	}
	p := put{bridge: b, failed: map[string]error{}}
	for _, m := range messages {
		p.add(ctx, m)
	}
	p.flush(ctx)
	switch {
	case p.err != nil && p.accepted == 0:
		return nil, p.err
	case len(p.failed) > 0:
		return p.failed, nil
	}
	return nil, nil
}

// Check returns an error unless the bus exists: ErrNoBus, or why it cannot find out. Put
// calls it too, and after an error the messages stay in the outbox and are sent later.
// Within CheckEvery after a success it asks nothing.
func (b *Bridge) Check(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	// Round removes the monotonic clock, which stops while Lambda freezes the
	// sandbox.
	now := b.now().Round(0)
	if !b.seen.IsZero() && now.Sub(b.seen) < CheckEvery {
		return nil
	}
	_, err := b.client.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &b.bus})
	if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
		return fmt.Errorf("event bus %s: %w", b.bus, ErrNoBus)
	}
	if err != nil {
		return fmt.Errorf("looking for event bus %s: %w", b.bus, err)
	}
	b.seen = now
	return nil
}
