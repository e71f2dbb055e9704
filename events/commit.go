package events

import (
	"fmt"
	"slices"
	"time"

	"apitoken/events/instant"
)

// maxItems is the number of items that one DynamoDB transaction may have (AWS
// limit: 100).
const maxItems = 100

// Effect is what a commit writes besides records and head.
type Effect struct {
	Minted  []View // must not exist yet, else ErrIDTaken; NewCommit seals them
	Changed []View // replace the views that are there; NewCommit seals them
	Reply   *Reply // must not exist yet, else ErrConflict; see Expired

	// Expired is the reply that Reply may replace: one with the same key that was
	// read and is no longer valid. A store removes replies late, so the reply may
	// still exist. Any other reply under the key is an ErrConflict. nil: none.
	Expired *Reply
}

// Commit is one step of a stream, ready to be written. Only NewCommit makes
// commits, so no store has to compute numbers, chain, seals or MACs. A commit never
// changes: a store may send it any number of times. Callers may read the values
// that its methods return, and must not change them.
type Commit struct {
	stream  Stream
	base    Head
	records []Record
	head    Head
	effect  Effect
}

// NewCommit builds the step from base that adds the facts. The state is the
// state after the facts, in the encoding stateV. Times are UTC, in whole
// microseconds, and never before the time of base. NewCommit returns an error if there are no facts, if a fact
// does not belong to the stream, if the commit has more items than one
// transaction may have, if an expired reply is given without the reply that
// replaces it, or if the state is larger than MaxState.
func NewCommit(k Keys, s Stream, base Head, m Meta, facts []Fact, stateV int, state []byte, e Effect) (Commit, error) {
	if n := itemCount(facts, e); len(facts) == 0 || n > maxItems {
		return Commit{}, fmt.Errorf("stream %s: a commit needs at least one fact and at most %d items; this one has %d facts and %d items", s, maxItems, len(facts), n)
	}
	if len(state) > MaxState {
		return Commit{}, fmt.Errorf("stream %s: the state has %d bytes; at most %d are allowed", s, len(state), MaxState)
	}
	if e.Expired != nil && (e.Reply == nil || e.Reply.Key != e.Expired.Key) {
		return Commit{}, fmt.Errorf("stream %s: an expired reply is given without a new reply under the same key", s)
	}
	var err error
	if e, err = sealEffect(k, e); err != nil {
		return Commit{}, fmt.Errorf("stream %s: %w", s, err)
	}
	c := Commit{stream: s, base: base, effect: e}
	m.At = base.Next(m.At)
	keep := keepUntil(base, m)
	prev := base.Hash
	for i, f := range facts {
		r, err := newRecord(k, s, base.Version+uint64(i)+1, m, keep, f, prev)
		if err != nil {
			return Commit{}, err
		}
		prev = r.Hash
		c.records = append(c.records, r)
	}
	c.head = Head{
		Version: base.Version + uint64(len(facts)), Hash: prev, At: m.At, KeepUntil: keep,
		StateV: stateV, State: state,
	}
	if c.head.Seal, err = k.seal(c.head.sealed(s)); err != nil {
		return Commit{}, fmt.Errorf("sealing stream %s: %w", s, err)
	}
	return c, nil
}

func sealEffect(k Keys, e Effect) (Effect, error) {
	minted, err := sealViews(k, e.Minted)
	if err != nil {
		return e, err
	}
	changed, err := sealViews(k, e.Changed)
	return Effect{Minted: minted, Changed: changed, Reply: e.Reply, Expired: e.Expired}, err
}

func itemCount(facts []Fact, e Effect) int {
	n := len(facts) + 1 + len(e.Minted) + len(e.Changed)
	if e.Reply != nil {
		n++
	}
	return n
}

// keepUntil is the time until which the records of a commit are kept. It never
// moves back, and after "for ever" it stays "for ever". Otherwise a log could
// lose records from its middle.
func keepUntil(base Head, m Meta) time.Time {
	if m.Retention == 0 || (base.Version > 0 && base.KeepUntil.IsZero()) {
		return time.Time{}
	}
	return later(base.KeepUntil, instant.Cut(m.At.Add(m.Retention)))
}

func newRecord(keys Keys, s Stream, seq uint64, m Meta, keep time.Time, f Fact, prev Hash) (Record, error) {
	k, err := kindNamed(f.kind())
	if err == nil {
		err = k.belongsTo(s)
	}
	if err != nil {
		return Record{}, fmt.Errorf("stream %s: %w", s, err)
	}
	public, err := publicPart(k, f)
	if err != nil {
		return Record{}, fmt.Errorf("stream %s: encoding %s: %w", s, k.Name, err)
	}
	hidden, err := privatePart(f, m)
	if err != nil {
		return Record{}, fmt.Errorf("stream %s: encoding the private part of %s: %w", s, k.Name, err)
	}
	r := Record{
		Stream: s, Seq: seq, Type: k.Name, V: k.Version,
		Command: m.Command, Actor: m.Actor, TokenID: m.TokenID, At: m.At, ActorVia: m.ActorVia, ActorAddress: m.ActorAddress,
		Public: public, Private: hidden, Prev: prev, KeepUntil: keep,
	}
	r.Hash = r.Message().sum()
	if r.MAC, err = keys.seal(r.Message().maced()); err != nil {
		return Record{}, fmt.Errorf("record %s: making its MAC: %w", r.ID(), err)
	}
	return r, nil
}

// Stream is the log that the commit belongs to.
func (c Commit) Stream() Stream { return c.stream }

// Base is the version that the stream must still have when the commit is
// written.
func (c Commit) Base() uint64 { return c.base.Version }

// Command is the command id of the records. A caller that lost the answer finds
// out by it whether the commit was written.
func (c Commit) Command() string { return c.records[0].Command }

// Records are the new records in order.
func (c Commit) Records() []Record { return slices.Clip(c.records) }

// Head is the head that replaces the one at Base.
func (c Commit) Head() Head { return c.head }

// Effect is what the commit writes besides records and head. Its views are
// sealed.
func (c Commit) Effect() Effect { return c.effect }
