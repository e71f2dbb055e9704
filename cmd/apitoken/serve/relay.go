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

// drainTimeout is how long the end of the process writes events that are not yet in
// the file. After this time they stay in the store, and the next start writes them.
// It is far below the 10 s after which a container engine kills the process.
const drainTimeout = 3 * time.Second

// wakeUp wakes the relay after each commit. wake may be called before there is a
// relay: records committed until then are pending when the relay starts.
type wakeUp struct{ relay atomic.Pointer[relay.Relay] }

func (w *wakeUp) wake() {
	if r := w.relay.Load(); r != nil {
		r.Wake()
	}
}

// relayLoop sends committed records to the file of events.
type relayLoop struct {
	relay  *relay.Relay
	file   *eventfile.File
	logger *slog.Logger
}

func openRelayLoop(f *datadir.Folder, w *wakeUp, c Config) (*relayLoop, error) {
	file, err := eventfile.Open(f.EventsPath(), f.Store.Deployment(), c.EventsPart)
	if err != nil {
		return nil, err
	}
	r := relay.New(relay.Config{Outbox: f.Store, Bus: c.metrics.Bus(file), Logger: c.Logger})
	w.relay.Store(r)
	return &relayLoop{relay: r, file: file, logger: c.Logger}, nil
}

// run starts the relay. The returned function ends it and sends the remaining
// events, for drainTimeout at most. It must be called after the last commit.
func (l *relayLoop) run(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.relay.Run(ctx) // drain gets the same error and returns it
	}()
	return func() error {
		cancel()
		<-ended
		return l.drain(context.WithoutCancel(ctx))
	}
}

func unreadError(unread error) error {
	if unread == nil {
		return nil
	}
	return fmt.Errorf("some events cannot be read and are not in the file of events: %w", unread)
}

// drain sends events until there are none, or for drainTimeout. That the file is late
// is no error: the outbox has what is not in the file.
func (l *relayLoop) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		o, err := l.relay.Once(ctx)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
			l.logger.InfoContext(ctx, "the file of events is late; the next start writes the rest")
			return nil
		}
		if err != nil {
			return fmt.Errorf("some events are not yet in the file of events; the next start sends them: %w", err)
		}
		if len(o.Failed) > 0 {
			causes := errors.Join(slices.Collect(maps.Values(o.Failed))...)
			return fmt.Errorf("%d events could not be written to the file of events and stay in the store: %w", len(o.Failed), causes)
		}
		if o.Sent == 0 {
			return unreadError(o.Unread)
		}
	}
}
