package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambda"
)

// invocation is what is known of one invocation beside what its lines say.
type invocation struct {
	cold      bool
	conflicts atomic.Int32
}

type contextKey struct{}

// from is the invocation under way, an empty one outside of any.
func from(ctx context.Context) *invocation {
	if i, ok := ctx.Value(contextKey{}).(*invocation); ok {
		return i
	}
	return &invocation{}
}

// Conflict notes that a commit lost a race.
func Conflict(ctx context.Context) { from(ctx).conflicts.Add(1) }

func (i *invocation) metrics() []slog.Attr {
	if n := i.conflicts.Load(); n > 0 {
		return []slog.Attr{slog.Any(Conflicts, Count(int(n)))}
	}
	return nil
}

// Observe is the handler with the means to tell the sandbox's first invocation
// from the others, and to count conflicts.
func Observe(h lambda.Handler) lambda.Handler { return &observed{handler: h} }

type observed struct {
	handler lambda.Handler
	warm    atomic.Bool
}

func (o *observed) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	i := &invocation{cold: !o.warm.Swap(true)}
	return o.handler.Invoke(context.WithValue(ctx, contextKey{}, i), payload)
}
