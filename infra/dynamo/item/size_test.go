package item_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/bolt/bolttest"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestSizesAreThoseOfAWS uses the examples and rules of AWS's guide.
func TestSizesAreThoseOfAWS(t *testing.T) {
	for _, c := range []struct {
		v    types.AttributeValue
		want int
	}{
		{&types.AttributeValueMemberS{Value: "é!"}, 3},
		{&types.AttributeValueMemberB{Value: make([]byte, 32)}, 32},
		{&types.AttributeValueMemberBOOL{Value: true}, 1},
		{&types.AttributeValueMemberN{Value: "0"}, 1},
		{&types.AttributeValueMemberN{Value: "7"}, 2},
		{&types.AttributeValueMemberN{Value: "1800000000"}, 2},
		{&types.AttributeValueMemberN{Value: "1829000001"}, 6},
		{&types.AttributeValueMemberL{Value: []types.AttributeValue{item.Text("ab"), item.Text("c")}}, 8},
	} {
		if got := item.Size(item.Item{"name": c.v}) - len("name"); got != c.want {
			t.Errorf("size of %#v: got %d, want %d", c.v, got, c.want)
		}
	}
}

// TestTheFullestTokenTakesOneReadUnit: authorize reads view and use together. The
// view is the largest one that the rules allow, of an ended token, with a seal,
// an outgoing secret and the longest kids and sequences. A session has more fields, and
// no outgoing secret and no description.
func TestTheFullestTokenTakesOneReadUnit(t *testing.T) {
	use := item.UseKey("JhxND7ci")
	use["used_at"], use["address"] = item.Text(item.Time(at)), item.Text(netip.IPv6LinkLocalAllNodes().StringExpanded())
	largest := 0
	for _, ranges := range []int{0, 1, 4, 16} {
		v := fullestView(t, ranges)
		it := item.View(v)
		v.Ended = "" // the view of an ended token has no place in the due index, and all else
		it[item.DuePK], it[item.ViewWarned] = item.View(v)[item.DuePK], item.Number(365)
		unended := asSession(v)
		unended.Ended = ""
		session := item.View(asSession(v))
		session[item.DuePK] = item.View(unended)[item.DuePK]
		largest = max(largest, item.Size(it)+item.Size(use), item.Size(session)+item.Size(use))
	}
	t.Logf("the fullest view and its use have %d bytes", largest)
	if largest > 4096 {
		t.Errorf("the fullest view and its use have %d bytes, want at most 4096", largest)
	}
}

// asSession returns the view of a session with the texts, scopes and ranges of a token,
// and with a description that no session has.
func asSession(v events.View) events.View {
	v.Outgoing, v.OutgoingUntil, v.Rotated = events.Verifier{}, time.Time{}, 0
	v.Kind, v.Via, v.Permissions = events.KindSession, events.ViaPassword, []string{"view", "create", "edit", "delete"}
	v.MakesUntil, v.From, v.UI = later, "L7k8ljIC", true
	v.KeepUntil, v.Ended = later, events.EndedRevoked
	return v
}

// fullestView fills the texts and scopes of a token with this number of source
// ranges until the rules refuse it.
func fullestView(t *testing.T, ranges int) (v events.View) {
	t.Helper()
	owner := strings.Repeat("o", 256)
	c := token.Create{
		At: at, Policy: token.Policy{TokenLimit: 1}, By: token.Maker{Owner: strings.Repeat("c", 256), MayCreate: true}, ID: "JhxND7ci", Owner: owner,
		Verifier: events.Verifier{Kid: strings.Repeat("k", 16), MAC: make([]byte, 32)}, Wish: token.Wish{ExpiresAt: at.AddDate(1, 0, 0)},
	}
	for i := range ranges {
		c.SourceIPs = append(c.SourceIPs, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), 128))
	}
	try := func(change func(*token.Create)) bool {
		larger := c
		change(&larger)
		facts, err := token.Decide(token.State{}, larger)
		if err == nil {
			c, v = larger, token.Fold(token.State{}, facts[0], at).Tokens[0]
		}
		return err == nil
	}
	for i := range 16 {
		try(func(c *token.Create) { c.Scopes = append(slices.Clip(c.Scopes), fmt.Sprintf("DELETE /%0120d", i)) })
	}
	for try(func(c *token.Create) { c.Name += "n" }) {
	}
	for try(func(c *token.Create) { c.Description += "d" }) {
	}
	v.First, v.Seq = item.LastSeq-1, item.LastSeq
	v.Ended, v.EndedAt, v.KeepUntil = events.EndedRevoked, at, later
	v.Seal, v.Disabled, v.Suspended = v.Verifier, true, true
	v.Outgoing, v.OutgoingUntil, v.Rotated = v.Verifier, later, item.LastSeq
	return v
}

