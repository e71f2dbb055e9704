package events

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
)

// Kind is one row of the table of facts.
type Kind struct {
	Name    string       // the type of its records and events, such as "TokenCreated"
	Version int          // the version that new records have, 1 or more
	Streams []StreamKind // the streams that it belongs to

	decode func(Record) (Fact, error) // reads any version from 1 to Version
}

// table is the one table of facts. The codec, the schemas, the catalogue and
// the tests read it. A new fact needs a row here; the tests name the rest that
// it needs.
//
// It is a function and not a variable, so that a program that decodes no record
// does not link the decoders.
func table() []Kind {
	return []Kind{
		row[TokenCreated](1, decodeCreated, UserStreams),
		row[TokenUpdated](1, decode[TokenUpdated], UserStreams),
		row[TokenDisabled](1, decode[TokenDisabled], UserStreams),
		row[TokenEnabled](1, decode[TokenEnabled], UserStreams),
		row[TokenRotated](1, decodeRotated, UserStreams),
		row[TokenRevoked](1, decode[TokenRevoked], UserStreams),
		row[TokenExpired](1, decode[TokenExpired], UserStreams),
		row[OwnerLimitChanged](1, decode[OwnerLimitChanged], UserStreams),
		row[UserSuspended](1, decode[UserSuspended], UserStreams, SessionStreams),
		row[UserReinstated](1, decode[UserReinstated], UserStreams, SessionStreams),
		row[SessionOpened](1, decodeOpened, SessionStreams),
		row[SessionClosed](1, decode[SessionClosed], SessionStreams),
		row[SettingsChanged](1, decode[SettingsChanged], SettingsStreams),
		row[PermissionsChanged](1, decode[PermissionsChanged], SettingsStreams),
		row[GroupChanged](1, decode[GroupChanged], SettingsStreams),
	}
}

func row[F Fact](version int, decode func(Record) (Fact, error), streams ...StreamKind) Kind {
	var f F
	return Kind{Name: f.kind(), Version: version, Streams: streams, decode: decode}
}

// Kinds are all kinds of facts, in the order of the table.
func Kinds() []Kind { return table() }

func kindNamed(name string) (Kind, error) {
	for _, k := range table() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("unknown type %q: the table of facts does not have it", name)
}

// belongsTo returns an error if facts of this kind are in no stream like s.
// The rules of one stream cannot fold the facts of another.
func (k Kind) belongsTo(s Stream) error {
	if !slices.Contains(k.Streams, s.Kind()) {
		return fmt.Errorf("%s belongs to no stream like %s, only to streams of kind %q", k.Name, s, k.Streams)
	}
	return nil
}

// Decode returns the fact of a record. It is the one place where stored bytes
// become facts, and the place for upcasters. It refuses a type, a version and
// a stream that the table of facts does not have.
func Decode(r Record) (Fact, error) {
	f, err := decodeKind(r)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", r.ID(), err)
	}
	return f, nil
}

func decodeKind(r Record) (Fact, error) {
	k, err := kindNamed(r.Type)
	if err != nil {
		return nil, err
	}
	if r.V < 1 || r.V > k.Version {
		return nil, fmt.Errorf("unknown version %d of %s", r.V, r.Type)
	}
	if err := k.belongsTo(r.Stream); err != nil {
		return nil, err
	}
	return k.decode(r)
}

func decode[F Fact](r Record) (Fact, error) {
	var f F
	if err := json.Unmarshal(r.Public, &f); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", r.Type, err)
	}
	return f, nil
}

func decodeCreated(r Record) (Fact, error) {
	f, err := decode[TokenCreated](r)
	if err != nil {
		return nil, err
	}
	created := f.(TokenCreated)
	created.Verifier, err = privateVerifier(r)
	return created, err
}

func decodeRotated(r Record) (Fact, error) {
	f, err := decode[TokenRotated](r)
	if err != nil {
		return nil, err
	}
	rotated := f.(TokenRotated)
	rotated.Verifier, err = privateVerifier(r)
	return rotated, err
}

func decodeOpened(r Record) (Fact, error) {
	f, err := decode[SessionOpened](r)
	if err != nil {
		return nil, err
	}
	opened := f.(SessionOpened)
	opened.Verifier, err = privateVerifier(r)
	return opened, err
}

// privateVerifier returns the verifier in the private part of a record, the zero
// Verifier if there is none.
func privateVerifier(r Record) (Verifier, error) {
	var p private
	if err := json.Unmarshal(r.Private, &p); err != nil {
		return Verifier{}, fmt.Errorf("decoding the private part of %s: %w", r.Type, err)
	}
	if p.Verifier == nil {
		return Verifier{}, nil
	}
	return *p.Verifier, nil
}

// publicPart is the JSON of a fact or notice of kind k. Its first member "v" is the
// version that is written today.
func publicPart(k Kind, f any) ([]byte, error) {
	members, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, `{"v":%d`, k.Version)
	if !bytes.Equal(members, []byte("{}")) {
		b = append(b, ',')
	}
	return append(b, members[1:]...), nil
}

// private is the part of a record that never leaves the store. The nonce makes
// it impossible to guess the address from the published digest.
type private struct {
	Nonce    []byte    `json:"nonce"`
	Address  string    `json:"address,omitempty"`
	Verifier *Verifier `json:"verifier,omitempty"`
}

func privatePart(f Fact, m Meta) ([]byte, error) {
	p := private{Nonce: make([]byte, 16), Address: m.Address}
	rand.Read(p.Nonce)
	switch f := f.(type) {
	case TokenCreated:
		p.Verifier = &f.Verifier
	case TokenRotated:
		p.Verifier = &f.Verifier
	case SessionOpened:
		p.Verifier = &f.Verifier
	}
	return json.Marshal(p)
}
