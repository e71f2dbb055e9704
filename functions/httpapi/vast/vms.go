package vast

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"apitoken/events"
	"apitoken/events/settings"
	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

// defaultTimeout is the lifetime that enabling sets if there is none (kb.vastdata.com,
// "vms modify_pwd_settings").
const defaultTimeout = 180 * 24 * time.Hour

// checkVMS refuses a path whose VMS is not a number. Every number is this service:
// scripts have the number of their own VMS.
func (x exchange) checkVMS() error {
	if id := x.Request.PathValue("vms"); id == "" || strings.Trim(id, "0123456789") != "" {
		return machine.NewProblem("path_not_found", "The id of the VMS in the path is not a whole number.")
	}
	return nil
}

func (x exchange) setMaximum() (machine.Answer, error) {
	if err := x.checkVMS(); err != nil {
		return machine.Answer{}, err
	}
	var limit *int
	if err := x.Decode(machine.Value("max_api_tokens_per_user", "a whole number from 0 to 50", &limit)); err != nil {
		return machine.Answer{}, err
	}
	if limit == nil {
		return machine.Answer{}, machine.FieldProblem("invalid_field", "max_api_tokens_per_user", "is missing; give a whole number from 0 to 50")
	}
	set, err := x.Config.Issuer.ChangeSettings(x.Request.Context(), x.Principal, settings.Change{TokenLimit: limit})
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing the token limit: %w", err)
	}
	return machine.Answer{Body: Maximum{Tokens: set.TokenLimit}}, nil
}

func (x exchange) timeout() (machine.Answer, error) {
	if err := x.checkVMS(); err != nil {
		return machine.Answer{}, err
	}
	set, err := x.Config.Issuer.Settings(x.Request.Context(), x.Principal)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading the settings: %w", err)
	}
	return machine.Answer{Body: timeoutOf(set)}, nil
}

func (x exchange) setTimeout() (machine.Answer, error) {
	if err := x.checkVMS(); err != nil {
		return machine.Answer{}, err
	}
	wanted, err := x.wantedTimeout()
	if err != nil {
		return machine.Answer{}, err
	}
	set, err := x.Config.Issuer.ChangeSettings(x.Request.Context(), x.Principal, settings.Change{Expiration: wanted})
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing the lifetime: %w", err)
	}
	return machine.Answer{Body: timeoutOf(set)}, nil
}

// wantedTimeout reads the body of setTimeout: the new lifetime, zero for none, and nil
// if it stays as it is. A lifetime alone also enables.
func (x exchange) wantedTimeout() (*time.Duration, error) {
	var lifetime string
	var enabled *bool
	err := x.Decode(
		machine.Value("pwd_expiration_timeout", wantExpiry, &lifetime),
		machine.Value("pwd_expiration_timeout_enabled", "true or false", &enabled),
	)
	switch {
	case err != nil:
		return nil, err
	case lifetime == "" && enabled == nil:
		return nil, machine.FieldProblem("invalid_field", "pwd_expiration_timeout", "and pwd_expiration_timeout_enabled are both missing; give one of them")
	case enabled != nil && !*enabled && lifetime != "":
		return nil, machine.FieldProblem("invalid_field", "pwd_expiration_timeout", "sets a lifetime, and pwd_expiration_timeout_enabled is false and removes it; give one of them")
	case enabled != nil && !*enabled:
		return new(time.Duration(0)), nil
	case lifetime != "":
		return parseTimeout(lifetime)
	}
	now, err := x.Config.Issuer.Settings(x.Request.Context(), x.Principal)
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	if now.Expiration > 0 {
		return nil, nil
	}
	return new(defaultTimeout), nil
}

func parseTimeout(text string) (*time.Duration, error) {
	if err := machine.NoToken(machine.Text("pwd_expiration_timeout", text)); err != nil {
		return nil, err
	}
	lifetime, err := token.ParseLifetime(text)
	if err != nil {
		return nil, fmt.Errorf("reading the lifetime: %w", inField("pwd_expiration_timeout", err))
	}
	return &lifetime, nil
}

func timeoutOf(set settings.State) Timeout {
	if set.Expiration == 0 {
		return Timeout{Lifetime: token.FormatLifetime(defaultTimeout)}
	}
	return Timeout{Lifetime: token.FormatLifetime(set.Expiration), Enabled: true}
}

// inField returns a refusal of the rules that is about another member than its name
// says. It returns every other error unchanged.
func inField(field string, err error) error {
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok {
		return err
	}
	named := *r
	named.Field = field
	return &named
}
