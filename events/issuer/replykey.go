package issuer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/secret"
)

// replyKids is how many peppers, the current one first, a repeat of a command
// looks for its reply under. A new pepper is listed second and then first, so the
// pepper of a reply of the last 24 hours is one of the first two; the third is for
// a second change on the same day. The number bounds the reads of a call.
const replyKids = 3

// replyKey seals and opens the replies to one command of one caller.
type replyKey struct {
	name string // the key in the store
	aead cipher.AEAD
}

// replyKeysOf returns the keys for one acting token and one idempotency key, the
// one under the current pepper first.
func replyKeysOf(k events.Keys, tokenID string, key RequestKey) ([]replyKey, error) {
	kids := k.Kids()
	kids = kids[:min(len(kids), replyKids)]
	keys := make([]replyKey, len(kids))
	for n, kid := range kids {
		var err error
		if keys[n], err = newReplyKey(k, kid, tokenID, key); err != nil {
			return nil, fmt.Errorf("making the key of a reply: %w", err)
		}
	}
	return keys, nil
}

// newReplyKey derives name and encryption key with HKDF (RFC 5869). The MAC is the
// step HKDF-Extract with the pepper as salt. So neither can be computed without
// the pepper, and neither shows the other. The idempotency key is a part of the
// input: the peppers alone do not open the reply of an unknown key.
func newReplyKey(k events.Keys, kid, tokenID string, key RequestKey) (replyKey, error) {
	message := []byte("apitoken/reply/1\x00")
	for _, part := range [...]string{tokenID, key.Route, key.Value} {
		message = append(binary.AppendUvarint(message, uint64(len(part))), part...)
	}
	extracted, err := k.MAC(kid, message)
	if err != nil {
		return replyKey{}, err
	}
	name, err := hkdf.Expand(sha256.New, extracted, "name", sha256.Size)
	if err != nil {
		return replyKey{}, err
	}
	secret, err := hkdf.Expand(sha256.New, extracted, "AES-256-GCM", 32)
	if err != nil {
		return replyKey{}, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return replyKey{}, err
	}
	// The nonce is random: racing calls seal different answers with the same key.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return replyKey{hex.EncodeToString(name), aead}, err
}

// answered is the content of a sealed reply. The view has the token id and the
// verifier.
type answered struct {
	Command [sha256.Size]byte `json:"c"` // the digest of the command
	At      time.Time         `json:"t"`
	Text    string            `json:"s"` // the token with its secret
	View    events.View       `json:"v"` // as the first answer showed the token
	Use     events.Use        `json:"u,omitzero"`
}

// minted returns the first answer again.
func (a answered) minted() Minted {
	return Minted{Token: tokenAt(a.View, a.Use, a.At), Text: secret.New(a.Text), Replayed: true}
}

func (k replyKey) seal(a answered) (*events.Reply, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encoding a reply: %w", err)
	}
	return &events.Reply{Key: k.name, Sealed: k.aead.Seal(nil, nil, b, []byte(k.name)), At: a.At}, nil
}

// open returns an error that wraps events.ErrDamaged if the reply is not one that
// seal returned for this key.
func (k replyKey) open(r events.Reply) (a answered, err error) {
	b, err := k.aead.Open(nil, nil, r.Sealed, []byte(k.name))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		return answered{}, fmt.Errorf("opening the reply of an earlier call: %w: %w", events.ErrDamaged, err)
	}
	if !a.At.Equal(r.At) {
		return answered{}, fmt.Errorf("opening the reply of an earlier call: %w: its time was changed", events.ErrDamaged)
	}
	return a, nil
}
