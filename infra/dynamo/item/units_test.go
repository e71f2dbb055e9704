package item_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/token"
	"apitoken/infra/dynamo/item"
)

// retention is that of the initial settings.
const retention = 400 * 24 * time.Hour

// owner is the stream of one owner, after some commands.
type owner struct {
	keys  events.Keys
	name  string
	state token.State
	head  events.Head
}

// newOwner makes an owner with n typical tokens, and returns the items of the last
// commit.
func newOwner(t *testing.T, n int) (last []item.Item, o *owner) {
	t.Helper()
	k, err := events.ParseKeys("2026-11:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	o = &owner{keys: k, name: "ACTIVE_DIRECTORY:jane.doe"}
	for i := range n {
		last = o.do(t, token.Create{
			At: at, Policy: o.policy(n), By: token.Maker{Owner: o.name},
			ID: o.id(i), Owner: o.name, Wish: typicalWish, Verifier: o.verifier(),
		})
	}
	return last, o
}

func (*owner) id(n int) string { return fmt.Sprintf("JhxND7c%d", n) }

func (o *owner) verifier() events.Verifier {
	return events.Verifier{Kid: o.keys.Current(), MAC: make([]byte, 32)}
}

func (*owner) policy(limit int) token.Policy {
	return token.Policy{TokenLimit: limit, Retention: retention, RotationGrace: 24 * time.Hour}
}

// do commits a command, and returns the items that it writes.
func (o *owner) do(t *testing.T, cmd token.Command) []item.Item {
	t.Helper()
	facts, err := token.Decide(o.state, cmd)
	if err != nil {
		t.Fatal(err)
	}
	after := o.state
	for _, f := range facts {
		after = token.Fold(after, f, at)
	}
	encoded, err := token.EncodeState(after)
	if err != nil {
		t.Fatal(err)
	}
	m := events.Meta{Command: strings.Repeat("c", 32), Actor: o.name, TokenID: "L7k8ljIC", Address: "2001:db8::1", At: at, Retention: retention, ActorVia: events.ViaUI, ActorAddress: "2001:db8:1111:2222:3333:4444:5555:6666"}
	effect := token.Effect(o.state, after, facts, at, m.Retention)
	c, err := events.NewCommit(o.keys, events.UserStream(o.name), o.head, m, facts, token.StateV, encoded, effect)
	if err != nil {
		t.Fatal(err)
	}
	o.state, o.head = after, c.Head()
	var its []item.Item
	for _, r := range c.Records() {
		it, err := item.Record(r)
		if err != nil {
			t.Fatal(err)
		}
		its = append(its, it)
	}
	h, err := item.Head(c.Stream(), c.Head())
	if err != nil {
		t.Fatal(err)
	}
	its = append(its, h)
	for _, v := range append(c.Effect().Minted, c.Effect().Changed...) {
		its = append(its, item.View(v))
	}
	return its
}

// TestEachChangeStaysInItsWriteUnits counts the changes of a typical token of an
// owner with five tokens, all of which have an outgoing secret. A put of a view that
// keeps its keys in an index costs what a new entry costs. A new expiry moves the
// view in the index by expiry: one unit more removes the old entry.
func TestEachChangeStaysInItsWriteUnits(t *testing.T) {
	_, o := newOwner(t, 5)
	rotate := func(n int) token.Rotate {
		return token.Rotate{Policy: o.policy(5), By: token.Maker{Owner: o.name}, ID: o.id(n), Owner: o.name, At: at, Verifier: o.verifier()}
	}
	for n := range 4 {
		o.do(t, rotate(n))
	}
	update := func(u token.Update) token.Command {
		u.Policy, u.By, u.ID, u.Owner, u.At = o.policy(5), token.Maker{Owner: o.name}, o.id(4), o.name, at
		return u
	}
	admin := token.Maker{Owner: "admin", MayCreate: true, MayEdit: true, MayDelete: true}
	for _, c := range []struct {
		what  string
		cmd   token.Command
		reply []item.Item
		moved int
		most  int
	}{
		{"a rotation", rotate(4), []item.Item{item.Reply(typicalReply(t))}, 0, 18},
		{"an update", update(token.Update{Wish: token.Wish{Name: "build", Description: typicalWish.Description + "."}, Given: token.Members{Name: true, Description: true}}), nil, 0, 16},
		{"an update of the expiry", update(token.Update{Wish: token.Wish{ExpiresAt: at.AddDate(0, 7, 0)}, Given: token.Members{Expiry: true}}), nil, 1, 17},
		{"a disabling", update(token.Update{Enabled: new(false)}), nil, 0, 16},
		{"a revocation", token.Revoke{By: token.Maker{Owner: o.name}, ID: o.id(4), Owner: o.name}, nil, 1, 16},
		{"a suspension with four tokens", token.Suspend{By: admin, Owner: o.name, Reason: "lost a laptop"}, nil, 0, 31},
	} {
		its := o.do(t, token.At(c.cmd, at))
		units := item.TransactionUnits(append(its, c.reply...)...) + c.moved
		t.Logf("%s takes %d write units; sizes %v", c.what, units, sizes(append(its, c.reply...)))
		if units > c.most {
			t.Errorf("%s takes %d write units, want at most %d", c.what, units, c.most)
		}
	}
}
