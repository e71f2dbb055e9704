package events

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrDamaged: stored data was changed, planted, removed or put back by something
// other than this service, or cannot be decoded. It is always a fault. Nothing
// may be decided from such data, and it is no reason to refuse a caller. The
// error's text names the data.
//
// A seal under an unknown pepper is damaged too, because the name of the pepper
// is stored beside the seal. The error then also wraps ErrUnknownKid.
var ErrDamaged = errors.New("the stored data is damaged")

var (
	errUnsealed = errors.New("it has no seal")
	errBroken   = errors.New("its seal does not match its content: something other than this service changed it")
)

// DamagedView is the fault of a view that has no valid seal, or that cannot be
// decoded. It wraps ErrDamaged.
type DamagedView struct {
	TokenID string // from the view's key
	Reason  error
}

func (d *DamagedView) Error() string {
	return fmt.Sprintf("the view of token %q is damaged: %v", d.TokenID, d.Reason)
}

// Unwrap returns ErrDamaged and the reason.
func (d *DamagedView) Unwrap() []error { return []error{ErrDamaged, d.Reason} }

// DamagedRecord is the fault of a record, or of the copy of a record, that cannot
// be decoded. It wraps ErrDamaged.
type DamagedRecord struct {
	Stream Stream
	Seq    uint64 // from the key: a reader that goes on after Seq skips the record
	Reason error
}

func (d *DamagedRecord) Error() string {
	return fmt.Sprintf("record %s is damaged: %v", d.ID(), d.Reason)
}

// ID is the id of the record, as Record.ID.
func (d *DamagedRecord) ID() string { return recordID(d.Stream, d.Seq) }

// Unwrap returns ErrDamaged and the reason.
func (d *DamagedRecord) Unwrap() []error { return []error{ErrDamaged, d.Reason} }

// DamagedToken returns the id of the token with the damaged view that is the
// reason of the error, and "" if the error has another reason.
func DamagedToken(err error) string {
	if d, ok := errors.AsType[*DamagedView](err); ok {
		return d.TokenID
	}
	return ""
}

// seal returns the MAC of the message under the current pepper.
func (k Keys) seal(message []byte) (Verifier, error) {
	mac, err := k.MAC(k.Current(), message)
	return Verifier{Kid: k.Current(), MAC: mac}, err
}

// check returns an error unless a holder of the peppers made the seal over the
// message.
func (k Keys) check(seal Verifier, message []byte) error {
	if seal.Kid == "" && len(seal.MAC) == 0 {
		return errUnsealed
	}
	want, err := k.MAC(seal.Kid, message)
	switch {
	case err != nil:
		return fmt.Errorf("checking its seal: %w", err)
	case !hmac.Equal(want, seal.MAC):
		return errBroken
	}
	return nil
}

// Check returns a *DamagedView unless a holder of the peppers sealed the view
// with all its fields. So write access to the store alone can neither change a
// field nor move a view to another token. It must be called wherever a view
// that was read from a store decides or is shown.
func (v View) Check(k Keys) error {
	b := messages.Get().(*[]byte)
	defer messages.Put(b)
	*b = v.appendSealed((*b)[:0])
	if err := k.check(v.Seal, *b); err != nil {
		return &DamagedView{TokenID: v.ID, Reason: err}
	}
	return nil
}

// messages reuses the room for the messages of views, because every
// authorization needs one.
var messages = sync.Pool{New: func() any { b := make([]byte, 0, sealedSize); return &b }}

// sealedSize is the room for the message of a typical view, in bytes.
const sealedSize = 512

// Digest is the SHA-256 of both verifiers and of the sequence of the last
// rotation. A view's seal covers this digest, so a list that has the digest in
// place of these fields can check the seal.
func (v View) Digest() Hash {
	b := make([]byte, 0, 160)
	for _, verifier := range [...]Verifier{v.Verifier, v.Outgoing} {
		b = appendField(b, verifier.Kid)
		b = appendField(b, verifier.MAC)
	}
	return sha256.Sum256(appendNumber(b, v.Rotated))
}

// Equal reports whether both are the verifier of one secret. Both are stored values,
// so the comparison takes no constant time.
func (v Verifier) Equal(w Verifier) bool { return v.Kid == w.Kid && bytes.Equal(v.MAC, w.MAC) }

