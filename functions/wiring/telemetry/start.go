package telemetry

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

// Start runs a Lambda function that has no part of the tokens' table, so that package
// wiring does not know it. build reads the environment. After an error of build the
// program ends with a line in the log. Start does not return.
func Start(build func(getenv func(string) string, log *slog.Logger) (lambda.Handler, error)) {
	log := NewLogger(Config{Out: os.Stdout, Function: os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), LogGroup: os.Getenv("AWS_LAMBDA_LOG_GROUP_NAME")})
	h, err := build(os.Getenv, log)
	if err != nil {
		NotStarted(log, err)
		os.Exit(1)
	}
	lambda.Start(h)
}

// NotStarted logs the error that ends a program before its first event.
func NotStarted(log *slog.Logger, err error) {
	log.LogAttrs(context.Background(), slog.LevelError, "not started", slog.String("error", err.Error()))
}
