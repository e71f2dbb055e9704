package operator

import (
	"fmt"

	"apitoken/cmd/apitoken/console"
	"apitoken/events"
	"apitoken/events/secret"
)

// TableSettings reads PEPPERS and TOKEN_PREFIX, which each command needs that makes
// tokens in a table. An error never has a part of a pepper.
func TableSettings(e *console.Env) (keys events.Keys, prefix string, err error) {
	peppers, err := e.EnvValue("PEPPERS")
	if err != nil {
		return keys, "", err
	}
	if peppers == "" {
		return keys, "", console.Usagef("PEPPERS is not set: --table needs the peppers of the stack")
	}
	if keys, err = events.ParseKeys(peppers); err != nil {
		return keys, "", fmt.Errorf("reading PEPPERS: %w", err)
	}
	if prefix, err = e.EnvValue("TOKEN_PREFIX"); err != nil || prefix == "" {
		return keys, "", err
	}
	if err := secret.ValidPrefix(prefix); err != nil {
		return keys, "", fmt.Errorf("reading TOKEN_PREFIX: %w", err)
	}
	return keys, prefix, nil
}
