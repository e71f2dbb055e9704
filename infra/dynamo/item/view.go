package item

import (
	"fmt"
	"net/netip"
	"strings"

	"apitoken/events"
)

const (
	viewOwner       = "owner"
	viewCreator     = "creator"
	viewName        = "name"
	viewDescription = "description"
	viewKid         = "kid"
	viewMAC         = "mac"
	viewCreated     = "created_at"
	viewExpires     = "expires_at"
	viewDisabled    = "disabled"
	viewScopes      = "scopes"
	viewSourceIPs   = "source_ips"
	viewFirst       = "first_seq"
	viewSeq         = "seq"
	viewEnded       = "ended"
	viewEndedAt     = "ended_at"
	viewKeepUntil   = "keep_until"
)

// OwnerAttribute is the attribute by which a list is filtered by owner.
const OwnerAttribute = viewOwner

// View returns a token's view as an item. With all fields at their maximum the
// item is smaller than 4 KB, so one read unit is enough for a consistent read.
func View(v events.View) Item {
	it := Key(TokenPK(v.ID), skView)
	putText(it, viewOwner, v.Owner)
	putText(it, viewCreator, v.Creator)
	putText(it, viewName, v.Name)
	putText(it, viewDescription, v.Description)
	putText(it, viewKid, v.Verifier.Kid)
	putBytes(it, viewMAC, v.Verifier.MAC)
	putTime(it, viewCreated, v.CreatedAt)
	putTime(it, viewExpires, v.ExpiresAt)
	putBool(it, viewDisabled, v.Disabled)
	putTexts(it, viewScopes, v.Scopes)
	putBytes(it, viewSourceIPs, packPrefixes(v.SourceIPs))
	it[viewFirst] = Number(v.First)
	it[viewSeq] = Number(v.Seq)
	putEnd(it, v)
	it[ListPK] = text(MonthOf(v.CreatedAt).PK())
	it[ListSK] = text(PositionSK(v.Position()))
	return it
}

// putEnd writes how the token ended. DynamoDB may delete only the views of ended
// tokens.
func putEnd(it Item, v events.View) {
	putText(it, viewEnded, string(v.Ended))
	putTime(it, viewEndedAt, v.EndedAt)
	putTime(it, viewKeepUntil, v.KeepUntil)
	if v.Ended != "" {
		putTTL(it, v.KeepUntil)
	}
}

// ReadView decodes an item of View. It also decodes an entry of the list index,
// which has no verifier.
func ReadView(it Item) (events.View, error) {
	r := &reader{it: it}
	id, ok := strings.CutPrefix(r.mustText(PK), pkToken)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a token"))
	}
	v := events.View{
		ID: id, Owner: r.text(viewOwner), Creator: r.text(viewCreator),
		Name: r.text(viewName), Description: r.text(viewDescription),
		Verifier:  events.Verifier{Kid: r.text(viewKid), MAC: r.bytes(viewMAC)},
		CreatedAt: r.time(viewCreated), ExpiresAt: r.time(viewExpires), Disabled: r.bool(viewDisabled),
		Scopes: r.texts(viewScopes), SourceIPs: r.prefixes(viewSourceIPs),
		First: r.number(viewFirst), Seq: r.number(viewSeq),
		Ended: events.Ending(r.text(viewEnded)), EndedAt: r.time(viewEndedAt), KeepUntil: r.time(viewKeepUntil),
	}
	return v, r.err
}

// packPrefixes writes source ranges one after the other. Each range is one byte
// with the number of bytes that follow, and the binary form of netip.Prefix.
// Sixteen ranges of IPv6 take 288 bytes; as text they would take about 700.
func packPrefixes(ps []netip.Prefix) []byte {
	var b []byte
	for _, p := range ps {
		at := len(b)
		b, _ = p.AppendBinary(append(b, 0)) // its error is always nil
		b[at] = byte(len(b) - at - 1)
	}
	return b
}

func (r *reader) prefixes(attr string) []netip.Prefix {
	var ps []netip.Prefix
	for b := r.bytes(attr); len(b) > 0; {
		n := 1 + int(b[0])
		var p netip.Prefix
		if n > len(b) {
			r.fail(attr, fmt.Errorf("a source range has %d bytes, want %d", len(b), n))
			return nil
		}
		if err := p.UnmarshalBinary(b[1:n]); err != nil {
			r.fail(attr, err)
			return nil
		}
		ps, b = append(ps, p), b[n:]
	}
	return ps
}
