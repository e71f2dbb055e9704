package events

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"apitoken/events/instant"
)

// Source is the source of every entry on an event bus. The CloudEvents source of
// an event names the deployment too, see Message.
const Source = "apitoken"

// Message is the published form of a record, without its private part, or a
// notice. A notice belongs to no stream and has Seq 0.
type Message struct {
	ID            string // id of the record or notice, the same on each delivery
	Type          string
	V             int
	Time          time.Time
	Subject       string // token id, may be empty
	Stream        Stream
	Seq           uint64
	Command       string
	Actor         string
	TokenID       string    // the acting token
	ActorVia      string    // ViaUI or "", see Meta
	ActorAddress  string    // see Meta; only with ActorVia
	KeepUntil     time.Time // of the record, see Record; of a notice, see Outbox.Notify: it is not published
	Data          []byte    // the public part, the exact bytes that the hash covers
	PrivateDigest Hash
	Prev          Hash
	Hash          Hash
	MAC           Verifier // of the record; readers without peppers ignore it

	// Deployment is the id of the deployment that publishes the message, see
	// ValidDeployment. A message from a log has none; the code that publishes the
	// message sets it. Neither the chain nor the comparison of copies covers it.
	Deployment string
}

// Message is the published form of the record: everything that its hash covers,
// with the digest of the private part in place of the private part.
func (r Record) Message() Message {
	return Message{
		ID: r.ID(), Type: r.Type, V: r.V, Time: r.At, Subject: r.Subject(),
		Stream: r.Stream, Seq: r.Seq, Command: r.Command, Actor: r.Actor, TokenID: r.TokenID, ActorVia: r.ActorVia, ActorAddress: r.ActorAddress,
		KeepUntil: r.KeepUntil, Data: r.Public, PrivateDigest: sha256.Sum256(r.Private), Prev: r.Prev, Hash: r.Hash, MAC: r.MAC,
	}
}

// Is reports whether the message is of the fact's kind, in any version. It
// compares the kinds only.
func (m Message) Is(f Fact) bool { return m.Type == f.kind() }

// detail is a CloudEvents 1.0 object in JSON format. Names of extensions have
// only lower-case letters and digits (CloudEvents 1.0 section 3.1).
type detail struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            string          `json:"time"`
	Subject         string          `json:"subject,omitempty"`
	DataSchema      string          `json:"dataschema"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`

	Stream        string `json:"stream,omitempty"`
	Sequence      string `json:"sequence,omitempty"`
	Command       string `json:"commandid,omitempty"`
	Actor         string `json:"actor,omitempty"`
	TokenID       string `json:"actortokenid,omitempty"`
	ActorVia      string `json:"actorvia,omitempty"`
	ActorAddress  string `json:"actoraddress,omitempty"`
	KeepUntil     string `json:"keepuntil,omitempty"`
	DataRaw       string `json:"dataraw"`
	PrivateDigest string `json:"privatedigest,omitempty"`
	Prev          string `json:"prevhash,omitempty"`
	Hash          string `json:"hash,omitempty"`
	RecordMAC     string `json:"recordmac,omitempty"` // kid:base64
}

// Detail is the message as a CloudEvents 1.0 object. EventBridge, the history
// call and events.jsonl all use this form. The member "dataraw" is the text of
// "data" that the hash covers, because a carrier may reorder JSON members. The
// member "source" is urn:apitoken:DEPLOYMENT, so source and id together are
// unique; a message without a deployment is an error.
func (m Message) Detail() ([]byte, error) {
	err := ValidDeployment(m.Deployment)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", m.ID, err)
	}
	b, err := json.Marshal(m.detail())
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", m.ID, err)
	}
	return b, nil
}

func (m Message) detail() detail {
	d := detail{
		SpecVersion: "1.0", ID: m.ID, Source: Issuer(m.Deployment), Type: m.Type, Time: stamp(m.Time), Subject: m.Subject,
		DataSchema: SchemaID(m.Type, m.V), DataContentType: "application/json", Data: m.Data,
		Stream: string(m.Stream), Command: m.Command, Actor: m.Actor, TokenID: m.TokenID,
		DataRaw: string(m.Data),
	}
	if m.ActorVia != "" { // without it, the hash covers no address
		d.ActorVia, d.ActorAddress = m.ActorVia, m.ActorAddress
	}
	if m.Seq > 0 && !m.KeepUntil.IsZero() {
		d.KeepUntil = stamp(m.KeepUntil)
	}
	if m.Seq > 0 {
		d.Sequence = fmt.Sprintf("%012d", m.Seq)
		d.PrivateDigest, d.Prev, d.Hash = m.PrivateDigest.String(), m.Prev.String(), m.Hash.String()
		d.RecordMAC = macText(m.MAC)
	}
	return d
}

