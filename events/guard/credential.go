package guard

import (
	"encoding/base64"
	"slices"
	"strings"

	"apitoken/events/secret"
)

// tokenSchemes are the schemes whose credential is the token itself: Bearer (RFC
// 6750), Api-Token, and Token, which several products use.
var tokenSchemes = []string{"Bearer", "Api-Token", "Token"}

// basicScheme is Basic (RFC 7617), for clients that know only a user name and a
// password.
const basicScheme = "Basic"

// oauthBasic is the password that git clients send when the user name is the
// token.
const oauthBasic = "x-oauth-basic"

// Credential returns the token of a request. Its argument has all values of the
// Authorization header. Exactly one credential is allowed; an empty value is
// none. Scheme names may be in any case (RFC 9110 section 11.1). Basic has the
// token as its password, or as its user name if the password is empty or
// x-oauth-basic; each may be percent-encoded. The error is a *Denial that names the problem and contains no
// part of the header.
func Credential(authorization []string) (secret.Token, error) {
	header, several := onlyValue(authorization)
	if several {
		return secret.Token{}, repeated
	}
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.Trim(text, " \t")
	if isOneOf(scheme, tokenSchemes) {
		if t, err := secret.Parse(text); err == nil {
			return t, nil
		}
	}
	if strings.EqualFold(scheme, basicScheme) {
		if t, ok := basicToken(text); ok {
			return t, nil
		}
	}
	return secret.Token{}, diagnose(header)
}

// onlyValue returns the value that is not blank, or true if there are several.
func onlyValue(values []string) (only string, several bool) {
	for _, value := range values {
		value = strings.Trim(value, " \t")
		if value == "" {
			continue
		}
		if only != "" {
			return "", true
		}
		only = value
	}
	return only, false
}

// basicToken returns the token of a Basic credential. It returns false if there
// is none, or if both the user name and the password are tokens.
func basicToken(encoded string) (secret.Token, bool) {
	user, password, ok := userAndPassword(encoded)
	if !ok {
		return secret.Token{}, false
	}
	ofUser, userErr := secret.Parse(user)
	ofPassword, passwordErr := secret.Parse(password)
	if userErr != nil {
		return ofPassword, passwordErr == nil
	}
	return ofUser, password == "" || password == oauthBasic
}

// userAndPassword returns both parts of a Basic credential. OAuth clients encode each
// part as a form does (RFC 6749 section 2.3.1), and some encode the dot of a token too.
// No token has a percent sign, so the decoded form is unambiguous.
func userAndPassword(encoded string) (user, password string, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	user, password, ok = strings.Cut(string(decoded), ":")
	if strings.Contains(user, "%") {
		user = unescaped(user)
	}
	if strings.Contains(password, "%") {
		password = unescaped(password)
	}
	return user, password, ok
}

func isOneOf(word string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}
