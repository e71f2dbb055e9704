package oidc

import (
	"fmt"

	"apitoken/events"
	"apitoken/events/identity"
)

func refuse(code, format string, values ...any) error {
	return &events.Refusal{Code: code, Detail: fmt.Sprintf(format, values...)}
}

func malformed(format string, values ...any) error {
	return refuse(identity.CodeMalformed, format, values...)
}

func invalid(format string, values ...any) error {
	return refuse(identity.CodeInvalid, format, values...)
}

func refused(format string, values ...any) error {
	return refuse(identity.CodeRefused, format, values...)
}
