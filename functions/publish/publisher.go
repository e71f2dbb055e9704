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

// margin is the time reserved at the end of an invocation for the answer.
// Without an answer, Lambda would deliver the whole batch again.
const margin = 2 * time.Second

// publisher sends the messages of change stream batches to the bus.
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
	ms := b.Messages()
	sent, failed, err := p.send(ctx, ms)
	r := report{records: len(in.Records), fault: errors.Join(err, anyError(failed), b.Fault())}
	r.notRemoved = p.outbox.Sent(ctx, sent...)
	isSent := map[string]bool{}
	for _, id := range sent {
		isSent[id] = true
	}
	answer := lambdaevents.DynamoDBEventResponse{BatchItemFailures: []lambdaevents.DynamoDBBatchItemFailure{}}
	if at, found := b.FirstUnsent(isSent); found {
		answer.BatchItemFailures = append(answer.BatchItemFailures, lambdaevents.DynamoDBBatchItemFailure{ItemIdentifier: at})
	}
	r.sent, r.lag = b.CountSent(isSent, p.now())
	r.waiting = len(b) - r.sent
	telemetry.LogToKeep(ctx, p.log, p.now(), sentTimes(ms, isSent))
	p.logBatch(ctx, r, p.now().Sub(began))
	return answer, nil
}

func sentTimes(ms []events.Message, sent map[string]bool) (times []time.Time) {
	for _, m := range ms {
		if sent[m.ID] {
			times = append(times, m.Time)
		}
	}
	return times
}

// send stops in time for the answer.
func (p *publisher) send(ctx context.Context, ms []events.Message) ([]string, map[string]error, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	return relay.Send(ctx, p.bus, ms)
}

func anyError(failed map[string]error) error {
	for _, err := range failed {
		return err
	}
	return nil
}

// report is the result of one batch.
type report struct {
	records, sent, waiting int           // waiting: to be sent, but not sent
	lag                    time.Duration // age of the oldest sent message
	fault                  error         // why messages are waiting
	notRemoved             error         // sent messages are still in the outbox: reconcile sends them again
}

func (p *publisher) logBatch(ctx context.Context, r report, duration time.Duration) {
	level, code := slog.LevelInfo, "ok"
	attrs := []slog.Attr{
		slog.String("operation", "publish"), slog.Int("records", r.records), slog.Duration("duration", duration),
		slog.Any(telemetry.Published, telemetry.Count(r.sent)), slog.Any(telemetry.Unpublished, telemetry.Count(r.waiting)),
	}
	if r.sent > 0 {
		attrs = append(attrs, slog.Any(telemetry.Lag, telemetry.Seconds(r.lag)))
	}
	if fault := errors.Join(r.fault, r.notRemoved); fault != nil {
		attrs = append(attrs, slog.Any("error", fault))
		level = slog.LevelWarn
	}
	if r.waiting > 0 {
		level, code = slog.LevelError, "unavailable"
	}
	p.log.LogAttrs(ctx, level, telemetry.Request, append(attrs, slog.String("code", code))...)
}
