package bolt

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"apitoken/events"

	"github.com/fxamacker/cbor/v2"
)

// Values are CBOR maps with small numbers as names. They are compact, quick to
// read and can get new members. A number never gets another meaning.

type viewItem struct {
	Owner       string         `cbor:"1,keyasint,omitempty"`
	Creator     string         `cbor:"2,keyasint,omitempty"`
	Name        string         `cbor:"3,keyasint,omitempty"`
	Description string         `cbor:"4,keyasint,omitempty"`
	Kid         string         `cbor:"5,keyasint,omitempty"`
	MAC         []byte         `cbor:"6,keyasint,omitempty"`
	CreatedAt   instant        `cbor:"7,keyasint,omitzero"`
	ExpiresAt   instant        `cbor:"8,keyasint,omitzero"`
	Disabled    bool           `cbor:"9,keyasint,omitempty"`
	Scopes      []string       `cbor:"10,keyasint,omitempty"`
	SourceIPs   []netip.Prefix `cbor:"11,keyasint,omitempty"`
	First       uint64         `cbor:"12,keyasint,omitempty"`
	Seq         uint64         `cbor:"13,keyasint,omitempty"`
	Ended       events.Ending  `cbor:"14,keyasint,omitempty"`
	EndedAt     instant        `cbor:"15,keyasint,omitzero"`
	KeepUntil   instant        `cbor:"16,keyasint,omitzero"`
	SealKid     string         `cbor:"17,keyasint,omitempty"`
	Seal        []byte         `cbor:"18,keyasint,omitempty"`

	Suspended     bool    `cbor:"19,keyasint,omitempty"`
	OutgoingKid   string  `cbor:"20,keyasint,omitempty"`
	Outgoing      []byte  `cbor:"21,keyasint,omitempty"`
	OutgoingUntil instant `cbor:"22,keyasint,omitzero"`
	Rotated       uint64  `cbor:"23,keyasint,omitempty"`

	Kind        string   `cbor:"24,keyasint,omitempty"`
	Via         string   `cbor:"25,keyasint,omitempty"`
	Permissions []string `cbor:"26,keyasint,omitempty"`
	MakesUntil  instant  `cbor:"27,keyasint,omitzero"`
	From        string   `cbor:"28,keyasint,omitempty"`
	UI          bool     `cbor:"29,keyasint,omitempty"`
}

type useItem struct {
	At      instant `cbor:"1,keyasint,omitzero"`
	Address string  `cbor:"2,keyasint,omitempty"`
}

type headItem struct {
	Version   uint64      `cbor:"1,keyasint"`
	Hash      events.Hash `cbor:"2,keyasint"`
	At        instant     `cbor:"3,keyasint,omitzero"`
	KeepUntil instant     `cbor:"4,keyasint,omitzero"`
	StateV    int         `cbor:"5,keyasint"`
	State     []byte      `cbor:"6,keyasint,omitempty"`
	Kid       string      `cbor:"7,keyasint"`
	MAC       []byte      `cbor:"8,keyasint"`
}

type recordItem struct {
	Type      string      `cbor:"1,keyasint"`
	V         int         `cbor:"2,keyasint"`
	Command   string      `cbor:"3,keyasint,omitempty"`
	Actor     string      `cbor:"4,keyasint,omitempty"`
	TokenID   string      `cbor:"5,keyasint,omitempty"`
	At        instant     `cbor:"6,keyasint,omitzero"`
	Public    []byte      `cbor:"7,keyasint"`
	Private   []byte      `cbor:"8,keyasint"`
	Prev      events.Hash `cbor:"9,keyasint"`
	Hash      events.Hash `cbor:"10,keyasint"`
	KeepUntil instant     `cbor:"11,keyasint,omitzero"`
	Kid       string      `cbor:"12,keyasint"`
	MAC       []byte      `cbor:"13,keyasint"`

	ActorVia     string `cbor:"14,keyasint,omitempty"`
	ActorAddress string `cbor:"15,keyasint,omitempty"`
}

type replyItem struct {
	Sealed []byte  `cbor:"1,keyasint"`
	At     instant `cbor:"2,keyasint,omitzero"`
}

type noticeItem struct {
	Type    string  `cbor:"1,keyasint"`
	V       int     `cbor:"2,keyasint"`
	Time    instant `cbor:"3,keyasint,omitzero"`
	Subject string  `cbor:"4,keyasint,omitempty"`
	Command string  `cbor:"5,keyasint,omitempty"`
	Actor   string  `cbor:"6,keyasint,omitempty"`
	TokenID string  `cbor:"7,keyasint,omitempty"`
	Data    []byte  `cbor:"8,keyasint,omitempty"`
}

// instant is a time in UTC, in microseconds since the year 1, so the zero instant
// is the zero time.
type instant int64

// year1 is the zero time in Unix microseconds.
const year1 = -62135596800_000000

func instantOf(t time.Time) instant { return instant(t.UnixMicro() - year1) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i) + year1).UTC() }

// decoding accepts invalid UTF-8, because a stored value must stay readable. The
// rules (events/token, events/settings) check texts before they are stored.
var decoding = must(cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode())

func must[M any](m M, err error) M {
	if err != nil {
		panic(err)
	}
	return m
}

func encode(item any) ([]byte, error) {
	b, err := cbor.Marshal(item)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	return b, nil
}

func decode(b []byte, item any) error {
	if err := decoding.Unmarshal(b, item); err != nil {
		return fmt.Errorf("%w: %w", events.ErrDamaged, err)
	}
	return nil
}

// decoded decodes an item that a reader has not read. In its own function the item
// costs the reader no allocation.
func decoded[T any](b []byte) (item T, err error) {
	err = decode(b, &item)
	return item, err
}

// The value of a token is the length of its use, the use and the view. One read
// returns both, and each can be written without a change of the other.

func joinToken(use, view []byte) []byte {
	b := binary.AppendUvarint(make([]byte, 0, 2+len(use)+len(view)), uint64(len(use)))
	return append(append(b, use...), view...)
}

func splitToken(b []byte) (use, view []byte, err error) {
	n, start := binary.Uvarint(b)
	if start <= 0 || n > uint64(len(b)-start) {
		return nil, nil, fmt.Errorf("%w: the length of its use is wrong", events.ErrDamaged)
	}
	end := start + int(n)
	return b[start:end], b[end:], nil
}

func decodeUse(b []byte) (events.Use, error) {
	if len(b) == 0 {
		return events.Use{}, nil
	}
	i, ok := readUse(b)
	if !ok {
		var err error
		if i, err = decoded[useItem](b); err != nil {
			return events.Use{}, err
		}
	}
	return events.Use{At: i.At.time(), Address: i.Address}, nil
}

// viewOf returns the view in the value of a token, and the use that it does not
// decode. Its errors are a *events.DamagedView.
func viewOf(id string, b []byte) (v events.View, use []byte, err error) {
	use, view, err := splitToken(b)
	if err == nil {
		v, err = decodeView(id, view)
	}
	if err != nil {
		return events.View{}, nil, &events.DamagedView{TokenID: id, Reason: err}
	}
	return v, use, nil
}
