package item

import (
	"fmt"
	"net/netip"
	"reflect"
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
	viewSealKid     = "seal_kid"
	viewSeal        = "seal"
	viewDigest      = "digest" // see View.VerifierDigest, for the indexes of views
	viewSuspended   = "suspended"
	viewOutKid      = "outgoing_kid"
	viewOutMAC      = "outgoing_mac"
	viewOutUntil    = "outgoing_until"
	viewRotated     = "rotated_seq"
	viewSession     = "session" // the fields that only a session has, see sessionFields
)

// The attributes for events.Expiries.NoteWarning: the note itself, and the sequence
// that its condition compares. View does not write the note, so a commit removes it.
const (
	ViewWarned = "warned"
	ViewSeq    = viewSeq
)

// View returns a token's view as an item. With the largest view that the rules
// allow, the item and the item of its use have at most 4,096 bytes together, so
// one read unit is enough for a consistent read of both.
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
	putText(it, viewEnded, string(v.Ended))
	putTime(it, viewEndedAt, v.EndedAt)
	putTime(it, viewKeepUntil, v.KeepUntil)
	putBool(it, viewSuspended, v.Suspended)
	putText(it, viewOutKid, v.Outgoing.Kid)
	putBytes(it, viewOutMAC, v.Outgoing.MAC)
	putTime(it, viewOutUntil, v.OutgoingUntil)
	if v.Rotated > 0 {
		it[viewRotated] = Number(v.Rotated)
	}
	putText(it, viewSealKid, v.Seal.Kid)
	putBytes(it, viewSeal, v.Seal.MAC)
	putPlace(it, v)
	putVerifierDigest(it, v)
	putSession(it, v)
	return it
}

// placed are the attributes of putPlace. The seal does not cover them, because
// they follow from the fields of the view.
var placed = []string{ListPK, ListSK, DuePK, TTL}

// putPlace writes the attributes by which the indexes of views and the time to
// live find the item. DynamoDB may delete only the views of ended tokens.
func putPlace(it Item, v events.View) {
	it[ListPK] = text(MonthOf(v.CreatedAt).PK(v.Kind))
	it[ListSK] = text(PositionSK(v.Kind, v.Position()))
	putDue(it, v)
	if v.Ended != "" {
		putTTL(it, v.KeepUntil)
	}
}

func putVerifierDigest(it Item, v events.View) {
	digest := v.Digest()
	it[viewDigest] = bytes(digest[:])
}

// ReadView decodes an item of View. It computes the attributes for the indexes
// and the time to live again, and returns an error if the item has others. All
// its errors are a *events.DamagedView.
func ReadView(it Item) (events.View, error) {
	r := &reader{it: it}
	v := r.view()
	v.Verifier = events.Verifier{Kid: r.text(viewKid), MAC: r.bytes(viewMAC)}
	v.Outgoing = events.Verifier{Kid: r.text(viewOutKid), MAC: r.bytes(viewOutMAC)}
	v.Rotated = r.number(viewRotated)
	want := Item{}
	putPlace(want, v)
	putVerifierDigest(want, v)
	r.compare(want, append(placed, viewDigest)...)
	return v, damagedView(v.ID, r.err)
}

// ReadEntry decodes an entry of the list index or the owner index. It has the digest in place of
// both verifiers and of the sequence of the last rotation. All its errors are a *events.DamagedView.
func ReadEntry(it Item) (events.View, error) {
	r := &reader{it: it}
	v := r.view()
	v.VerifierDigest = r.hash(viewDigest)
	want := Item{}
	putPlace(want, v)
	r.compare(want, ListPK, ListSK)
	return v, damagedView(v.ID, r.err)
}

func damagedView(id string, err error) error {
	if err == nil {
		return nil
	}
	return &events.DamagedView{TokenID: id, Reason: err}
}

// view decodes the fields that a view and its entries in the indexes have.
func (r *reader) view() events.View {
	id, ok := strings.CutPrefix(r.mustText(PK), pkToken)
	if !ok {
		r.fail(PK, fmt.Errorf("this is not the partition key of a token"))
	}
	v := events.View{
		ID: id, Owner: r.text(viewOwner), Creator: r.text(viewCreator),
		Name: r.text(viewName), Description: r.text(viewDescription),
		CreatedAt: r.time(viewCreated), ExpiresAt: r.time(viewExpires), Disabled: r.bool(viewDisabled),
		Scopes: r.texts(viewScopes), SourceIPs: r.prefixes(viewSourceIPs),
		First: r.number(viewFirst), Seq: r.number(viewSeq),
		Suspended: r.bool(viewSuspended), OutgoingUntil: r.time(viewOutUntil),
		Ended: events.Ending(r.text(viewEnded)), EndedAt: r.time(viewEndedAt), KeepUntil: r.time(viewKeepUntil),
		Seal: events.Verifier{Kid: r.text(viewSealKid), MAC: r.bytes(viewSeal)},
	}
	r.session(&v)
	return v
}

// compare fails for the first of the attributes that is not the wanted one.
func (r *reader) compare(want Item, names ...string) {
	for _, name := range names {
		if !reflect.DeepEqual(r.it[name], want[name]) {
			r.fail(name, fmt.Errorf("the attribute does not follow from the other attributes"))
		}
	}
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