// ParseDetail reads the form that Detail writes, so that a receiver can verify
// an event. Some members, "data" among them,
// repeat what the hash covers. They must agree with it, because consumers read
// them; otherwise ParseDetail returns an error.
func ParseDetail(b []byte) (Message, error) {
	var d detail
	if err := json.Unmarshal(b, &d); err != nil {
		return Message{}, fmt.Errorf("decoding an event: %w", err)
	}
	m := Message{
		ID: d.ID, Type: d.Type, V: versionOf(d.DataSchema), Subject: d.Subject, Stream: Stream(d.Stream),
		Command: d.Command, Actor: d.Actor, TokenID: d.TokenID, Data: []byte(d.DataRaw),
		ActorVia: d.ActorVia, ActorAddress: d.ActorAddress,
	}
	if err := errors.Join(m.parseSource(d), m.parseSequence(d), m.parseTimes(d)); err != nil {
		return Message{}, err
	}
	if m.Seq > 0 {
		m.ID, m.Subject = recordID(m.Stream, m.Seq), subject(m.Data)
		if err := m.parseHashes(d); err != nil {
			return Message{}, err
		}
	}
	if err := m.agrees(d); err != nil {
		return Message{}, err
	}
	return m, nil
}

func (m *Message) parseSource(d detail) error {
	deployment, found := strings.CutPrefix(d.Source, sourcePrefix)
	if err := ValidDeployment(deployment); !found || err != nil {
		return fmt.Errorf("event %s: its source must be %s and the id of a deployment", d.ID, sourcePrefix)
	}
	m.Deployment = deployment
	return nil
}

// parseSequence reads a missing sequence as 0, the Seq of a notice.
func (m *Message) parseSequence(d detail) (err error) {
	if d.Sequence == "" {
		return nil
	}
	if m.Seq, err = strconv.ParseUint(d.Sequence, 10, 64); err != nil {
		return fmt.Errorf("event %s: reading its sequence: %w", d.ID, err)
	}
	return nil
}

func (m *Message) parseTimes(d detail) (err error) {
	if m.Time, err = instant.Parse(d.Time); err == nil && d.KeepUntil != "" {
		m.KeepUntil, err = instant.Parse(d.KeepUntil)
	}
	if err != nil {
		return fmt.Errorf("event %s: %w", d.ID, err)
	}
	return nil
}

func (m *Message) parseHashes(d detail) (err error) {
	for _, h := range []struct {
		text string
		into *Hash
	}{{d.PrivateDigest, &m.PrivateDigest}, {d.Prev, &m.Prev}, {d.Hash, &m.Hash}} {
		if *h.into, err = ParseHash(h.text); err != nil {
			return fmt.Errorf("event %s: %w", d.ID, err)
		}
	}
	if m.MAC, err = parseMAC(d.RecordMAC); err != nil {
		return fmt.Errorf("event %s: %w", d.ID, err)
	}
	return nil
}

// macText is the form of a MAC in an event, empty if there is no MAC.
func macText(v Verifier) string {
	if v.isZero() {
		return ""
	}
	return v.Kid + ":" + base64.StdEncoding.EncodeToString(v.MAC)
}

// parseMAC reads the form that macText writes.
func parseMAC(text string) (Verifier, error) {
	kid, encoded, _ := strings.Cut(text, ":")
	mac, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || kid == "" || len(mac) == 0 {
		return Verifier{}, errors.New("the member recordmac must have the form KID:BASE64")
	}
	return Verifier{Kid: kid, MAC: mac}, nil
}

// agrees returns an error if a member of the event differs from the message.
// The order of the members of "data" is free.
func (m Message) agrees(d detail) error {
	want := m.detail()
	var got, hashed any
	if json.Unmarshal(d.Data, &got) != nil || json.Unmarshal(want.Data, &hashed) != nil || !reflect.DeepEqual(got, hashed) {
		return fmt.Errorf("event %s: its data differs from its dataraw", d.ID)
	}
	d.Data, want.Data = nil, nil
	if !reflect.DeepEqual(d, want) {
		return fmt.Errorf("event %s: its members differ from the content that its hash covers", d.ID)
	}
	return nil
}
