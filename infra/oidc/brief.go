package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The longest text of a library, and the longest address within it, in an error, in bytes.
const (
	maxText        = 400
	maxTextAddress = 200
)

// brief is an error of a library as one short line. The libraries put into their errors
// what a provider sent: its issuer, its headers, and the addresses that it names.
func brief(err error) error {
	if err == nil {
		return nil
	}
	return briefError{err}
}

type briefError struct{ cause error }

func (e briefError) Error() string {
	text := e.cause.Error()
	if at, ok := errors.AsType[*url.Error](e.cause); ok && len(at.URL) > maxTextAddress { // the reason is after the address
		text = fmt.Sprintf("%s %q: %v", at.Op, cut(at.URL, maxTextAddress)+"...", at.Err)
	}
	return cut(strings.Map(graphic, text), maxText)
}

func (e briefError) Unwrap() error { return e.cause }