// TestCreateStaysInItsWriteUnits: a typical token that is the owner's fifth
// takes at most 14 write units, and at most 18 with a reply. The README names
// this budget. The real rules encode the state, so the sizes are real.
func TestCreateStaysInItsWriteUnits(t *testing.T) {
	its := created(t, 5)
	units := item.TransactionUnits(its...)
	reply := item.Reply(typicalReply(t))
	with := item.TransactionUnits(append(its, reply)...)
	t.Logf("a create takes %d write units, %d with a reply; sizes %v", units, with, sizes(append(its, reply)))
	if units > 14 || with > 18 {
		t.Errorf("got %d write units, and %d with a reply, want at most 14 and 18", units, with)
	}
	if head := item.ReadUnits(its[1]); head != 1 {
		t.Errorf("the head takes %d read units, want 1", head)
	}
}

// TestOnlyViewsAreInTheIndexesOfViews: another item there would be listed as a
// damaged token, and cost write units.
func TestOnlyViewsAreInTheIndexesOfViews(t *testing.T) {
	its := append(created(t, 1), item.Reply(reply), item.Notice(notice))
	for _, it := range its {
		_, isOwned := it[item.OwnerPK]
		_, isPlaced := it[item.OwnerSK]
		_, isListed := it[item.ListPK]
		_, isDue := it[item.DuePK]
		isView := item.KindOf(it) == item.KindView
		if both := isOwned && isPlaced; both != isView || isListed != isView || isDue != isView {
			t.Errorf("%s: in the index by owner %t, by month %t, want %t", item.Name(it), both, isListed, isView)
		}
	}
	if got := item.IndexUnits(its[2]); got != 3 {
		t.Errorf("a new view that expires takes %d write units in the indexes, want one in each of the three", got)
	}
}

// typicalReply is the reply that the issuer stores for the token of created.
func typicalReply(t *testing.T) events.Reply {
	t.Helper()
	k, err := events.ParseKeys("2026-11:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	noting := &notingStore{Store: bolttest.Open(t)}
	i := issuer.New(issuer.Config{Store: noting, Keys: k, Prefix: "acme", Now: func() time.Time { return at }})
	by := guard.Principal{Owner: "ACTIVE_DIRECTORY:jane.doe", TokenID: "L7k8ljIC"}
	key := issuer.RequestKey{Route: "POST /v1/auth/access-tokens", Value: "8e03978e-40d5-43e8-bc93-6894a57f9324"}
	if _, err := i.CreateOnce(t.Context(), by, key, "", typicalWish); err != nil {
		t.Fatal(err)
	}
	return noting.reply
}

// notingStore notes the last reply.
type notingStore struct {
	events.Store
	reply events.Reply
}

func (s *notingStore) Commit(ctx context.Context, c events.Commit) error {
	s.reply = *c.Effect().Reply
	return s.Store.Commit(ctx, c)
}

var typicalWish = token.Wish{
	Description: "deployment from the build server", ExpiresAt: at.AddDate(0, 6, 0),
	Scopes: []string{"GET /v1/auth/access-tokens/*", "POST /v1/auth/authorize"},
}

func sizes(its []item.Item) (ns []int) {
	for _, it := range its {
		ns = append(ns, item.Size(it))
	}
	return ns
}

// created returns the items of the commit that creates an owner's nth token.
func created(t *testing.T, n int) []item.Item {
	t.Helper()
	its, _ := newOwner(t, n)
	return its
}
