package guard

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"unicode"

	"apitoken/events/secret"
)

// diagnose returns the denial for a value of the Authorization header that gives
// no token. It looks for the mistakes that people and programs make often, so
// that the caller learns what to change. It is not on the path of a request that
// passes.
func diagnose(header string) *Denial {
	switch {
	case header == "":
		return missing
	case severalCredentials(header):
		return repeated
	}
	scheme, text, _ := strings.Cut(header, " ")
	text = strings.Trim(text, " \t")
	switch {
	case strings.EqualFold(scheme, basicScheme):
		return diagnoseBasic(text)
	case isOneOf(scheme, tokenSchemes):
		return diagnoseToken(text)
	}
	return diagnoseScheme(header)
}

// otherSchemes are schemes that the service does not accept: those of IANA's HTTP
// Authentication Scheme Registry, and a few that products use.
var otherSchemes = []string{
	"Concealed", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate", "OAuth", "PrivateToken", "SCRAM-SHA-1",
	"SCRAM-SHA-256", "vapid", "NTLM", "ApiKey", "Api-Key", "AWS4-HMAC-SHA256", "GoogleLogin", "Hawk", "Key", "PRIVATE-TOKEN", "Signature",
}

// severalCredentials reports whether a header has two tokens, or two known schemes
// with a text each. Gateways join repeated headers with commas. Other words before a
// text are no scheme: a header may have the text of an error message in place of a
// token.
func severalCredentials(header string) bool {
	if tokensIn(header) > 1 {
		return true
	}
	known := slices.Concat(tokenSchemes, []string{basicScheme}, otherSchemes)
	credentials := 0
	for part := range strings.SplitSeq(header, ",") {
		scheme, text, _ := strings.Cut(strings.TrimSpace(part), " ")
		if text != "" && isOneOf(scheme, known) {
			credentials++
		}
	}
	return credentials > 1
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// tokensIn counts the words that contain a token. A word has the characters of
// tokens only.
func tokensIn(text string) (n int) {
	words := strings.FieldsFuncSeq(text, func(r rune) bool {
		return !strings.ContainsRune(letters+"0123456789_.", r)
	})
	for word := range words {
		if secret.Within(word) {
			n++
		}
	}
	return n
}

// diagnoseScheme returns the denial for a header that does not begin with a known
// scheme and a space.
func diagnoseScheme(header string) *Denial {
	if _, err := secret.Parse(header); err == nil {
		return noScheme
	}
	for _, scheme := range slices.Concat(tokenSchemes, []string{basicScheme}) {
		if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
			continue
		}
		switch rest := header[len(scheme):]; {
		case strings.ContainsAny(rest[:1], ":="):
			return schemePunctuated
		case rest[0] == '\t', tokensIn(rest) > 0:
			return noSpace
		}
	}
	name, _, _ := strings.Cut(header, ":")
	if strings.EqualFold(strings.TrimSpace(name), "Authorization") {
		return nameInValue
	}
	return unsupported
}

// mistake is a mistake in the text in place of a token, and its denial.
type mistake struct {
	made   func(text string) bool
	denial *Denial
}

// mistakes are in the order in which they are looked for: a text may match
// several rows.
var mistakes = []mistake{
	{func(text string) bool { return text == "" }, missing},
	{beginsWithScheme, schemeTwice},
	{func(text string) bool { return strings.ContainsAny(text, "\r\n") || strings.HasSuffix(text, `\n`) }, lineBreak},
	{isVariable, unsetVariable},
	{isPair, pair},
	{func(text string) bool { return strings.ContainsAny(text, "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb") }, quoted},
	{func(text string) bool { return strings.ContainsAny(text, "<>{}[]()") }, bracketed},
	{func(text string) bool { return strings.Contains(text, "%") }, percentEncoded},
	{func(text string) bool { return strings.Trim(text, ",;") != text }, punctuation},
	{func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
	}, notASCII},
	{func(text string) bool { return strings.ContainsAny(text, " \t") }, spaces},
	{secret.IsID, onlyID},
	{isMistyped, mistyped},
}

// diagnoseToken returns the denial for a text that is not a token.
func diagnoseToken(text string) *Denial {
	for _, m := range mistakes {
		if m.made(text) {
			return m.denial
		}
	}
	return malformed
}

// beginsWithScheme reports whether a text has the word of a scheme and then more.
func beginsWithScheme(text string) bool {
	word, rest, _ := strings.Cut(text, " ")
	word = strings.TrimRight(word, ":")
	return rest != "" && (isOneOf(word, tokenSchemes) || strings.EqualFold(word, basicScheme))
}

// isPair reports whether a text has a token as the value of a name, like
// token="TOKEN".
func isPair(text string) bool {
	name, value, found := strings.Cut(text, "=")
	return found && strings.Trim(name, letters+"_- ") == "" && value != ""
}

// isVariable reports whether a text is $NAME, ${NAME}, {{NAME}} or %NAME%.
func isVariable(text string) bool {
	name, percent := strings.CutPrefix(text, "%")
	return strings.HasPrefix(text, "$") || strings.HasPrefix(text, "{{") || percent && strings.HasSuffix(name, "%")
}

func isMistyped(text string) bool {
	_, err := secret.Parse(text)
	return errors.Is(err, secret.ErrChecksum)
}

// diagnoseBasic returns the denial for the text of a Basic credential that gives
// no token.
func diagnoseBasic(encoded string) *Denial {
	user, password, ok := userAndPassword(encoded)
	switch {
	case encoded == "":
		return missing
	case !ok:
		return diagnoseBase64(encoded)
	case tokensIn(user)+tokensIn(password) > 1:
		return repeated
	case isToken(user):
		return tokenAsUser
	case password == "":
		return noPassword
	case isPassword(password):
		return isAPassword
	}
	return diagnoseToken(password)
}

// isPassword reports whether a text is too short for a token and is not the value of
// a script that forgot to insert one. So it is probably a user's password.
func isPassword(text string) bool {
	return len(text) < secret.MinLen && !isVariable(text) && !beginsWithScheme(text)
}

func isToken(text string) bool {
	_, err := secret.Parse(text)
	return err == nil
}

// diagnoseBase64 returns the denial for a text that is not the base64 form of a
// user name, a colon and a password.
func diagnoseBase64(encoded string) *Denial {
	switch {
	case beginsWithScheme(encoded):
		return schemeTwice
	case tokensIn(encoded) > 0:
		return notBase64
	case decodes(base64.StdEncoding, encoded):
		return noColon
	}
	others := []*base64.Encoding{base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}
	if slices.ContainsFunc(others, func(e *base64.Encoding) bool { return decodes(e, encoded) }) {
		return otherBase64
	}
	return notBase64
}

func decodes(e *base64.Encoding, text string) bool {
	_, err := e.DecodeString(text)
	return err == nil
}
