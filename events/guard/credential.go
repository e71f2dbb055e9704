package guard

import (
	"encoding/base64"
	"strings"

	"apitoken/events/secret"
)

// Credential returns the token of a request. Its argument has all values of the
// Authorization header; only one credential is allowed. Allowed schemes are
// Bearer (RFC 6750), Api-Token, and Basic (RFC 7617) with the token as the
// password. Scheme names may be in any case (RFC 9110 section 11.1). The error
// is a *Denial and contains no part of the header.
func Credential(authorization []string) (secret.Token, error) {
	if len(authorization) > 1 {
		return secret.Token{}, repeated
	}
	var header string
	if len(authorization) == 1 {
		header = strings.Trim(authorization[0], " \t")
	}
	if header == "" {
		return secret.Token{}, missing
	}
	scheme, text, _ := strings.Cut(header, " ")
	basic := strings.EqualFold(scheme, "Basic")
	if !basic && !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Api-Token") {
		return secret.Token{}, unsupported
	}
	text = strings.Trim(text, " \t")
	switch {
	case text == "":
		return secret.Token{}, missing
	case strings.ContainsAny(text, ", \t"):
		// Gateways join repeated headers with commas, and no token has a comma.
		return secret.Token{}, repeated
	case basic:
		return basicToken(text)
	}
	return parseToken(text)
}

// basicToken returns the token of a Basic credential, its password. The user
// name is ignored, except if it is a token too: then there are two credentials.
func basicToken(encoded string) (secret.Token, error) {
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return secret.Token{}, malformed
	}
	user, pass, found := strings.Cut(string(decoded), ":")
	if !found {
		return secret.Token{}, malformed
	}
	if _, err := secret.Parse(user); err == nil {
		return secret.Token{}, repeated
	}
	return parseToken(pass)
}

func parseToken(text string) (secret.Token, error) {
	t, err := secret.Parse(text)
	if err != nil {
		return secret.Token{}, malformed
	}
	return t, nil
}
