package signin

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/oauth2"
)

// brief is an error of a library for a message of one line. The libraries put whole
// answers into their errors, and an answer may have a code or a token.
func brief(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refusalOf(refused.ErrorCode, refused.ErrorDescription, refused.Response)
	}
	return briefError{err}
}

type briefError struct{ cause error }

func (e briefError) Error() string { return shortened(e.cause.Error()) }
func (e briefError) Unwrap() error { return e.cause }

// refusals are the codes of an issuer that a person can do something about: RFC 6749
// sections 4.1.2.1 and 5.2, and RFC 8628 section 3.5.
var refusals = map[string]string{
	"access_denied":       "the sign-in was denied",
	"expired_token":       "the code was not used in time; run the command again",
	"invalid_client":      "the issuer does not accept the client id without a secret; the client there must be a public one",
	"unauthorized_client": "the client may not sign in this way; its settings at the issuer must allow it",
	"invalid_scope":       "the issuer does not offer one of the scopes",
}

// refusalOf is the error for a refusal of the issuer. Its description is the issuer's
// text, and only a code of the table is known not to be secret.
func refusalOf(code, description string, answer *http.Response) error {
	text, known := refusals[code]
	switch {
	case known:
		text = fmt.Sprintf("%s (%s)", text, code)
	case code != "" && len(code) <= 40 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") == "":
		text = "the issuer refused the sign-in (" + code + ")"
	case answer != nil:
		text = fmt.Sprintf("the issuer refused the sign-in (status %d)", answer.StatusCode)
	default:
		text = "the issuer refused the sign-in"
	}
	if description = shortened(long.ReplaceAllString(description, "(hidden)")); description != "" {
		text += ": " + description
	}
	return fmt.Errorf("%s", text)
}

// long are words that may be a code or a token: the issuer may repeat what it got.
var long = regexp.MustCompile(`[0-9A-Za-z_.~+=-]{16,}`)

// shortened is a text of the issuer for a message of one line.
func shortened(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
