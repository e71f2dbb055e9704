package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"apitoken/events/lease"
	"apitoken/events/relay"
	"apitoken/infra/bridge"
	"apitoken/infra/bridge/chain"
	"apitoken/infra/dynamo"
)

// sending sends the events of a table to its bus, while this process has the lease. It
// is nil without a bus.
type sending struct {
	keeper
	name string
	bus  *bridge.Bridge
}

// openSending returns what sends to the bus, or nil. A bus that does not exist is an
// error. A bus that does not answer now is not: the events wait in the table.
func openSending(ctx context.Context, c Config, t *table) (*sending, error) {
	if t.Bus == "" {
		return nil, nil
	}
	client, err := chain.Client(ctx)
	if err != nil {
		return nil, err
	}
	s := &sending{keeper: t.alone(c.Logger, relayLease), name: t.Bus}
	s.bus = bridge.New(bridge.Config{Client: coveredClient{client, s.Keeper}, Bus: t.Bus, Deployment: t.Deployment})
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	switch err := s.bus.Check(limited); {
	case errors.Is(err, bridge.ErrNoBus):
		return nil, fmt.Errorf("--bus: %w: give the name or the ARN of a bus of this account and region", err)
	case err != nil:
		c.Logger.Warn("the bus does not answer now; events wait in the table", "error", err)
	}
	return s, nil
}

func (s *sending) announce(c Config) {
	if s == nil {
		c.Logger.Warn("this process sends no events, because it has no --bus", "table", c.Table.Name)
		return
	}
	fmt.Fprintf(c.Out, "events go to the bus %s\n", s.name)
}

// coveredClient sends nothing outside of the lease. It looks at the lease directly
// before each call: the process may have been stopped for any time.
type coveredClient struct {
	bridge.Client
	keeper *lease.Keeper
}

func (c coveredClient) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, options ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	covered, cancel, err := c.keeper.Cover(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return c.Client.PutEvents(covered, in, options...)
}

// relaying relays while this process has the lease.
func (s *sending) relaying(c Config, t *table, w *wakeUp) func(context.Context) {
	return func(ctx context.Context) {
		s.Run(ctx, func(ctx context.Context) {
			r := relay.New(relay.Config{Outbox: dynamo.InOrder{Store: t.store}, Bus: c.metrics.Bus(s.bus), Logger: c.Logger})
			w.relay.Store(r)
			defer w.relay.Store(nil)
			r.Run(ctx)
			if !errors.Is(context.Cause(ctx), lease.ErrNotHeld) {
				drainTable(ctx, r, c.Logger)
			}
		})
	}
}

// drainTable sends the events of the last requests, for drainTimeout at most. What is
// left is for another process, or for the next start.
func drainTable(ctx context.Context, r *relay.Relay, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for {
		switch o, err := r.Once(ctx); {
		case err != nil:
			logger.WarnContext(ctx, "some events are not sent yet; another process or the next start sends them", "error", err)
			return
		case o.Sent == 0:
			return
		}
	}
}
