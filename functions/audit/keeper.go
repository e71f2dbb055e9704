package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/functions/wiring/telemetry"
)

// margin is the time reserved at the end of an invocation for the answer. Without an
// answer, the queue would deliver the whole batch again.
const margin = 2 * time.Second

// keeper answers both kinds of invocation.
type keeper struct {
	auditor *audit.Auditor
	log     *slog.Logger
	now     func() time.Time
}

// handle takes a batch from the queue, or looks for overdue events if the
// schedule invoked it. It stops in time for the answer.
func (k *keeper) handle(ctx context.Context, payload json.RawMessage) (any, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	var kind struct {
		Records    json.RawMessage
		DetailType string `json:"detail-type"`
	}
	if err := json.Unmarshal(payload, &kind); err != nil {
		return nil, fmt.Errorf("decoding the invocation: %w", err)
	}
	switch {
	case kind.Records != nil:
		var batch lambdaevents.SQSEvent
		if err := json.Unmarshal(payload, &batch); err != nil {
			return nil, fmt.Errorf("decoding a batch of the queue: %w", err)
		}
		return k.take(ctx, batch), nil
	case kind.DetailType == "Scheduled Event":
		return nil, k.overdue(ctx)
	}
	return nil, fmt.Errorf("the invocation is neither a batch of the queue nor a scheduled event")
}

// take keeps each event of a batch. It returns the message ids of the events
// that it could not keep, or for which no time was left, and the queue delivers only
// those again.
func (k *keeper) take(ctx context.Context, batch lambdaevents.SQSEvent) lambdaevents.SQSEventResponse {
	began := k.now()
	failures := []lambdaevents.SQSBatchItemFailure{}
	var kept []time.Time
	for _, message := range batch.Records {
		m, found, err := k.takeOne(ctx, message.Body)
		k.report(ctx, found)
		if err != nil {
			k.log.LogAttrs(ctx, slog.LevelError, "event not kept", slog.String("event", m.ID), slog.String("message", message.MessageId), slog.String("error", err.Error()))
			failures = append(failures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
			continue
		}
		kept = append(kept, m.Time)
	}
	telemetry.LogKept(ctx, k.log, k.now(), kept)
	k.logInvocation(ctx, began, len(failures) > 0, slog.Int("records", len(batch.Records)), slog.Int("failed", len(failures)))
	return lambdaevents.SQSEventResponse{BatchItemFailures: failures}
}

// takeOne keeps the event in an EventBridge envelope.
func (k *keeper) takeOne(ctx context.Context, body string) (m events.Message, found []audit.Finding, err error) {
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		return m, nil, fmt.Errorf("decoding the bus's envelope: %w", err)
	}
	if m, err = events.ParseDetail(envelope.Detail); err != nil {
		return events.Message{}, nil, err
	}
	found, err = k.auditor.Take(ctx, m)
	return m, found, err
}

func (k *keeper) overdue(ctx context.Context) error {
	began := k.now()
	found, err := k.auditor.Overdue(ctx)
	k.report(ctx, found)
	k.logInvocation(ctx, began, err != nil, slog.Int("overdue", len(found)))
	if err != nil {
		return fmt.Errorf("looking for events that never arrived: %w", err)
	}
	return nil
}

// logInvocation writes the one line of an invocation.
func (k *keeper) logInvocation(ctx context.Context, began time.Time, failed bool, attrs ...slog.Attr) {
	level, code := slog.LevelInfo, "ok"
	if failed {
		level, code = slog.LevelError, "unavailable"
	}
	k.log.LogAttrs(ctx, level, telemetry.Request, append(attrs,
		slog.String("operation", "audit"), slog.String("code", code), slog.Duration("duration", k.now().Sub(began)))...)
}

// report raises the alarms. A gap has a metric of its own, because it may still
// close.
func (k *keeper) report(ctx context.Context, found []audit.Finding) {
	for _, f := range found {
		metric := telemetry.AuditMismatch
		if f.Kind == audit.Gap {
			metric = telemetry.AuditGap
		}
		k.log.LogAttrs(ctx, slog.LevelError, "the audit found a disagreement", slog.String("kind", string(f.Kind)),
			slog.String("event", f.ID), slog.String("detail", f.Detail), slog.Any(metric, telemetry.Count(1)))
	}
}
