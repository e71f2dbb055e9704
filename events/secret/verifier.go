package secret

import (
	"crypto/hmac"
	"fmt"
	"sync"

	"apitoken/events"
)

// label is the first part of the message of which a verifier is the MAC. Other
// uses of a pepper begin their messages with other labels, so no other MAC under
// a pepper is a verifier.
const label = "apitoken/1"

// NewVerifier makes the verifier of the token's secret, under the current pepper.
// It covers id and owner too: moved to another token or owner, a verifier
// verifies nothing. The error wraps events.ErrUnknownKid if there are no keys.
func NewVerifier(k events.Keys, t Token, owner string) (events.Verifier, error) {
	mac, err := macOf(k, k.Current(), t, owner)
	if err != nil {
		return events.Verifier{}, fmt.Errorf("making the verifier of token %s: %w", t.ID, err)
	}
	return events.Verifier{Kid: k.Current(), MAC: mac}, nil
}

// Verify reports, in constant time, whether the verifier was made from this token
// for this owner. The error wraps events.ErrUnknownKid: this is a fault of the
// deployment and no reason to refuse the token.
func Verify(k events.Keys, v events.Verifier, t Token, owner string) (bool, error) {
	mac, err := macOf(k, v.Kid, t, owner)
	if err != nil {
		return false, fmt.Errorf("verifying token %s: %w", t.ID, err)
	}
	return hmac.Equal(mac, v.MAC), nil
}

// buffers are reused so that a request does not allocate its message. They are
// cleared after use because they contain secrets.
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
