package events

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ErrUnknownKid is the error when the process lacks the pepper of a kid. It is a
// fault of the deployment, never a reason to refuse a token.
var ErrUnknownKid = errors.New("unknown pepper")

// minPepper is the shortest pepper in bytes. A shorter key weakens HMAC-SHA-256
// (RFC 2104 section 3: at least the length of the hash).
const minPepper = sha256.Size

var kidForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,16}$`)

// Keys are the deployment's peppers by kid. The first pepper is the current one:
// new verifiers and seals use it. The others only verify older ones. The zero
// Keys have no pepper. Keys print only the current kid.
type Keys struct {
	kids    []string // in their order; the first is current
	peppers map[string]*pepper
}

// pepper reuses HMAC states that have their key already. Setting the key costs
// more than the MAC of a short message, and every authorization needs one.
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

// ParseKeys reads "kid:base64[,kid:base64...]", the form of the variable PEPPERS:
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
		k.kids = append(k.kids, kid)
		k.peppers[kid] = newPepper(key)
	}
	return k, nil
}

// Current is the kid of the pepper that new verifiers and seals use; "" without
// peppers.
func (k Keys) Current() string {
	if len(k.kids) == 0 {
		return ""
	}
	return k.kids[0]
}

// Kids returns the kids of all peppers in their order, the current one first.
func (k Keys) Kids() []string { return slices.Clone(k.kids) }

// MAC is the HMAC-SHA-256 of message under the pepper named kid, 32 bytes. Each
// purpose begins its messages with its own label, so that no MAC serves two
// purposes. The error wraps ErrUnknownKid.
func (k Keys) MAC(kid string, message []byte) ([]byte, error) {
	p, ok := k.peppers[kid]
	if !ok {
		return nil, fmt.Errorf("pepper %q: %w", kid, ErrUnknownKid)
	}
	return p.mac(message), nil
}

// Format prints the current kid and never a pepper, in every verb.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "Keys(%s)", k.Current()) }
