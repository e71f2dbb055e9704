// Package bridge is events.Bus on Amazon EventBridge.
//
// It promises that every message is either taken or named as failed, whatever
// PutEvents answers: partly taken batches, answers that do not fit the request,
// and a bus that is not there, for which PutEvents answers success and drops
// the event (github.com/aws/aws-sdk issue 186). It keeps within what one call
// may hold.
//
// Sending again, and sending nothing before its predecessor was taken, is the
// caller's. The source of every entry is events.Source, its detail-type the
// message's type, its detail a CloudEvents object.
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

// Client is what a bridge needs of *eventbridge.Client.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
	DescribeEventBus(context.Context, *eventbridge.DescribeEventBusInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error)
}

// CheckEvery is how long a bus that was there is taken to be there still.
// Within it, a bus that somebody deletes swallows events unnoticed.
const CheckEvery = 5 * time.Minute

// ErrNoBus: the bus does not exist. Nothing was sent.
var ErrNoBus = errors.New("the event bus does not exist")

var _ events.Bus = (*Bridge)(nil)

// Bridge is one event bus. Many goroutines may use one.
type Bridge struct {
	client Client
	bus    string
	now    func() time.Time

	mu   sync.Mutex
	seen time.Time // when the bus was last known to exist
}

// Config is what a bridge needs; Client and Bus are required.
type Config struct {
	Client Client
	Bus    string           // name or ARN
	Now    func() time.Time // default time.Now
}

// New makes a bridge. It makes no call.
func New(c Config) *Bridge {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Bridge{client: c.Client, bus: c.Bus, now: c.Now}
}

// Put sends the messages in calls of at most 10, in their order. Before the
// first call, and then every CheckEvery, it makes sure that the bus exists.
func (b *Bridge) Put(ctx context.Context, messages []events.Message) (map[string]error, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	if err := b.check(ctx); err != nil {
		return nil, err
	}
	p := put{bridge: b, failed: map[string]error{}}
	for _, m := range messages {
		p.add(ctx, m)
	}
	p.flush(ctx)
	switch {
	case p.err != nil && p.taken == 0:
		return nil, p.err
	case len(p.failed) > 0:
		return p.failed, nil
	}
	return nil, nil
}

// check fails unless the bus exists. Trouble with the question counts as a
// "no": the messages stay where they are and are sent later.
func (b *Bridge) check(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	// Rounded: the monotonic clock stands still in a frozen Lambda.
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
