package serve

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"apitoken/events/lease"
	"apitoken/infra/bridge"
)

// oneLease gives the lease to everybody who asks, and renews it until it is broken.
type oneLease struct {
	lease.Store
	broken atomic.Bool
}

func (l *oneLease) Lease(context.Context, string) (lease.Entry, error) { return lease.Entry{}, nil }
func (l *oneLease) Take(context.Context, string, lease.Entry, lease.Entry) (bool, error) {
	return !l.broken.Load(), nil
}

func (l *oneLease) Renew(context.Context, string, lease.Entry) (bool, error) {
	if l.broken.Load() {
		return false, errors.New("the table does not answer")
	}
	return true, nil
}
func (l *oneLease) Release(context.Context, string, string) error { return nil }

// deadlines notes until when each call of PutEvents may last.
type deadlines struct {
	bridge.Client
	left []time.Duration
}

func (d *deadlines) PutEvents(ctx context.Context, _ *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	end, _ := ctx.Deadline()
	d.left = append(d.left, time.Until(end))
	return &eventbridge.PutEventsOutput{}, nil
}

// TestEachSendEndsBeforeTheLease: it may last until 10 seconds before the end. Without
// the lease nothing is sent.
func TestEachSendEndsBeforeTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, sent := &oneLease{}, &deadlines{}
		k := lease.New(lease.Config{Store: store, Name: relayLease})
		client := coveredClient{sent, k}
		send := func() error {
			_, err := client.PutEvents(t.Context(), nil)
			return err
		}
		if err := send(); !errors.Is(err, lease.ErrNotHeld) || len(sent.left) != 0 {
			t.Errorf("before the lease: got %v and %d sends", err, len(sent.left))
		}
		stop := together(t.Context(), []func(context.Context){func(ctx context.Context) { k.Run(ctx, func(ctx context.Context) { <-ctx.Done() }) }})
		time.Sleep(time.Second)
		store.broken.Store(true)
		for _, want := range []time.Duration{19 * time.Second, 18 * time.Second} {
			if err := send(); err != nil || sent.left[len(sent.left)-1] != want {
				t.Errorf("got %v and a send that may last %v, want %v", err, sent.left, want)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(17 * time.Second)
		if err := send(); !errors.Is(err, lease.ErrNotHeld) || len(sent.left) != 2 {
			t.Errorf("in the margin: got %v and %d sends", err, len(sent.left))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
