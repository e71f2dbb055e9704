package wiring

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
)

// Function is what a function is built from.
type Function struct {
	Settings
	Store events.Store
	Log   *slog.Logger

	// Getenv is where the settings came from, for clients of other services.
	Getenv func(string) string
}

// Run is the main of a function in the table Jobs: it builds the handler and
// serves events until the sandbox ends. What the environment lacks is logged,
// and the process ends with 1, so that Lambda reports a failed start.
func Run(function string, build func(Function) (lambda.Handler, error)) {
	RunJob(jobOf(function), build)
}

// RunJob is Run for a function whose job is computed elsewhere.
func RunJob(job Job, build func(Function) (lambda.Handler, error)) {
	h, err := handler(os.Getenv, os.Stdout, job.Need(), build)
	if err != nil {
		os.Exit(1)
	}
	lambda.Start(h)
}

// handler is all of Run that can be tested: everything up to the first event.
func handler(getenv func(string) string, out io.Writer, need Need, build func(Function) (lambda.Handler, error)) (lambda.Handler, error) {
	s, fault := Read(getenv, need)
	log := telemetry.NewLogger(telemetry.Config{Out: out, Level: s.Level, Function: s.Function})
	h, err := assemble(getenv, s, fault, log, build)
	if err != nil {
		log.LogAttrs(context.Background(), slog.LevelError, "not started", slog.String("error", err.Error())) // there is no event yet
		return nil, err
	}
	return telemetry.Observe(h), nil
}

func assemble(getenv func(string) string, s Settings, fault error, log *slog.Logger, build func(Function) (lambda.Handler, error)) (lambda.Handler, error) {
	client, err := dynamo.FromEnv(getenv)
	if err = errors.Join(fault, err); err != nil {
		return nil, err
	}
	return build(Function{Settings: s, Store: counted{dynamo.New(client, s.Table)}, Log: log, Getenv: getenv})
}

// counted is the store with its conflicts counted.
type counted struct{ events.Store }

func (c counted) Commit(ctx context.Context, commit events.Commit) error {
	err := c.Store.Commit(ctx, commit)
	if errors.Is(err, events.ErrConflict) {
		telemetry.Conflict(ctx)
	}
	return err
}
