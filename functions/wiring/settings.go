package wiring

import (
	"errors"
	"fmt"
	"log/slog"

	"apitoken/events"
	"apitoken/events/secret"
)

// Settings are what a deployment decides, by the environment of its functions.
// What AWS's own variables say (region, credentials, endpoints) is not in it.
type Settings struct {
	Table              string      // TOKEN_TABLE: the DynamoDB table
	Keys               events.Keys // PEPPERS: kid:base64[,kid:base64...], the first is current
	Bus                string      // EVENT_BUS: name or ARN of the EventBridge bus
	Prefix             string      // TOKEN_PREFIX: of new tokens; may be empty
	AuthorizeInHandler bool        // AUTHORIZE_IN_HANDLER: "true" where no authorizer stands in front
	Answer             string      // AUTHORIZER_ANSWER: "simple" (default) or "policy", see gateway.Form
	Function           string      // AWS_LAMBDA_FUNCTION_NAME, in metrics
	Level              slog.Level  // AWS_LAMBDA_LOG_LEVEL; default INFO, on which the metrics are
}

// Need is what a function cannot do without, beside the table.
type Need uint

const (
	Peppers Need = 1 << iota
	Bus
)

// Read reads the settings. What is not needed is not even looked at, so that a
// function which has no business with it need not have it. The error has all
// faults.
func Read(getenv func(string) string, need Need) (Settings, error) {
	r := reader{getenv: getenv}
	s := Settings{
		Table: r.required("TOKEN_TABLE"), Prefix: getenv("TOKEN_PREFIX"), Function: getenv("AWS_LAMBDA_FUNCTION_NAME"),
		AuthorizeInHandler: r.choice("AUTHORIZE_IN_HANDLER", "false", "true") == "true",
		Answer:             r.choice("AUTHORIZER_ANSWER", "simple", "policy"),
		Level:              level(getenv("AWS_LAMBDA_LOG_LEVEL")),
	}
	if s.Function == "" {
		s.Function = "local" // an emulator may name none, and a metric's dimension is never empty
	}
	if s.Prefix != "" {
		r.note(secret.ValidPrefix(s.Prefix), "TOKEN_PREFIX")
	}
	if need&Bus != 0 {
		s.Bus = r.required("EVENT_BUS")
	}
	if need&Peppers != 0 {
		if text := r.required("PEPPERS"); text != "" {
			var err error
			s.Keys, err = events.ParseKeys(text)
			r.note(err, "PEPPERS")
		}
	}
	return s, errors.Join(r.faults...)
}

// reader collects faults.
type reader struct {
	getenv func(string) string
	faults []error
}

func (r *reader) note(err error, name string) {
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s: %w", name, err))
	}
}

var errUnset = errors.New("it is not set")

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.note(errUnset, name)
	}
	return value
}

// choice is one of two words, the first if there is none.
func (r *reader) choice(name, one, other string) string {
	switch value := r.getenv(name); value {
	case "", one:
		return one
	case other:
		return other
	}
	r.note(fmt.Errorf("want %q or %q", one, other), name)
	return one
}

// level reads a level as Lambda names it.
func level(text string) slog.Level {
	switch text {
	case "TRACE", "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR", "FATAL":
		return slog.LevelError
	}
	return slog.LevelInfo
}
