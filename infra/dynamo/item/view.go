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

// OwnerAttribute is the attribute by which a list is narrowed to owners.
const OwnerAttribute = viewOwner

// View is a token's view as an item. With everything at its cap it is smaller
// than 4 KB, so that one read unit reads it.
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

// putEnd writes how the token ended. Only an ended token's view is collected.
func putEnd(it Item, v events.View) {
	putText(it, viewEnded, string(v.Ended))
	putTime(it, viewEndedAt, v.EndedAt)
	putTime(it, viewKeepUntil, v.KeepUntil)
	if v.Ended != "" {
		putTTL(it, v.KeepUntil)
	}
}

// ReadView reads what View gave, and what the list index holds of it: that is
// the same without the verifier.
func ReadView(it Item) (events.View, error) {
	r := &reader{it: it}
	id, ok := strings.CutPrefix(r.mustText(PK), pkToken)
	if !ok {
		r.fail(PK, fmt.Errorf("it is not the partition of a token"))
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

// packPrefixes puts source ranges one after the other: one byte that says how
// many follow, and those are the range as netip.Prefix encodes itself. Sixteen
// ranges of IPv6 take 288 bytes in place of some 700 as text.
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
			r.fail(attr, fmt.Errorf("a range of %d bytes is cut off after %d", n, len(b)))
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
