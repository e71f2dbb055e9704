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

// Function has the parts that a function is built from.
type Function struct {
	Settings
	Store events.Store
	Log   *slog.Logger

	// Getenv is the environment of the settings, for clients of other services.
	Getenv func(string) string
}

// Run is the main of a function in the table Jobs. It builds the handler and
// serves events until the sandbox ends. If the environment has a fault or build
// fails, Run logs the error and ends the process with 1, so that Lambda reports a
// failed start.
func Run(function string, build func(Function) (lambda.Handler, error)) {
	RunJob(jobOf(function), build)
}

// RunJob is Run for a function with a job that is not in Jobs.
func RunJob(job Job, build func(Function) (lambda.Handler, error)) {
	h, err := handler(os.Getenv, os.Stdout, job.Need(), build)
	if err != nil {
		os.Exit(1)
	}
	lambda.Start(h)
}

// handler is the part of Run that can be tested: all steps before the first event.
func handler(getenv func(string) string, out io.Writer, need Need, build func(Function) (lambda.Handler, error)) (lambda.Handler, error) {
	s, fault := Read(getenv, need)
	log := telemetry.NewLogger(telemetry.Config{Out: out, Level: s.Level, Function: s.Function, LogGroup: s.LogGroup})
	h, err := buildHandler(getenv, s, fault, log, build)
	if err != nil {
		telemetry.NotStarted(log, err)
		return nil, err
	}
	return telemetry.Observe(h), nil
}

// buildHandler makes the store and calls build. Its error has the fault of the
// settings and the faults of the store's environment.
func buildHandler(getenv func(string) string, s Settings, fault error, log *slog.Logger, build func(Function) (lambda.Handler, error)) (lambda.Handler, error) {
	client, err := dynamo.FromEnv(getenv)
	if err = errors.Join(fault, err); err != nil {
		return nil, err
	}
	return build(Function{Settings: s, Store: countingStore{dynamo.New(client, s.Table)}, Log: log, Getenv: getenv})
}

// countingStore counts the conflicts of a store, and the uses and notices that it
// could not store, as metrics.
type countingStore struct{ events.Store }

func (c countingStore) Commit(ctx context.Context, commit events.Commit) error {
	err := c.Store.Commit(ctx, commit)
	if errors.Is(err, events.ErrConflict) {
		telemetry.Conflict(ctx)
	}
	return err
}

// Touch is called by the guard only, which drops a use that is not stored.
func (c countingStore) Touch(ctx context.Context, id string, u events.Use) error {
	err := c.Store.Touch(ctx, id, u)
	if err != nil {
		telemetry.UseNotStored(ctx)
	}
	return err
}

func (c countingStore) Notify(ctx context.Context, m events.Message) error {
	err := c.Store.Notify(ctx, m)
	if err != nil {
		telemetry.NoticeNotStored(ctx)
	}
	return err
}
