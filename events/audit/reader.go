package audit

import (
	"context"

	"apitoken/events"
)

// Reader reads the copies for a comparison.
type Reader interface {
	// Copy returns the copies with Seq > after, ascending, at most limit. If it
	// returns fewer than limit, there are no further copies. A copy that cannot be
	// decoded is a *events.DamagedRecord, beside the copies before it.
	Copy(ctx context.Context, s events.Stream, after uint64, limit int) ([]events.Message, error)
}
