package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrUnknownKid is wrapped by every use of a pepper that the process does not
// have. It is a fault of the deployment, never a reason to refuse a token.
var ErrUnknownKid = errors.New("unknown pepper")

// minPepper is the length in bytes below which a pepper would weaken
// HMAC-SHA-256 (RFC 2104 section 3: at least the hash's length).
const minPepper = sha256.Size

var kidForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,16}$`)

// Keys are the deployment's peppers by kid. The first one given is current:
// what is new is made with it; the others verify what is older. The zero Keys
// hold nothing. Keys print as their kids only.
type Keys struct {
	current string
	peppers map[string][]byte
}

// ParseKeys reads "kid:base64[,kid:base64...]", as the variable PEPPERS has it:
// kids of 1 to 16 letters, digits and hyphens, peppers of 32 bytes or more in
// standard base64. Its errors name the kid or the position, never a pepper.
func ParseKeys(text string) (Keys, error) {
	k := Keys{peppers: map[string][]byte{}}
	for i, pair := range strings.Split(text, ",") {
		kid, encoded, ok := strings.Cut(pair, ":")
		if !ok || !kidForm.MatchString(kid) {
			return Keys{}, fmt.Errorf("pepper %d: want KID:BASE64, with a kid of 1 to 16 letters, digits and hyphens", i+1)
		}
		pepper, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(pepper) < minPepper {
			return Keys{}, fmt.Errorf("pepper %q: want at least %d bytes in standard base64", kid, minPepper)
		}
		if _, twice := k.peppers[kid]; twice {
			return Keys{}, fmt.Errorf("pepper %q is given twice", kid)
		}
		if i == 0 {
			k.current = kid
		}
		k.peppers[kid] = pepper
	}
	return k, nil
}

// Current is the kid that new verifiers and seals are made with.
func (k Keys) Current() string { return k.current }

// MAC is HMAC-SHA-256 of message under the pepper named kid, 32 bytes. Each
// purpose begins its message with a label of its own. The error wraps
// ErrUnknownKid.
func (k Keys) MAC(kid string, message []byte) ([]byte, error) {
	pepper, ok := k.peppers[kid]
	if !ok {
		return nil, fmt.Errorf("pepper %q: %w", kid, ErrUnknownKid)
	}
	h := hmac.New(sha256.New, pepper)
	h.Write(message)
	return h.Sum(nil), nil
}

// Format prints the current kid and hides the peppers, in every verb.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Keys(%s)", k.current) }
