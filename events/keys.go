package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"sync"
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
	peppers map[string]*pepper
}

// pepper hands out HMAC states that are keyed already: keying one costs more
// than the MAC of a short message, and every authorization takes one.
type pepper struct{ states sync.Pool }

func newPepper(key []byte) *pepper {
	return &pepper{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (p *pepper) mac(message []byte) []byte {
	h := p.states.Get().(hash.Hash)
	defer p.states.Put(h)
	h.Reset()
	h.Write(message)
	return h.Sum(make([]byte, 0, sha256.Size))
}

// ParseKeys reads "kid:base64[,kid:base64...]", as the variable PEPPERS has it:
// kids of 1 to 16 letters, digits and hyphens, peppers of 32 bytes or more in
// standard base64. Its errors name the kid or the position, never a pepper.
func ParseKeys(text string) (Keys, error) {
	k := Keys{peppers: map[string]*pepper{}}
	for i, pair := range strings.Split(text, ",") {
		kid, encoded, ok := strings.Cut(pair, ":")
		if !ok || !kidForm.MatchString(kid) {
			return Keys{}, fmt.Errorf("pepper %d: want KID:BASE64, with a kid of 1 to 16 letters, digits and hyphens", i+1)
		}
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) < minPepper {
			return Keys{}, fmt.Errorf("pepper %q: want at least %d bytes in standard base64", kid, minPepper)
		}
		if _, twice := k.peppers[kid]; twice {
			return Keys{}, fmt.Errorf("pepper %q is given twice", kid)
		}
		if i == 0 {
			k.current = kid
		}
		k.peppers[kid] = newPepper(key)
	}
	return k, nil
}

// Current is the kid that new verifiers and seals are made with.
func (k Keys) Current() string { return k.current }

// MAC is HMAC-SHA-256 of message under the pepper named kid, 32 bytes. Each
// purpose begins its message with a label of its own. The error wraps
// ErrUnknownKid.
func (k Keys) MAC(kid string, message []byte) ([]byte, error) {
	p, ok := k.peppers[kid]
	if !ok {
		return nil, fmt.Errorf("pepper %q: %w", kid, ErrUnknownKid)
	}
	return p.mac(message), nil
}

// Format prints the current kid and hides the peppers, in every verb.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Keys(%s)", k.current) }
