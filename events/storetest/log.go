package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
)

func unknownIsEmpty(t testing.TB, s events.Store) {
	x := newScene(t, s)
	equal(x, "the head of a stream that was never written", x.head(), events.Head{})
	equal(x, "its history", x.history(10), nil)
	if _, _, err := x.Token(x.ctx, newID()); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("Token of an unknown id: got %v, want %v", err, events.ErrNotFound)
	}
	if _, err := x.Reply(x.ctx, x.owner); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("Reply of an unknown key: got %v, want %v", err, events.ErrNotFound)
	}
	uses, err := x.LastUses(x.ctx, []string{newID(), newID()})
	if err != nil || len(uses) != 0 {
		t.Errorf("LastUses of unknown ids: got %v, %v, want none", uses, err)
	}
	if err := x.Sent(x.ctx, "user/"+x.owner+"/1", "nothing of this name", ""); err != nil {
		t.Errorf("Sent of unknown ids: %v", err)
	}
	equal(x, "its owner's tokens", x.list(events.Query{Owners: []string{x.owner}, Now: x.now, Limit: 10}, x.owner), nil)
}

func commitIsReadBack(t testing.TB, s events.Store) {
	x := newScene(t, s)
	full, bare := x.view(), x.plain(x.now)
	bare.Scopes, bare.SourceIPs = []string{}, []netip.Prefix{}
	first := x.write(events.Effect{
		Minted: []events.View{full, bare},
		Reply:  &events.Reply{Key: "key of " + x.owner, Sealed: []byte{0, 1, 255}, At: x.now},
	})
	expectStored(x, first)
	full.Name, full.Seq = "changed", 3
	full.Ended, full.EndedAt, full.KeepUntil = events.EndedRevoked, x.now, x.now.Add(time.Microsecond)
	expectStored(x, x.write(events.Effect{Changed: []events.View{full}}))
	r, err := x.Reply(x.ctx, "key of "+x.owner)
	if err != nil {
		t.Fatalf("Reply: %v", err)
	}
	equal(x, "the reply", r, *first.Effect().Reply)
}

// expectStored reads back everything that the last commit of a stream wrote.
func expectStored(x *scene, c events.Commit) {
	x.Helper()
	h := x.head()
	equal(x, "the head", h, c.Head())
	if err := h.Check(Keys, x.stream()); err != nil {
		x.Errorf("the seal of the head that was read back: %v", err)
	}
	rs := x.history(100)
	if uint64(len(rs)) < c.Base() {
		x.Fatalf("the history has %d records, want more than %d", len(rs), c.Base())
	}
	equal(x, "the new records", rs[c.Base():], c.Records())
	if err := events.Verify(events.Hash{}, rs); err != nil {
		x.Errorf("the chain of the records that were read back: %v", err)
	}
	for _, v := range append(c.Effect().Minted, c.Effect().Changed...) {
		got, use, err := x.Token(x.ctx, v.ID)
		if err != nil {
			x.Fatalf("Token %s: %v", v.ID, err)
		}
		equal(x, "the view", got, v)
		x.unsealed(got)
		equal(x, "the use of a token that was never used", use, events.Use{})
	}
}

// capsAreReadBack uses all caps together: owner 256 bytes, name 128,
// description 512, 16 scopes of 128, 16 ranges, and the largest state.
func capsAreReadBack(t testing.TB, s events.Store) {
	x := newScene(t, s)
	x.owner += strings.Repeat("o", 256-len(x.owner))
	v := x.view()
	v.Name, v.Description = strings.Repeat("é", 64), strings.Repeat("∑ ", 128)
	v.Scopes, v.SourceIPs = nil, nil
	for i := range 16 {
		v.Scopes = append(v.Scopes, fmt.Sprintf("GET /%0123d", i))
		v.SourceIPs = append(v.SourceIPs, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), 128))
	}
	facts := []events.Fact{events.TokenCreated{
		TokenID: v.ID, Owner: v.Owner, Creator: v.Creator, Name: v.Name, Description: v.Description,
		ExpiresAt: instant.Of(v.ExpiresAt), Scopes: v.Scopes, SourceIPs: v.SourceIPs, Verifier: v.Verifier,
	}}
	c := x.newCommitOf(x.head(), facts, bytes.Repeat([]byte("{\"é\"}"), events.MaxState/6), events.Effect{Minted: []events.View{v}})
	x.commit(c)
	expectStored(x, c)
	got, err := events.Decode(x.history(10)[0])
	if err != nil {
		t.Fatalf("decoding the record that was read back: %v", err)
	}
	equal(x, "the fact", got.(events.TokenCreated), facts[0].(events.TokenCreated))
}

