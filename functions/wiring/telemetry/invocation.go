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

func (i *invocation) metrics() []slog.Attr {
	if n := i.conflicts.Load(); n > 0 {
		return []slog.Attr{slog.Any(Conflicts, Count(int(n)))}
	}
	return nil
}

// Observe returns a handler that marks the first invocation of the sandbox and
// lets Conflict count. Without Observe, no invocation is marked and conflicts
// are not counted.
func Observe(h lambda.Handler) lambda.Handler { return &observed{handler: h} }

type observed struct {
	handler lambda.Handler
	warm    atomic.Bool
}

func (o *observed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	i := &invocation{cold: !o.warm.Swap(true)}
	return o.handler.Invoke(context.WithValue(ctx, contextKey{}, i), payload)
}
