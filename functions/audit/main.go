// Command audit is the Lambda function that keeps a copy of every published
// event. It takes events from its queue. On a schedule it looks for events that
// never arrived.
//
// A finding is an error in the log and a metric with an alarm. A finding is not a
// failure of the function, because the event was kept. The function fails only
// for an event that it could not keep, and the queue then delivers that event
// again. The function has the audit table only: neither the tokens' table nor a
// pepper.
package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events/audit"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
)

func main() { telemetry.Start(handler) }

// handler reads the environment: AUDIT_TABLE, and the variables of the client.
func handler(getenv func(string) string, log *slog.Logger) (lambda.Handler, error) {
	client, err := dynamo.FromEnv(getenv)
	table := getenv("AUDIT_TABLE")
	if table == "" {
		err = errors.Join(errors.New("AUDIT_TABLE: it is not set"), err)
	}
	if err != nil {
		return nil, err
	}
	k := &keeper{auditor: &audit.Auditor{Copies: copies.New(client, table), Now: time.Now}, log: log, now: time.Now}
	return telemetry.Observe(lambda.NewHandler(k.handle)), nil
}
