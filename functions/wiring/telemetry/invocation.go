package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambda"
)

// invocation has the data of one invocation for its request line.
type invocation struct {
	cold      bool         // the first invocation of its sandbox
	conflicts atomic.Int32 // commits that lost a race
	uses      atomic.Int32 // last uses that were not stored
	notices   atomic.Int32 // notices that were not stored
}

type contextKey struct{}

// invocationOf returns the current invocation, or an empty one if ctx has none.
func invocationOf(ctx context.Context) *invocation {
	if i, ok := ctx.Value(contextKey{}).(*invocation); ok {
		return i
	}
	return &invocation{}
}

// Conflict counts one commit of the current invocation that lost a race.
func Conflict(ctx context.Context) { invocationOf(ctx).conflicts.Add(1) }

// UseNotStored counts one last use of the current invocation that could not be
// stored.
func UseNotStored(ctx context.Context) { invocationOf(ctx).uses.Add(1) }

// NoticeNotStored counts one notice of the current invocation that could not be put
// into the outbox.
func NoticeNotStored(ctx context.Context) { invocationOf(ctx).notices.Add(1) }

func (i *invocation) metrics() (all []slog.Attr) {
	for _, m := range []struct {
		name  string
		count *atomic.Int32
	}{{Conflicts, &i.conflicts}, {UsesNotStored, &i.uses}, {NoticesNotStored, &i.notices}} {
		if n := m.count.Load(); n > 0 {
			all = append(all, slog.Any(m.name, Count(int(n))))
		}
	}
	return all
}

// Observe returns a handler that marks the first invocation of the sandbox and
// lets Conflict, UseNotStored and NoticeNotStored count. Without Observe, no
// invocation is marked and nothing is counted.
func Observe(h lambda.Handler) lambda.Handler { return &observed{handler: h} }

type observed struct {
	handler lambda.Handler
	warm    atomic.Bool
}

func (o *observed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	i := &invocation{cold: !o.warm.Swap(true)}
	return o.handler.Invoke(context.WithValue(ctx, contextKey{}, i), payload)
}
