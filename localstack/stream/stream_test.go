// Package stream_test tests on LocalStack how events get from the table to the
// audit table: in order, at least once, and also when the bus fails. Without
// LocalStack the test skips with a message; make integration starts it.
package stream_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo/item"
)

func TestEveryEventReachesTheAuditTable(t *testing.T) {
	p := deploy(t)
	t.Run("in order and once", p.normalFlow)
	t.Run("after a record that cannot be read", p.unreadableRecord)
	t.Run("when the bus refuses one owner's events", p.refusedOwner)
	for _, o := range p.outages() {
		t.Run("when the bus "+o.name, func(t *testing.T) { p.brokenBus(t, o) })
	}
	t.Run("and wrong events there raise an alarm", p.wrongEvents)
	t.Run("and audit verify finds the wrong events", p.auditVerify)
}

// normalFlow creates and revokes tokens, as the API does.
func (p *pipeline) normalFlow(t *testing.T) {
	i := issuer.New(issuer.Config{Store: p.store, Keys: p.keys})
	if _, _, err := i.Bootstrap(t.Context(), "admin", false); err != nil {
		t.Fatal(err)
	}
	for _, owner := range []string{"ann", "bob", "ACTIVE_DIRECTORY:ann"} {
		by := guard.Principal{Owner: owner}
		for range 3 {
			made, _, err := i.Create(t.Context(), by, "", token.Wish{Description: "<nightly> & ünïcode"})
			if err != nil {
				t.Fatal(err)
			}
			if err := i.Revoke(t.Context(), by, made.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.waitForArrival(t, events.SettingsStream, "user/admin", "user/ann", "user/bob", "user/ACTIVE_DIRECTORY:ann")
	p.bus.checkOrder(t)
	if got := p.compare(t, "user/ann"); got.Copies != 6 {
		t.Errorf("ann has %d copies, want 6", got.Copies)
	}
	p.checkNoFindings(t)
}

// unreadableRecord writes an item that has a record's key and no record. It is
// in one transaction with good records, so that all are in one batch.
func (p *pipeline) unreadableRecord(t *testing.T) {
	first := itemsOf(t, p.newCommit(t, "user/carol", events.Head{}, 0, revocations("carol", 2)...))
	bad := item.Item{item.PK: item.Text("USER#mallory"), item.SK: item.Text(item.RecordSK(1)), "type": item.Number(7)}
	last := itemsOf(t, p.newCommit(t, "user/dave", events.Head{}, 0, revocations("dave", 2)...))
	p.putItems(t, slices.Concat(first, []item.Item{bad}, last))
	p.waitForArrival(t, "user/carol", "user/dave")
	p.waitForDeadLetters(t, "user/mallory/1")
	p.write(t, "carol", 0, 1)
	p.write(t, "dave", 0, 1)
	p.waitForArrival(t, "user/carol", "user/dave")
	p.bus.checkOrder(t)
	if ms, err := p.copies.Copy(t.Context(), "user/mallory", 0, 1); err != nil || len(ms) > 0 {
		t.Errorf("mallory's record has the copies %v, %v", ms, err)
	}
	inOneBatch := func(line object) bool { return line["Published"] == 4.0 && line["Unpublished"] == 1.0 }
	if !slices.ContainsFunc(p.engine.logLines(t, p.ids["PublishFunction"]), inOneBatch) {
		t.Error("no batch had the records of carol and dave together with the unreadable one")
	}
}

// refusedOwner lets the bus refuse one owner's entries in answers with status 200.
func (p *pipeline) refusedOwner(t *testing.T) {
	p.bus.set(healthy, "user/erin")
	defer p.bus.set(healthy)
	late := p.write(t, "erin", 20*time.Minute, 3)
	p.write(t, "frank", 0, 2)
	p.waitForArrival(t, "user/frank")
	p.waitForDeadLetters(t, idsOf(late)...)
	p.checkPutLimit(t, p.retries+1, late)
	if n := p.bus.puts(late[0].ID); n < 2 {
		t.Errorf("%s was put %d times, want a retry", late[0].ID, n)
	}
	if i := p.reconcile(t); !i.Failed || !strings.Contains(i.Answer, "user/erin/1") {
		t.Errorf("the reconciler could not send everything and answered %s, failed %t", i.Answer, i.Failed)
	}
	if got := p.unsent(t, "user/erin"); len(got) != len(late) {
		t.Errorf("of erin's %d events %v are in the outbox", len(late), got)
	}
	for _, m := range late {
		if n := p.bus.accepted(m.ID); n > 0 {
			t.Errorf("the bus accepted %s %d times, before its predecessor", m.ID, n)
		}
	}
	p.bus.set(healthy)
	p.checkRepair(t, "user/erin")
}

// outage is a failure of the bus for all owners.
type outage struct {
	name            string
	start, end      func(*testing.T)
	reached, stored bool // the bus gets the events; the bus stores them, but its answer is an error
}

func (p *pipeline) outages() []outage {
	fault := func(f busFault) func(*testing.T) { return func(*testing.T) { p.bus.set(f) } }
	busName := func(name string) func(*testing.T) {
		return func(t *testing.T) { p.engine.setVariable(t, p.ids["PublishFunction"], "EVENT_BUS", name) }
	}
	return []outage{
		{"is down", fault(down), fault(healthy), true, false},
		{"stores events and answers with an error", fault(unanswered), fault(healthy), true, true},
		{"does not exist", busName("nowhere"), busName(p.ids["Bus"]), false, false},
	}
}

// brokenBus starts an outage and waits until the stream has given up. After the
// outage the reconciler must send the events. The events are in one batch: the
// order of an owner's events holds within a batch, and for all that the
// reconciler sends. Events that are written after the stream gave up a batch are
// sent before that batch.
func (p *pipeline) brokenBus(t *testing.T, o outage) {
	o.start(t)
	t.Cleanup(func() {
		if t.Failed() {
			o.end(t) // so that later tests fail only for their own reasons
		}
	})
	one := p.newCommit(t, events.UserStream(o.name), events.Head{}, 20*time.Minute, revocations(o.name, 4)...)
	another := p.newCommit(t, events.UserStream(o.name+" too"), events.Head{}, 16*time.Minute, revocations(o.name, 1)...)
	p.putItems(t, append(itemsOf(t, one), itemsOf(t, another)...))
	late, other := messagesOf(one), messagesOf(another)
	all := append(slices.Clone(late), other...)
	p.waitForDeadLetters(t, idsOf(all)...)
	for _, m := range []events.Message{late[0], other[0]} {
		if puts, accepted := p.bus.puts(m.ID), p.bus.accepted(m.ID); (puts > 1) != o.reached || (accepted > 1) != o.stored || !o.stored && accepted > 0 {
			t.Errorf("%s was put %d times and accepted %d times", m.ID, puts, accepted)
		}
	}
	p.checkPutLimit(t, (p.retries+1)*sdkAttempts, all)
	streams := []events.Stream{late[0].Stream, other[0].Stream}
	if got := p.unsent(t, streams...); len(got) != len(all) {
		t.Errorf("of %d events that the bus did not confirm only %v are in the outbox", len(all), got)
	}
	o.end(t)
	p.checkRepair(t, streams...)
}

// sdkAttempts is how often the functions' client sends a call that fails as a
// whole.
const sdkAttempts = 3

// checkPutLimit checks that no event was put more than twice as often as is
// allowed. A stream delivers at least once, and on a busy machine the engine
// sometimes invokes once more than it counts. Without a limit the stream would
// retry for a day.
func (p *pipeline) checkPutLimit(t *testing.T, limit int, ms []events.Message) {
	t.Helper()
	for _, m := range ms {
		if n := p.bus.puts(m.ID); n > 2*limit {
			t.Errorf("%s was put %d times, %d are allowed", m.ID, n, 2*limit)
		}
	}
}

// checkRepair checks that the reconciler sends all that waits.
func (p *pipeline) checkRepair(t *testing.T, streams ...events.Stream) {
	t.Helper()
	if i := p.reconcile(t); i.Failed {
		t.Errorf("the reconciler failed: %s", i.Answer)
	}
	if left := p.unsent(t, streams...); len(left) > 0 {
		t.Errorf("the reconciler left %v", left)
	}
	p.waitForArrival(t, streams...)
	p.bus.checkOrder(t)
	p.checkNoFindings(t)
}
