package name

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"apitoken/events/secret"
)

// oidcForm begins the owner key of a person whom an identity provider knows. No other
// form of owner key begins with it.
const oidcForm = "oidc"

const (
	// MaxAlias is the limit of the alias of an issuer, in bytes.
	MaxAlias = 16

	// oidcDigits is the number of letters that stand for a person: 130 bits.
	oidcDigits = 26

	aliasLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	oidcLetters  = "abcdefghijklmnopqrstuvwxyz234567" // base32 of RFC 4648 in lower case
)

// OwnerOf returns the owner key of a person at an identity provider: oidc:ALIAS:ID. The
// ID is the first 26 letters in base32 of the SHA-256 of issuer, a zero byte and sub, in
// lower case. OpenID Connect Core section 5.7: only issuer and sub together name a
// person for ever; an e-mail address or a user name may become another person's.
func OwnerOf(alias, issuer, sub string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + sub))
	return oidcForm + ":" + alias + ":" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:oidcDigits]
}

// AliasOf returns the alias in an owner key of OwnerOf, and false for another key.
func AliasOf(key string) (alias string, ok bool) {
	if !isOIDC(key) || checkOIDC(key) != nil {
		return "", false
	}
	return strings.Split(key, ":")[1], true
}

// CheckAlias refuses a text that cannot be the alias of an issuer.
func CheckAlias(alias string) error {
	if alias == "" || len(alias) > MaxAlias || strings.Trim(alias, aliasLetters) != "" {
		return fmt.Errorf("the alias %s is invalid; allowed: 1 to %d lower-case letters, digits and hyphens", secret.Quote(alias), MaxAlias)
	}
	return nil
}

func isOIDC(key string) bool { return strings.HasPrefix(key, oidcForm+":") }

// checkOIDC refuses a key that OwnerOf does not return.
func checkOIDC(key string) error {
	parts := strings.Split(key, ":")
	if len(parts) != 3 || CheckAlias(parts[1]) != nil || len(parts[2]) != oidcDigits || strings.Trim(parts[2], oidcLetters) != "" {
		return invalid(fieldUser, "the user %s is invalid; allowed: oidc:ALIAS:ID, with the alias of an issuer and %d letters a to z and digits 2 to 7", secret.Quote(key), oidcDigits)
	}
	return nil
}
