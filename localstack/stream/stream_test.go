// Package stream_test holds the deployed service against engines that stand
// in for AWS. Each test skips aloud without its engine; see engines.sh.
package stream_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/token"
	"apitoken/infra/dynamo/item"
)

func TestEveryEventReachesTheAuditTable(t *testing.T) {
	p := deploy(t)
	t.Run("in order and once", p.flows)
	t.Run("past a record that nobody can read", p.poisoned)
	t.Run("when the bus refuses one owner's", p.refuses)
	for _, o := range p.outages() {
		t.Run("when the bus "+o.what, func(t *testing.T) { p.fails(t, o) })
	}
	t.Run("and what is wrong there raises an alarm", p.alarms)
	t.Run("and is found by whoever looks", p.audits)
}

// flows takes tokens through their lives, as the API does.
func (p *pipeline) flows(t *testing.T) {
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
	streams := []events.Stream{events.SettingsStream, "user/admin", "user/ann", "user/bob", "user/ACTIVE_DIRECTORY:ann"}
	p.settled(t, streams...)
	p.bus.check(t)
	if got := p.compare(t, "user/ann"); got.Copies != 6 {
		t.Errorf("ann has %d copies, want 6", got.Copies)
	}
	p.nothingFound(t)
}

// poisoned writes a record that is none, straight to the table, between good
// ones and at once with them, so that they are in one batch.
func (p *pipeline) poisoned(t *testing.T) {
	first := p.items(t, p.commit(t, "user/carol", events.Head{}, 0, facts("carol", 2)...))
	poison := item.Item{item.PK: item.Text("USER#mallory"), item.SK: item.Text(item.RecordSK(1)), "type": item.Number(7)}
	last := p.items(t, p.commit(t, "user/dave", events.Head{}, 0, facts("dave", 2)...))
	p.transact(t, slices.Concat(first, []item.Item{poison}, last))
	p.settled(t, "user/carol", "user/dave")
	p.givenUp(t, "user/mallory/1")
	p.write(t, "carol", 0, 1)
	p.write(t, "dave", 0, 1)
	p.settled(t, "user/carol", "user/dave")
	p.bus.check(t)
	if ms, err := p.copies.Copy(t.Context(), "user/mallory", 0, 1); err != nil || len(ms) > 0 {
		t.Errorf("mallory's record has the copies %v, %v", ms, err)
	}
	if !slices.ContainsFunc(p.engine.lines(t, p.ids["PublishFunction"]), func(l object) bool { return l["Published"] == 4.0 && l["Unpublished"] == 1.0 }) {
		t.Error("no batch had carol's and dave's records and the one that nobody can read")
	}
}

// refuses lets the bus fail for some entries of a call, with an answer of 200.
func (p *pipeline) refuses(t *testing.T) {
	p.bus.set(healthy, "user/erin")
	defer p.bus.set(healthy)
	late := p.write(t, "erin", 20*time.Minute, 3)
	p.write(t, "frank", 0, 2)
	p.settled(t, "user/frank")
	p.givenUp(t, ids(late)...)
	p.bounded(t, p.retries+1, late)
	if n := p.bus.times(late[0].ID); n < 2 {
		t.Errorf("%s was put %d times: nobody tried again", late[0].ID, n)
	}
	if answer, failed := p.reconcile(t); !failed || !strings.Contains(answer, "user/erin/1") {
		t.Errorf("the reconciler could not send everything and answered %s, failed %t", answer, failed)
	}
	if got := p.unsent(t, "user/erin"); len(got) != len(late) {
		t.Errorf("of erin's %d events %v are in the outbox", len(late), got)
	}
	for _, m := range late {
		if n := p.bus.taken(m.ID); n > 0 {
			t.Errorf("%s overtook: the bus took it %d times", m.ID, n)
		}
	}
	p.bus.set(healthy)
	p.repaired(t, "user/erin")
}

// outage is one way in which the bus fails for everybody.
type outage struct {
	what          string
	breaks, heals func(*testing.T)
	tried, taken  bool // whether events are put all the same, and taken unanswered
}

