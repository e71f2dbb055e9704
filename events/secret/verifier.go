package secret

import (
	"crypto/hmac"
	"fmt"
	"sync"

	"apitoken/events"
)

// label begins every message that a verifier is made of, so that no other use
// of the peppers gives one.
const label = "apitoken/1"

// NewVerifier is what is kept of the token's secret, under the current pepper.
// It binds id and owner: a verifier that is moved to another token or owner
// verifies nothing. The error wraps events.ErrUnknownKid if there are no keys.
func NewVerifier(k events.Keys, t Token, owner string) (events.Verifier, error) {
	mac, err := macOf(k, k.Current(), t, owner)
	if err != nil {
		return events.Verifier{}, fmt.Errorf("making the verifier of token %s: %w", t.ID, err)
	}
	return events.Verifier{Kid: k.Current(), MAC: mac}, nil
}

// Verify says, in constant time, whether the token is the one that the verifier
// was made of for this owner. The error wraps events.ErrUnknownKid: that is a
// fault of the deployment and no reason to refuse a token.
func Verify(k events.Keys, v events.Verifier, t Token, owner string) (bool, error) {
	mac, err := macOf(k, v.Kid, t, owner)
	if err != nil {
		return false, fmt.Errorf("verifying token %s: %w", t.ID, err)
	}
	return hmac.Equal(mac, v.MAC), nil
}

// buffers keep the messages off the heap of every request; they are wiped
// after use because they hold secrets.
var buffers = sync.Pool{New: func() any { return new([512]byte) }}

func macOf(k events.Keys, kid string, t Token, owner string) ([]byte, error) {
	buffer := buffers.Get().(*[512]byte)
	defer buffers.Put(buffer)
	defer clear(buffer[:])
	message := append(buffer[:0], label...)
	for _, part := range [...]string{t.ID, owner, t.Secret.Reveal()} {
		message = append(append(message, 0), part...)
	}
	return k.MAC(kid, message)
}
