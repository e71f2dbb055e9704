package events

import (
	"fmt"
	"slices"
	"time"
)

// maxItems is what one DynamoDB transaction may hold (AWS limit: 100).
const maxItems = 100

// Effect is what a commit writes beside records and head.
type Effect struct {
	Minted  []View // must not exist yet, else ErrIDTaken
	Changed []View // replace what is there
	Reply   *Reply // must not exist yet, else ErrConflict
}

// Commit is one step of a stream, ready to be written. Only NewCommit makes
// one: numbers, chain and seal come about once, here, and not in each store.
// It is a value that is never changed, so a store may send it any number of
// times; what the accessors return belongs to the commit and is only read.
type Commit struct {
	stream  Stream
	base    Head
	records []Record
	head    Head
	effect  Effect
}

// NewCommit builds the step from base that adds the facts. The state is the
// one after the facts, encoded as stateV says. Times are UTC and never before
// base's. It refuses a commit without facts, one with more items than a
// transaction may hold, and a state above MaxState.
func NewCommit(k Keys, s Stream, base Head, m Meta, facts []Fact, stateV int, state []byte, e Effect) (Commit, error) {
	if n := items(facts, e); len(facts) == 0 || n > maxItems {
		return Commit{}, fmt.Errorf("stream %s: a commit has at least one fact and at most %d items, this has %d facts and %d items", s, maxItems, len(facts), n)
	}
	if len(state) > MaxState {
		return Commit{}, fmt.Errorf("stream %s: the state has %d bytes, %d are allowed", s, len(state), MaxState)
	}
	c := Commit{stream: s, base: base, effect: e}
	m.At = base.Next(m.At)
	keep := keepUntil(base, m)
	prev := base.Hash
	for i, f := range facts {
		r, err := newRecord(s, base.Version+uint64(i)+1, m, keep, f, prev)
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
	mac, err := k.MAC(k.Current(), c.head.sealed(s))
	if err != nil {
		return Commit{}, fmt.Errorf("sealing stream %s: %w", s, err)
	}
	c.head.Seal = Verifier{Kid: k.Current(), MAC: mac}
	return c, nil
}

func items(facts []Fact, e Effect) int {
	n := len(facts) + 1 + len(e.Minted) + len(e.Changed)
	if e.Reply != nil {
		n++
	}
	return n
}

// keepUntil never goes back, and once it is "for ever" it stays so: otherwise
// a log could lose its middle.
func keepUntil(base Head, m Meta) time.Time {
	if m.Retention == 0 || (base.Version > 0 && base.KeepUntil.IsZero()) {
		return time.Time{}
	}
	return later(base.KeepUntil, m.At.Add(m.Retention))
}

func newRecord(s Stream, seq uint64, m Meta, keep time.Time, f Fact, prev Hash) (Record, error) {
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
		Command: m.Command, Actor: m.Actor, TokenID: m.TokenID, At: m.At,
		Public: public, Private: hidden, Prev: prev, KeepUntil: keep,
	}
	r.Hash = r.Message().sum()
	return r, nil
}

// Stream is the log that the commit belongs to.
func (c Commit) Stream() Stream { return c.stream }

// Base is the version that must still stand when the commit is written.
func (c Commit) Base() uint64 { return c.base.Version }

// Command is the intent whose work this is, for whoever must find out whether
// a commit landed.
func (c Commit) Command() string { return c.records[0].Command }

// Records are the new records in order.
func (c Commit) Records() []Record { return slices.Clip(c.records) }

// Head is the head that replaces the one at Base.
func (c Commit) Head() Head { return c.head }

// Effect is what else is written.
func (c Commit) Effect() Effect { return c.effect }