func (p *pipeline) outages() []outage {
	set := func(trouble busTrouble) func(*testing.T) { return func(*testing.T) { p.bus.set(trouble) } }
	bus := func(name string) func(*testing.T) {
		return func(t *testing.T) { p.engine.setVariable(t, p.ids["PublishFunction"], "EVENT_BUS", name) }
	}
	return []outage{
		{"is down", set(down), set(healthy), true, false},
		{"takes events and does not say so", set(mute), set(healthy), true, true},
		{"is not there", bus("nowhere"), bus(p.ids["Bus"]), false, false},
	}
}

// fails breaks the bus until the stream has given up, and lets the reconciler
// repair it. The events are in one batch: the order of an owner's events holds
// within a batch and for what the reconciler sends, but what is written after a
// batch was given up goes out before it.
func (p *pipeline) fails(t *testing.T, o outage) {
	o.breaks(t)
	t.Cleanup(func() {
		if t.Failed() {
			o.heals(t) // the tests that follow have troubles of their own
		}
	})
	one := p.commit(t, events.UserStream(o.what), events.Head{}, 20*time.Minute, facts(o.what, 4)...)
	another := p.commit(t, events.UserStream(o.what+" too"), events.Head{}, 16*time.Minute, facts(o.what, 1)...)
	p.transact(t, append(p.items(t, one), p.items(t, another)...))
	late, other := messages(one), messages(another)
	all := append(slices.Clone(late), other...)
	p.givenUp(t, ids(all)...)
	for _, m := range []events.Message{late[0], other[0]} {
		if tried, taken := p.bus.times(m.ID), p.bus.taken(m.ID); (tried > 1) != o.tried || (taken > 1) != o.taken || !o.taken && taken > 0 {
			t.Errorf("%s was put %d times and taken %d times", m.ID, tried, taken)
		}
	}
	p.bounded(t, (p.retries+1)*sdkAttempts, all)
	streams := []events.Stream{late[0].Stream, other[0].Stream}
	if got := p.unsent(t, streams...); len(got) != len(all) {
		t.Errorf("of %d events that the bus did not confirm only %v are in the outbox", len(all), got)
	}
	o.heals(t)
	p.repaired(t, streams...)
}

// sdkAttempts is how often the functions' client makes one call that fails as a
// whole.
const sdkAttempts = 3

// bounded checks that no event was put more often than is allowed, twice: a
// stream hands out at least once, and on a busy machine the engine was seen to
// invoke once more than it counts. Without a bound it would go on for a day.
func (p *pipeline) bounded(t *testing.T, most int, ms []events.Message) {
	t.Helper()
	for _, m := range ms {
		if n := p.bus.times(m.ID); n > 2*most {
			t.Errorf("%s was put %d times, %d are allowed", m.ID, n, 2*most)
		}
	}
}

func (p *pipeline) repaired(t *testing.T, streams ...events.Stream) {
	t.Helper()
	if answer, failed := p.reconcile(t); failed {
		t.Errorf("the reconciler failed: %s", answer)
	}
	if left := p.unsent(t, streams...); len(left) > 0 {
		t.Errorf("the reconciler left %v", left)
	}
	p.settled(t, streams...)
	p.bus.check(t)
	p.nothingFound(t)
}