// similarOwnersAreNotMixedUp uses owners with names that are prefixes of other
// owners' names or look like keys of other streams.
func similarOwnersAreNotMixedUp(t testing.TB, s events.Store) {
	x := newScene(t, s)
	var scenes []*scene
	for _, suffix := range []string{"", "/1", "/", " ", "0", "#EVENT#1", "\u00e9", ":x"} {
		y := *x
		y.owner += suffix
		scenes = append(scenes, &y)
	}
	for i, y := range scenes {
		for range i + 1 {
			y.write(events.Effect{Minted: []events.View{y.plain(y.now)}})
		}
	}
	for i, y := range scenes {
		equal(y, "the number of records of "+y.owner, len(y.history(3)), i+1)
		eventually(y, "the number of tokens of "+y.owner, i+1, func() int {
			return len(y.list(events.Query{Owners: []string{y.owner}, Now: y.now, Limit: 3}, y.owner))
		})
		eventually(y, "the number of messages of "+y.owner, i+1, func() int { return len(y.pending()) })
	}
}

func staleConflicts(t testing.TB, s events.Store) {
	x := newScene(t, s)
	first, rival := x.newCommit(events.Head{}, events.Effect{}), x.newCommit(events.Head{}, events.Effect{})
	ahead := x.newCommit(first.Head(), events.Effect{})
	expectConflict(x, ahead, "a commit ahead of its stream")
	equal(x, "the head after it", x.head(), events.Head{})
	x.commit(first)
	expectConflict(x, rival, "a second first commit")
	expectConflict(x, first, "the same commit again")
	second := x.newCommit(first.Head(), events.Effect{})
	x.commit(second)
	stale := x.view()
	expectConflict(x, x.newCommit(first.Head(), events.Effect{Minted: []events.View{stale}}), "a commit on an older head")
	expectStored(x, second)
	equal(x, "the number of records", len(x.history(10)), 2)
	expectNoToken(x, stale.ID)
}

func expectConflict(x *scene, c events.Commit, what string) {
	x.Helper()
	if err := x.Commit(x.ctx, c); !errors.Is(err, events.ErrConflict) {
		x.Errorf("%s: got %v, want %v", what, err, events.ErrConflict)
	}
}

func expectNoToken(x *scene, id string) {
	x.Helper()
	if _, _, err := x.Token(x.ctx, id); !errors.Is(err, events.ErrNotFound) {
		x.Errorf("Token %s, which was never minted: got %v, want %v", id, err, events.ErrNotFound)
	}
}

func takenIDWritesNothing(t testing.TB, s events.Store) {
	x := newScene(t, s)
	taken := x.view()
	x.other().write(events.Effect{Minted: []events.View{taken}})
	before := x.write(events.Effect{})
	mine := taken
	mine.Name = "mine now"
	expectRefused(x, before, events.ErrIDTaken, events.Effect{
		Minted: []events.View{x.view(), mine, x.view()}, Reply: &events.Reply{Key: "new " + x.owner, At: x.now},
	})
	v, _ := x.token(taken.ID)
	equal(x, "the token that has the id", v, taken)
}

func existingReplyWritesNothing(t testing.TB, s events.Store) {
	x := newScene(t, s)
	stored := events.Reply{Key: "stored " + x.owner, Sealed: []byte("first"), At: x.now}
	before := x.write(events.Effect{Reply: &stored})
	expectRefused(x, before, events.ErrConflict, events.Effect{
		Minted: []events.View{x.view()}, Reply: &events.Reply{Key: stored.Key, Sealed: []byte("second"), At: x.now},
	})
	r, err := x.Reply(x.ctx, stored.Key)
	if err != nil {
		t.Fatalf("Reply: %v", err)
	}
	equal(x, "the reply", r, stored)
}

// expiredReplyIsReplaced: a commit replaces exactly the reply that it names as
// expired, also if that reply was removed meanwhile.
func expiredReplyIsReplaced(t testing.TB, s events.Store) {
	x := newScene(t, s)
	key := "expired " + x.owner
	first := events.Reply{Key: key, Sealed: []byte("first"), At: x.now.Add(-25 * time.Hour)}
	second := events.Reply{Key: key, Sealed: []byte("second"), At: x.now}
	third := events.Reply{Key: key, Sealed: []byte("third"), At: x.now}
	x.write(events.Effect{Reply: &first, Expired: &first}) // nothing is there to replace
	before := x.write(events.Effect{Reply: &second, Expired: &first})
	expectReply(x, second)
	expectRefused(x, before, events.ErrConflict, events.Effect{Reply: &third, Expired: &first})
	expectReply(x, second)
	x.write(events.Effect{Reply: &third, Expired: &second})
	expectReply(x, third)
}

func expectReply(x *scene, want events.Reply) {
	x.Helper()
	r, err := x.Reply(x.ctx, want.Key)
	if err != nil {
		x.Fatalf("Reply: %v", err)
	}
	equal(x, "the reply", r, want)
}

