package httpapi

import (
	"fmt"
	"time"

	"apitoken/events/token"
	"apitoken/functions/httpapi/machine"
)

func (x exchange) rotate() (machine.Answer, error) {
	key, err := x.requestKey()
	if err != nil {
		return machine.Answer{}, err
	}
	ifMatch, err := x.ifMatch()
	if err != nil {
		return machine.Answer{}, err
	}
	grace, err := x.grace()
	if err != nil {
		return machine.Answer{}, err
	}
	made, err := x.Config.Issuer.RotateOnce(x.Request.Context(), x.Principal, key, x.tokenID(), ifMatch, grace)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("rotating a token: %w", err)
	}
	return mintedAnswer(made), nil
}

// grace reads the body of a rotation. nil means the grace of the settings.
func (x exchange) grace() (*time.Duration, error) {
	var given string
	if err := x.Decode(machine.Value("grace", "a string: a number and a unit, like 24H, or 0", &given)); err != nil {
		return nil, err
	}
	if err := machine.NoToken(machine.Text("grace", given)); err != nil || given == "" {
		return nil, err
	}
	grace, err := token.ParseGrace(given)
	if err != nil {
		return nil, fmt.Errorf("reading the grace: %w", err)
	}
	return &grace, nil
}