// alarms puts on the bus what the service never would.
func (p *pipeline) alarms(t *testing.T) {
	s := func(name string) events.Stream { return events.UserStream(name) }
	known := p.write(t, "known", 0, 1)[0]
	p.settled(t, "user/known")
	other := messages(p.commit(t, s("known"), events.Head{}, 0, facts("known", 1)...))[0]

	one := p.commit(t, s("broken"), events.Head{}, 0, facts("broken", 1)...)
	another := p.commit(t, s("broken"), events.Head{}, 0, facts("broken", 1)...)
	after := messages(p.commit(t, s("broken"), another.Head(), 0, facts("broken", 1)...))[0]

	gap := messages(p.commit(t, s("gap"), events.Head{}, 0, facts("gap", 3)...))[2]

	forged := messages(p.commit(t, s("forged"), events.Head{}, 0, facts("forged", 1)...))[0]
	forged.Actor = "somebody else"

	p.inject(t, messages(one)[0], gap)
	p.kept(t, messages(one)[0], gap)
	p.inject(t, other, after, forged)
	p.found(t, "AuditMismatch", map[string]audit.Kind{other.ID: audit.Differs, after.ID: audit.Broken, forged.ID: audit.Forged})
	if got, want := p.evidence(t), []string{forged.ID, other.ID}; !slices.Equal(got, want) {
		t.Errorf("evidence was kept of %v, want %v", got, want)
	}
	if ms, err := p.copies.Copy(t.Context(), s("known"), 0, 2); err != nil || len(ms) != 1 || ms[0].Hash != known.Hash {
		t.Errorf("the copy that came first was not left alone: %v, %v", ms, err)
	}
	p.overdue(t, gap)
}

// audits looks at both tables with the command line, as an operator would,
// after all that the other tests have done.
func (p *pipeline) audits(t *testing.T) {
	command := exec.CommandContext(t.Context(), build(t, "apitoken/cmd/apitoken"), "audit", "verify", "--table", p.ids["TokenTable"], "--audit-table", p.ids["AuditTable"])
	command.Env = []string{
		"AWS_ENDPOINT_URL=" + string(p.engine), "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"PEPPERS=" + peppers, "HOME=" + t.TempDir(),
	}
	var said, complained bytes.Buffer
	command.Stdout, command.Stderr = &said, &complained
	if err := command.Run(); err == nil {
		t.Error("it found nothing to complain about")
	}
	for _, line := range []string{
		"settings: 1 in the log, 1 copies", "user/ann: 6 in the log, 6 copies", "user/bob: 6 in the log, 6 copies",
		"user/known: 1 in the log, 1 copies", "user/gap: 0 in the log, 0 copies",
		"  rolled_back user/broken/1: its copy was kept and the log does not have it",
		"  rolled_back user/broken/2: its copy was kept and the log does not have it",
		"  rolled_back user/gap/3: its copy was kept and the log does not have it",
	} {
		if !strings.Contains(said.String(), line+"\n") {
			t.Errorf("%q is not among what it said", line)
		}
	}
	if got := strings.Count(said.String(), "\n  "); got != 3 || t.Failed() {
		t.Errorf("it has %d findings, want 3:\n%s%s", got, said.String(), complained.String())
	}
}

// overdue runs the audit's schedule before and after the gap is 15 minutes old.
func (p *pipeline) overdue(t *testing.T, gap events.Message) {
	t.Helper()
	if answer, failed, log := p.engine.invoke(t, p.ids["AuditFunction"], scheduled); failed || strings.Contains(log, "AuditGap") {
		t.Errorf("an event whose predecessor may be on its way: got %s, failed %t\n%s", answer, failed, log)
	}
	var since []time.Time
	err := p.copies.Waiting(t.Context(), time.Now().Add(time.Hour), func(s events.Stream, seq uint64, at time.Time) {
		if s == gap.Stream && seq == gap.Seq {
			since = append(since, at)
		}
	})
	if err != nil || len(since) == 0 {
		t.Fatalf("nobody waits for the event before %s: %v", gap.ID, err)
	}
	for _, at := range since {
		if err := p.copies.Arrived(t.Context(), gap.Stream, gap.Seq, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.copies.Await(t.Context(), gap.Stream, gap.Seq, time.Now().Add(-audit.GracePeriod-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if answer, failed, log := p.engine.invoke(t, p.ids["AuditFunction"], scheduled); failed || !strings.Contains(log, "AuditGap") {
		t.Errorf("an event whose predecessor is overdue: got %s, failed %t\n%s", answer, failed, log)
	}
	p.found(t, "AuditGap", map[string]audit.Kind{gap.ID: audit.Gap})
}
