package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"
)

// An alarm subtracts Kept from ToKeep. CloudWatch evaluates it each minute for the
// last hour. If both metrics had the time of their log lines, each minute would begin
// and end with messages that are published and not yet kept, and the alarm would fire
// falsely. So both metrics count a message at the same time: its own time plus dueAfter.
// When that minute comes, both log lines were written long before.
//
// CloudWatch accepts a time up to two hours in the future.
const (
	// dueAfter is the time from a message's own time until its copy is due.
	dueAfter = 30 * time.Minute

	// reserve is the time that is left for the copy of a message which was published
	// late. If less time is left, ToKeep does not count the message: its copy would be
	// overdue at once. PublishLag and ReconcileErrors report such messages.
	reserve = 5 * time.Minute
)

// LogToKeep counts messages that the bus has accepted, by their own times. Each of
// them must become a copy in the audit table.
func LogToKeep(ctx context.Context, log *slog.Logger, now time.Time, times []time.Time) {
	logDue(ctx, log, ToKeep, now.Add(reserve), times)
}

// LogKept counts messages that have a copy in the audit table, by their own times.
// It does not count messages whose copies are overdue, such as those of a replay.
func LogKept(ctx context.Context, log *slog.Logger, now time.Time, times []time.Time) {
	logDue(ctx, log, Kept, now, times)
}

// logDue logs one line for each minute in which copies are due. It leaves out those
// that are due before the first time.
func logDue(ctx context.Context, log *slog.Logger, name string, first time.Time, times []time.Time) {
	counts := map[int64]int{}
	for _, t := range times {
		if due := t.Add(dueAfter); due.After(first) {
			counts[due.Truncate(time.Minute).Unix()]++
		}
	}
	for _, minute := range slices.Sorted(maps.Keys(counts)) {
		m := Count(counts[minute])
		m.At = time.Unix(minute, 0)
		log.LogAttrs(ctx, slog.LevelInfo, "copies", slog.Any(name, m))
	}
}
