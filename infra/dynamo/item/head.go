package item

import "apitoken/events"

// HeadVersion is the attribute that the condition of every commit compares.
const HeadVersion = "version"

const (
	headHash      = "hash"
	headAt        = "at"
	headKeepUntil = "keep_until"
	headStateV    = "state_v"
	headState     = "state"
	headSealKid   = "seal_kid"
	headSeal      = "seal"
)

// Head returns a stream's head as an item. The item has no ttl, so DynamoDB
// never deletes it: the state cannot be folded again from a log without its
// first records.
func Head(s events.Stream, h events.Head) (Item, error) {
	it, err := HeadKey(s)
	if err != nil {
		return nil, err
	}
	it[HeadVersion] = Number(h.Version)
	it[headHash] = bytes(h.Hash[:])
	putTime(it, headAt, h.At)
	putTime(it, headKeepUntil, h.KeepUntil)
	it[headStateV] = integer(h.StateV)
	putBytes(it, headState, h.State)
	putText(it, headSealKid, h.Seal.Kid)
	putBytes(it, headSeal, h.Seal.MAC)
	return it, nil
}

// ReadHead decodes an item of Head.
func ReadHead(it Item) (events.Head, error) {
	r := &reader{it: it}
	h := events.Head{
		Version: r.mustNumber(HeadVersion), Hash: r.hash(headHash), At: r.mustTime(headAt), KeepUntil: r.time(headKeepUntil),
		StateV: int(r.number(headStateV)), State: r.bytes(headState),
		Seal: events.Verifier{Kid: r.text(headSealKid), MAC: r.bytes(headSeal)},
	}
	return h, r.err
}