// expectRefused commits an effect after the last commit of the stream. The store
// must refuse this commit and write nothing of it.
func expectRefused(x *scene, last events.Commit, want error, e events.Effect) {
	x.Helper()
	if err := x.Commit(x.ctx, x.newCommit(last.Head(), e)); !errors.Is(err, want) {
		x.Errorf("Commit: got %v, want %v", err, want)
	}
	expectStored(x, last)
	equal(x, "the number of records", uint64(len(x.history(100))), last.Head().Version)
	var messages []events.Message
	for _, r := range x.history(100) {
		messages = append(messages, r.Message())
	}
	eventually(x, "the outbox", messages, func() []events.Message { return x.pending() })
	for _, v := range e.Minted {
		if got, _, err := x.Token(x.ctx, v.ID); !errors.Is(err, events.ErrNotFound) && same(x.unsealed(got), v) {
			x.Errorf("token %s was written by a commit that was refused", v.ID)
		}
	}
	if r, err := x.Reply(x.ctx, e.Reply.Key); !errors.Is(err, events.ErrNotFound) && same(r, *e.Reply) {
		x.Errorf("the reply was written by a commit that was refused")
	}
	x.write(events.Effect{}) // the stream still accepts commits
}

func conflictWins(t testing.TB, s events.Store) {
	x := newScene(t, s)
	taken := x.view()
	reply := events.Reply{Key: "both " + x.owner, At: x.now}
	x.write(events.Effect{Minted: []events.View{taken}, Reply: &reply})
	expectConflict(x, x.newCommit(events.Head{}, events.Effect{Minted: []events.View{taken}}), "a stale commit with a taken id")
	expectConflict(x, x.newCommit(x.head(), events.Effect{Minted: []events.View{taken}, Reply: &reply}), "a repeated reply with a taken id")
}

func cancelledWritesNothing(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.view()
	before := x.write(events.Effect{Minted: []events.View{v}})
	messages := []events.Message{before.Records()[0].Message()}
	eventually(x, "the outbox before", messages, func() []events.Message { return x.pending() })
	ctx, cancel := context.WithCancel(x.ctx)
	cancel()
	lost, notice := x.view(), "notice of "+x.owner
	err := x.Commit(ctx, x.newCommit(x.head(), events.Effect{Minted: []events.View{lost}}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: got %v, want %v", err, context.Canceled)
	}
	for what, err := range map[string]error{
		"Touch":  x.Touch(ctx, v.ID, events.Use{At: x.now}),
		"Sent":   x.Sent(ctx, messages[0].ID),
		"Notify": x.Notify(ctx, events.Message{ID: notice, Time: x.now, Data: []byte("{}")}),
	} {
		if err == nil {
			t.Errorf("%s with a cancelled context: got no error", what)
		}
	}
	expectStored(x, before)
	expectNoToken(x, lost.ID)
	x.write(events.Effect{}) // all earlier writes are done when this one is
	_, use := x.token(v.ID)
	equal(x, "the use", use, events.Use{})
	eventually(x, "the number of messages", 2, func() int { return len(x.pending(notice)) })
}

func returnedBelongsToCaller(t testing.TB, s events.Store) {
	x := newScene(t, s)
	v := x.view()
	key := "own " + x.owner
	x.write(events.Effect{Minted: []events.View{v}, Reply: &events.Reply{Key: key, Sealed: []byte("sealed"), At: x.now}})
	if err := x.Touch(x.ctx, v.ID, events.Use{At: x.now, Address: "::1"}); err != nil {
		t.Fatalf("Touch: %v", err)
	}
	read := func() (all struct {
		Head    events.Head
		Records []events.Record
		View    events.View
		Listed  []events.View
		Reply   events.Reply
		Pending []events.Message
		Uses    []events.Use
	}) {
		all.Head, all.Records, all.Pending = x.head(), x.history(10), x.pending()
		all.View, _ = x.token(v.ID)
		all.Listed = x.list(events.Query{Owners: []string{x.owner}, Now: x.now, Limit: 10}, x.owner)
		uses, errUses := x.LastUses(x.ctx, []string{v.ID})
		reply, errReply := x.Reply(x.ctx, key)
		if err := errors.Join(errUses, errReply); err != nil {
			t.Fatalf("reading back: %v", err)
		}
		for u := range maps.Values(uses) {
			all.Uses = append(all.Uses, u)
		}
		all.Reply = reply
		clear(uses)
		return all
	}
	eventually(x, "the numbers of listed views, pending messages and uses", []int{1, 1, 1}, func() []int {
		all := read()
		return []int{len(all.Listed), len(all.Pending), len(all.Uses)}
	})
	all := read()
	want := show(all)
	for _, b := range [][]byte{
		all.Head.State, all.Head.Seal.MAC, all.Records[0].Public, all.Records[0].Private, all.View.Verifier.MAC,
		all.Reply.Sealed, all.Pending[0].Data,
	} {
		clear(b)
	}
	for _, v := range append(all.Listed, all.View) {
		clear(v.Scopes)
		clear(v.SourceIPs)
	}
	if got := show(read()); got != want {
		t.Errorf("a change of returned values reached the store: got\n%s\nwant\n%s", got, want)
	}
}
