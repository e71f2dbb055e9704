package wiring

import (
	"errors"
	"fmt"
	"log/slog"

	"apitoken/events"
	"apitoken/events/secret"
)

// Settings are the choices of a deployment, from the environment of its
// functions. The values of AWS's own variables (region, credentials, endpoints)
// are not among them.
type Settings struct {
	Table              string      // TOKEN_TABLE: the DynamoDB table
	Keys               events.Keys // PEPPERS: kid:base64[,kid:base64...], the first is current
	Bus                string      // EVENT_BUS: name or ARN of the EventBridge bus
	Deployment         string      // DEPLOYMENT: the id of the deployment, in the source of its events
	Prefix             string      // TOKEN_PREFIX: of new tokens; may be empty
	PublicURL          string      // PUBLIC_URL: the address of the API for its clients, https; may be empty
	AuthorizeInHandler bool        // AUTHORIZE_IN_HANDLER: "true" if no authorizer runs before the handlers
	Answer             string      // AUTHORIZER_ANSWER: "policy" (default) or "simple", see gateway.Form
	Function           string      // AWS_LAMBDA_FUNCTION_NAME, in metrics
	LogGroup           string      // AWS_LAMBDA_LOG_GROUP_NAME, in metrics; may be empty
	Level              slog.Level  // AWS_LAMBDA_LOG_LEVEL; default INFO, the level of the metrics
}

// Need is a set of settings that a function requires, besides the table.
type Need uint

// The members of a Need.
const (
	Peppers Need = 1 << iota
	Bus
	Deployment
)

// Read reads the settings. It ignores PEPPERS, EVENT_BUS and DEPLOYMENT if the
// function does not need them, so the template need not set them for that function.
// The error has all faults.
func Read(getenv func(string) string, need Need) (Settings, error) {
	r := reader{getenv: getenv}
	s := Settings{
		Table: r.required("TOKEN_TABLE"), Prefix: getenv("TOKEN_PREFIX"), Function: getenv("AWS_LAMBDA_FUNCTION_NAME"),
		AuthorizeInHandler: r.oneOf("AUTHORIZE_IN_HANDLER", "false", "true") == "true",
		Answer:             r.oneOf("AUTHORIZER_ANSWER", "policy", "simple"),
		LogGroup:           getenv("AWS_LAMBDA_LOG_GROUP_NAME"),
		Level:              level(getenv("AWS_LAMBDA_LOG_LEVEL")),
	}
	if s.Function == "" {
		s.Function = "local" // an emulator may set no name, and a metric's dimension must not be empty
	}
	if s.Prefix != "" {
		r.addFault(secret.ValidPrefix(s.Prefix), "TOKEN_PREFIX")
	}
	if text := getenv("PUBLIC_URL"); text != "" {
		var err error
		s.PublicURL, err = events.PublicURL(text)
		r.addFault(err, "PUBLIC_URL")
	}
	if need&Bus != 0 {
		s.Bus = r.required("EVENT_BUS")
	}
	if need&Deployment != 0 {
		if s.Deployment = r.required("DEPLOYMENT"); s.Deployment != "" {
			r.addFault(events.ValidDeployment(s.Deployment), "DEPLOYMENT")
		}
	}
	if need&Peppers != 0 {
		if text := r.required("PEPPERS"); text != "" {
			var err error
			s.Keys, err = events.ParseKeys(text)
			r.addFault(err, "PEPPERS")
		}
	}
	return s, errors.Join(r.faults...)
}

// reader reads variables and collects their faults.
type reader struct {
	getenv func(string) string
	faults []error
}

func (r *reader) addFault(err error, name string) {
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s: %w", name, err))
	}
}

var errUnset = errors.New("it is not set")

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.addFault(errUnset, name)
	}
	return value
}

// oneOf reads a variable that has one of two values; unset means the first.
func (r *reader) oneOf(name, one, other string) string {
	switch value := r.getenv(name); value {
	case "", one:
		return one
	case other:
		return other
	}
	r.addFault(fmt.Errorf("the value is unknown; allowed: %q, %q", one, other), name)
	return one
}

// level returns the level with the name that Lambda uses; the default is INFO.
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
