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

// keeper answers both kinds of invocation.
type keeper struct {
	ledger *audit.Ledger
	log    *slog.Logger
	now    func() time.Time
}

// handle takes a batch from the queue, or looks for what is overdue when the
// schedule says so.
func (k *keeper) handle(ctx context.Context, payload json.RawMessage) (any, error) {
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
	return nil, fmt.Errorf("the invocation is neither a batch of the queue nor the schedule's")
}

// take keeps each event of a batch. What could not be kept is answered by its
// message id and comes again alone.
func (k *keeper) take(ctx context.Context, batch lambdaevents.SQSEvent) lambdaevents.SQSEventResponse {
	began := k.now()
	failures := []lambdaevents.SQSBatchItemFailure{}
	for _, message := range batch.Records {
		id, found, err := k.one(ctx, message.Body)
		k.report(ctx, found)
		if err != nil {
			k.log.LogAttrs(ctx, slog.LevelError, "event not kept", slog.String("event", id), slog.String("message", message.MessageId), slog.String("error", err.Error()))
			failures = append(failures, lambdaevents.SQSBatchItemFailure{ItemIdentifier: message.MessageId})
		}
	}
	k.record(ctx, began, len(failures) > 0, slog.Int("records", len(batch.Records)), slog.Int("failed", len(failures)))
	return lambdaevents.SQSEventResponse{BatchItemFailures: failures}
}

// one keeps the event in an EventBridge envelope.
func (k *keeper) one(ctx context.Context, body string) (id string, found []audit.Finding, err error) {
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil {
		return "", nil, fmt.Errorf("decoding the bus's envelope: %w", err)
	}
	m, err := events.ParseDetail(envelope.Detail)
	if err != nil {
		return "", nil, err
	}
	found, err = k.ledger.Take(ctx, m)
	return m.ID, found, err
}

func (k *keeper) overdue(ctx context.Context) error {
	began := k.now()
	found, err := k.ledger.Overdue(ctx)
	k.report(ctx, found)
	k.record(ctx, began, err != nil, slog.Int("overdue", len(found)))
	if err != nil {
		return fmt.Errorf("looking for what never arrived: %w", err)
	}
	return nil
}

// record is the invocation's line.
func (k *keeper) record(ctx context.Context, began time.Time, failed bool, attrs ...slog.Attr) {
	level, code := slog.LevelInfo, "ok"
	if failed {
		level, code = slog.LevelError, "unavailable"
	}
	k.log.LogAttrs(ctx, level, telemetry.Request, append(attrs,
		slog.String("operation", "audit"), slog.String("code", code), slog.Duration("duration", k.now().Sub(began)))...)
}

// report raises the alarms: a gap is counted apart, since it may yet close.
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
