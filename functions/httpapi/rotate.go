package httpapi

import (
	"fmt"
	"time"

	"apitoken/events/token"
)

func (x *exchange) rotate() (answer, error) {
	key, err := x.requestKey()
	if err != nil {
		return answer{}, err
	}
	ifMatch, err := x.ifMatch()
	if err != nil {
		return answer{}, err
	}
	grace, err := x.grace()
	if err != nil {
		return answer{}, err
	}
	made, err := x.api.Issuer.RotateOnce(x.r.Context(), x.principal, key, x.tokenID(), ifMatch, grace)
	if err != nil {
		return answer{}, fmt.Errorf("rotating a token: %w", err)
	}
	return mintedAnswer(made), nil
}

// grace reads the body of a rotation. nil means the grace of the settings.
func (x *exchange) grace() (*time.Duration, error) {
	var given string
	if err := x.decode(member{"grace", "a string: a number and a unit, like 24H, or 0", &given}); err != nil {
		return nil, err
	}
	if err := noToken(text{"grace", given}); err != nil || given == "" {
		return nil, err
	}
	grace, err := token.ParseGrace(given)
	if err != nil {
		return nil, fmt.Errorf("reading the grace: %w", err)
	}
	return &grace, nil
}
