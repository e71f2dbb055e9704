package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"apitoken/cmd/apitoken/datadir"
	"apitoken/events/relay"
	"apitoken/infra/eventfile"
)

// drainTimeout is how long the end of the process waits for events that are
// not yet in their file. What is left then stays in the store and is sent by
// the next start.
const drainTimeout = 10 * time.Second

// bell wakes the relay when something was committed. It may ring before there
// is a relay: whatever was committed by then is pending when the relay starts.
type bell struct{ relay atomic.Pointer[relay.Relay] }

func (b *bell) ring() {
	if r := b.relay.Load(); r != nil {
		r.Wake()
	}
}

// post carries what was committed to the file of events.
type post struct {
	relay *relay.Relay
	file  *eventfile.File
}

func openPost(f *datadir.Folder, b *bell, logger *slog.Logger) (*post, error) {
	file, err := eventfile.Open(f.EventsPath())
	if err != nil {
		return nil, err
	}
	r := relay.New(relay.Config{Outbox: f.Store, Bus: file, Logger: logger})
	b.relay.Store(r)
	return &post{relay: r, file: file}, nil
}

// run starts the relay. The returned function ends it, once nothing is left to
// be carried, and is called when nothing is committed any more.
func (p *post) run(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.relay.Run(ctx) // its trouble at the end is that of drain, too
	}()
	return func() error {
		cancel()
		<-ended
		return p.drain(context.WithoutCancel(ctx))
	}
}

func (p *post) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		o, err := p.relay.Once(ctx)
		if err != nil {
			return fmt.Errorf("some events are not yet in their file and will be sent by the next start: %w", err)
		}
		if len(o.Failed) > 0 {
			causes := errors.Join(slices.Collect(maps.Values(o.Failed))...)
			return fmt.Errorf("%d events could not be written to their file and stay in the store: %w", len(o.Failed), causes)
		}
		if o.Sent == 0 {
			return nil
		}
	}
}