func (v Verifier) isZero() bool { return v.Kid == "" && len(v.MAC) == 0 }

// appendSealed appends the message of the view's seal. It has every field with its
// length, so two different views never have the same message.
func (v View) appendSealed(b []byte) []byte {
	digest := v.VerifierDigest
	if !v.listed() {
		digest = v.Digest()
	}
	b = append(b, "apitoken/view/1\x00"...)
	for _, s := range [...]string{v.ID, v.Owner, v.Creator, v.Name, v.Description, string(v.Ended)} {
		b = appendField(b, s)
	}
	b = appendField(b, digest[:])
	for _, t := range [...]time.Time{v.CreatedAt, v.ExpiresAt, v.EndedAt, v.KeepUntil, v.OutgoingUntil} {
		b = appendTime(b, t)
	}
	b = appendBool(b, v.Disabled)
	b = appendBool(b, v.Suspended)
	b = appendNumber(b, v.First)
	b = appendNumber(b, v.Seq)
	b = appendNumber(b, uint64(len(v.Scopes)))
	for _, s := range v.Scopes {
		b = appendField(b, s)
	}
	b = appendNumber(b, uint64(len(v.SourceIPs)))
	for _, p := range v.SourceIPs {
		length := len(b)
		b, _ = p.AppendBinary(append(b, 0)) // its error is always nil
		b[length] = byte(len(b) - length - 1)
	}
	return v.appendSession(b)
}

// appendSession appends the fields that only a session has. A view without them adds
// nothing, so the message of a token is never that of a session.
func (v View) appendSession(b []byte) []byte {
	if v.Kind == "" && v.Via == "" && len(v.Permissions) == 0 && v.MakesUntil.IsZero() && v.From == "" && !v.UI {
		return b
	}
	for _, s := range [...]string{v.Kind, v.Via, v.From} {
		b = appendField(b, s)
	}
	b = appendTime(b, v.MakesUntil)
	b = appendBool(b, v.UI)
	b = appendNumber(b, uint64(len(v.Permissions)))
	for _, s := range v.Permissions {
		b = appendField(b, s)
	}
	return b
}

// listed reports whether the view has the digest in place of the fields that the
// digest covers. With one of these fields, the digest is not used.
func (v View) listed() bool {
	return v.VerifierDigest != (Hash{}) && v.Verifier.isZero() && v.Outgoing.isZero() && v.Rotated == 0
}

func appendField[T string | []byte](b []byte, field T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}

func appendNumber(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(append(b, 8), n) }

func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(append(b, 12), uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1, 1)
	}
	return append(b, 1, 0)
}

// sealViews returns the views with their seals. It does not change its input.
func sealViews(k Keys, views []View) ([]View, error) {
	if len(views) == 0 {
		return views, nil
	}
	sealed := make([]View, len(views))
	for i, v := range views {
		var err error
		v.VerifierDigest = Hash{}
		if v.Seal, err = k.seal(v.appendSealed(nil)); err != nil {
			return nil, fmt.Errorf("sealing the view of token %q: %w", v.ID, err)
		}
		sealed[i] = v
	}
	return sealed, nil
}

// CheckMAC returns an error that wraps ErrDamaged unless a holder of the peppers
// wrote this record: its hash matches its content, and its MAC matches its hash.
// A notice has no MAC and is always refused.
func (m Message) CheckMAC(k Keys) error {
	if m.sum() != m.Hash {
		return fmt.Errorf("record %s: %w: its hash does not match its content", m.ID, ErrDamaged)
	}
	if err := k.check(m.MAC, m.maced()); err != nil {
		return fmt.Errorf("record %s: %w: its MAC is wrong, so this service did not write it: %w", m.ID, ErrDamaged, err)
	}
	return nil
}

// maced is the message of a record's MAC. The hash covers all other fields.
func (m Message) maced() []byte {
	b := append(make([]byte, 0, 128), "apitoken/record/1\x00"...)
	b = appendField(b, string(m.Stream))
	b = appendNumber(b, m.Seq)
	return appendField(b, m.Hash[:])
}
