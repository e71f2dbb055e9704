package bolt

import (
	"fmt"

	"apitoken/events"
)

// A value does not repeat the parts of its key.

func itemOfView(v events.View) viewItem {
	return viewItem{
		Owner: v.Owner, Creator: v.Creator, Name: v.Name, Description: v.Description,
		Kid: v.Verifier.Kid, MAC: v.Verifier.MAC,
		CreatedAt: instantOf(v.CreatedAt), ExpiresAt: instantOf(v.ExpiresAt), Disabled: v.Disabled,
		Scopes: v.Scopes, SourceIPs: v.SourceIPs, First: v.First, Seq: v.Seq,
		Ended: v.Ended, EndedAt: instantOf(v.EndedAt), KeepUntil: instantOf(v.KeepUntil),
		SealKid: v.Seal.Kid, Seal: v.Seal.MAC,
		Suspended: v.Suspended, OutgoingKid: v.Outgoing.Kid, Outgoing: v.Outgoing.MAC,
		OutgoingUntil: instantOf(v.OutgoingUntil), Rotated: v.Rotated,
		Kind: v.Kind, Via: v.Via, Permissions: v.Permissions, MakesUntil: instantOf(v.MakesUntil), From: v.From, UI: v.UI,
	}
}

func decodeView(id string, b []byte) (events.View, error) {
	i, ok := readView(b)
	if !ok {
		var err error
		if i, err = decoded[viewItem](b); err != nil {
			return events.View{}, err
		}
	}
	return events.View{
		ID: id, Owner: i.Owner, Creator: i.Creator, Name: i.Name, Description: i.Description,
		Verifier:  events.Verifier{Kid: i.Kid, MAC: i.MAC},
		CreatedAt: i.CreatedAt.time(), ExpiresAt: i.ExpiresAt.time(), Disabled: i.Disabled,
		Scopes: i.Scopes, SourceIPs: i.SourceIPs, First: i.First, Seq: i.Seq,
		Ended: i.Ended, EndedAt: i.EndedAt.time(), KeepUntil: i.KeepUntil.time(),
		Seal:      events.Verifier{Kid: i.SealKid, MAC: i.Seal},
		Suspended: i.Suspended, Outgoing: events.Verifier{Kid: i.OutgoingKid, MAC: i.Outgoing},
		OutgoingUntil: i.OutgoingUntil.time(), Rotated: i.Rotated,
		Kind: i.Kind, Via: i.Via, Permissions: i.Permissions, MakesUntil: i.MakesUntil.time(), From: i.From, UI: i.UI,
	}, nil
}

func itemOfHead(h events.Head) headItem {
	return headItem{
		Version: h.Version, Hash: h.Hash, At: instantOf(h.At), KeepUntil: instantOf(h.KeepUntil),
		StateV: h.StateV, State: h.State, Kid: h.Seal.Kid, MAC: h.Seal.MAC,
	}
}

// decodeHead refuses version 0: a head that is zero in every field needs no seal,
// so no stored value may decode to such a head.
func decodeHead(b []byte) (events.Head, error) {
	var i headItem
	if err := decode(b, &i); err != nil {
		return events.Head{}, err
	}
	if i.Version == 0 {
		return events.Head{}, fmt.Errorf("%w: the stored head has version 0", events.ErrDamaged)
	}
	return events.Head{
		Version: i.Version, Hash: i.Hash, At: i.At.time(), KeepUntil: i.KeepUntil.time(),
		StateV: i.StateV, State: i.State, Seal: events.Verifier{Kid: i.Kid, MAC: i.MAC},
	}, nil
}

func itemOfRecord(r events.Record) recordItem {
	return recordItem{
		Type: r.Type, V: r.V, Command: r.Command, Actor: r.Actor, TokenID: r.TokenID, At: instantOf(r.At),
		Public: r.Public, Private: r.Private, Prev: r.Prev, Hash: r.Hash, KeepUntil: instantOf(r.KeepUntil),
		Kid: r.MAC.Kid, MAC: r.MAC.MAC, ActorVia: r.ActorVia, ActorAddress: r.ActorAddress,
	}
}

// decodeRecord returns a *events.DamagedRecord for a value that it cannot decode.
func decodeRecord(s events.Stream, seq uint64, b []byte) (events.Record, error) {
	var i recordItem
	if err := decode(b, &i); err != nil {
		return events.Record{}, &events.DamagedRecord{Stream: s, Seq: seq, Reason: err}
	}
	return events.Record{
		Stream: s, Seq: seq, Type: i.Type, V: i.V, Command: i.Command, Actor: i.Actor, TokenID: i.TokenID,
		At: i.At.time(), Public: i.Public, Private: i.Private, Prev: i.Prev, Hash: i.Hash, KeepUntil: i.KeepUntil.time(),
		MAC: events.Verifier{Kid: i.Kid, MAC: i.MAC}, ActorVia: i.ActorVia, ActorAddress: i.ActorAddress,
	}, nil
}

func itemOfNotice(m events.Message) noticeItem {
	return noticeItem{
		Type: m.Type, V: m.V, Time: instantOf(m.Time), Subject: m.Subject,
		Command: m.Command, Actor: m.Actor, TokenID: m.TokenID, Data: m.Data,
	}
}

func decodeNotice(id string, b []byte) (events.Message, error) {
	var i noticeItem
	if err := decode(b, &i); err != nil {
		return events.Message{}, err
	}
	return events.Message{
		ID: id, Type: i.Type, V: i.V, Time: i.Time.time(), Subject: i.Subject,
		Command: i.Command, Actor: i.Actor, TokenID: i.TokenID, Data: i.Data,
	}, nil
}
