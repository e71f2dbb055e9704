package httpapi

import (
	"fmt"
	"math"
	"time"

	"apitoken/events/settings"
	"apitoken/functions/httpapi/machine"
)

// Settings are the settings of the service. They apply to all users. Durations are
// whole seconds.
type Settings struct {
	TokenLimit        int   `json:"token_limit"`                // live tokens of a user without a limit of its own
	ExpirationTimeout int64 `json:"expiration_timeout_seconds"` // default and maximum lifetime of a token; 0: neither
	RotationGrace     int64 `json:"rotation_grace_seconds"`     // how long the secret before a rotation passes, by default
	Retention         int64 `json:"retention_seconds"`          // how long records and ended tokens are kept; 0: for ever
	WarningDays       []int `json:"warning_days"`               // days before an expiry, descending; none: no warnings
	ChangeRate        int   `json:"change_rate"`                // changes of a user's tokens in an hour; 0: no limit
}

// SettingsChange has the settings that shall change. Members that are nil stay as
// they are.
type SettingsChange struct {
	TokenLimit        *int   `json:"token_limit,omitempty"`                // 0 to 50
	ExpirationTimeout *int64 `json:"expiration_timeout_seconds,omitempty"` // 0 to 9223372036
	RotationGrace     *int64 `json:"rotation_grace_seconds,omitempty"`     // 0 to 31536000
	Retention         *int64 `json:"retention_seconds,omitempty"`          // 0 to 9223372036
	WarningDays       *[]int `json:"warning_days,omitempty"`               // at most 10 different numbers from 1 to 365
	ChangeRate        *int   `json:"change_rate,omitempty"`                // 0 to 1000000
}

func (x exchange) settings() (machine.Answer, error) {
	set, err := x.Config.Issuer.Settings(x.Request.Context(), x.Principal)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("reading the settings: %w", err)
	}
	return machine.Answer{Body: settingsOf(set)}, nil
}

func (x exchange) changeSettings() (machine.Answer, error) {
	change, err := x.settingsChange()
	if err != nil {
		return machine.Answer{}, err
	}
	set, err := x.Config.Issuer.ChangeSettings(x.Request.Context(), x.Principal, change)
	if err != nil {
		return machine.Answer{}, fmt.Errorf("changing the settings: %w", err)
	}
	return machine.Answer{Body: settingsOf(set)}, nil
}

// settingsChange reads the body. The rules check the values that an int or a
// duration can hold.
func (x exchange) settingsChange() (c settings.Change, err error) {
	var expiration, grace, retention *int64
	const seconds = "a whole number of seconds, like 86400"
	err = x.Decode(
		machine.Value("token_limit", "a whole number from 0 to 50", &c.TokenLimit),
		machine.Value(settings.FieldExpiration, seconds, &expiration),
		machine.Value(settings.FieldGrace, seconds, &grace),
		machine.Value(settings.FieldRetention, seconds, &retention),
		machine.Value("warning_days", "a list of whole numbers from 1 to 365", &c.WarningDays),
		machine.Value("change_rate", "a whole number from 0 to 1000000", &c.ChangeRate),
	)
	if err != nil {
		return c, err
	}
	if c.Expiration, err = duration(settings.FieldExpiration, expiration); err != nil {
		return c, err
	}
	if c.RotationGrace, err = duration(settings.FieldGrace, grace); err != nil {
		return c, err
	}
	c.Retention, err = duration(settings.FieldRetention, retention)
	return c, err
}

// maxSeconds is the largest number of whole seconds in a time.Duration.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// duration is a number of seconds as a duration. Without the check a large number
// would become another one.
func duration(field string, seconds *int64) (*time.Duration, error) {
	if seconds == nil {
		return nil, nil
	}
	if *seconds < 0 || *seconds > maxSeconds {
		return nil, machine.FieldProblem("invalid_field", field, fmt.Sprintf("is %d; allowed: 0 to %d", *seconds, maxSeconds))
	}
	return new(time.Duration(*seconds) * time.Second), nil
}

func settingsOf(s settings.State) Settings {
	return Settings{
		TokenLimit: s.TokenLimit, ExpirationTimeout: int64(s.Expiration / time.Second), RotationGrace: int64(s.RotationGrace / time.Second),
		Retention: int64(s.Retention / time.Second), WarningDays: orEmpty(s.WarningDays), ChangeRate: s.ChangeRate,
	}
}
