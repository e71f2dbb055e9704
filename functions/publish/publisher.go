package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"

	"apitoken/events"
	"apitoken/events/relay"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/stream"
)

// margin is what is left of an invocation's time to answer in: without an
// answer the whole batch would come again.
const margin = 2 * time.Second

// publisher carries batches of the change stream to the bus.
type publisher struct {
	bus    events.Bus
	outbox interface {
		Sent(ctx context.Context, ids ...string) error
	}
	log *slog.Logger
	now func() time.Time
}

func (p *publisher) publish(ctx context.Context, in lambdaevents.DynamoDBEvent) (lambdaevents.DynamoDBEventResponse, error) {
	began := p.now()
	b := stream.Read(in.Records)
	sent, failed, err := p.send(ctx, b.Messages())
	r := report{records: len(in.Records), fault: errors.Join(err, first(failed), b.Fault())}
	r.unmarked = p.outbox.Sent(ctx, sent...) // the reconciler sends again what stays marked
	took := map[string]bool{}
	for _, id := range sent {
		took[id] = true
	}
	answer := lambdaevents.DynamoDBEventResponse{BatchItemFailures: []lambdaevents.DynamoDBBatchItemFailure{}}
	if at, stuck := b.Stuck(took); stuck {
		answer.BatchItemFailures = append(answer.BatchItemFailures, lambdaevents.DynamoDBBatchItemFailure{ItemIdentifier: at})
	}
	r.sent, r.lag = b.Sent(took, p.now())
	r.waiting = len(b) - r.sent
	p.record(ctx, r, p.now().Sub(began))
	return answer, nil
}

// send stops early enough to answer.
func (p *publisher) send(ctx context.Context, ms []events.Message) ([]string, map[string]error, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return relay.Send(ctx, p.bus, ms)
}

func first(failed map[string]error) error {
	for _, err := range failed {
		return err
	}
	return nil
}

// report is what became of a batch.
type report struct {
	records, sent, waiting int
	lag                    time.Duration
	fault, unmarked        error
}

func (p *publisher) record(ctx context.Context, r report, took time.Duration) {
	level, code := slog.LevelInfo, "ok"
	attrs := []slog.Attr{
		slog.String("operation", "publish"), slog.Int("records", r.records), slog.Duration("duration", took),
		slog.Any(telemetry.Published, telemetry.Count(r.sent)), slog.Any(telemetry.Unpublished, telemetry.Count(r.waiting)),
	}
	if r.sent > 0 {
		attrs = append(attrs, slog.Any(telemetry.Lag, telemetry.Seconds(r.lag)))
	}
	if fault := errors.Join(r.fault, r.unmarked); fault != nil {
		attrs = append(attrs, slog.String("error", fault.Error()))
		level = slog.LevelWarn
	}
	if r.waiting > 0 {
		level, code = slog.LevelError, "unavailable"
	}
	p.log.LogAttrs(ctx, level, telemetry.Request, append(attrs, slog.String("code", code))...)
}
