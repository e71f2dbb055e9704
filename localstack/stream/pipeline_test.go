package stream_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/infra/dynamo/item"
	"apitoken/localstack/engines"
)

// arrival is how long an event may take from the table to the audit table. It
// allows for a slow machine.
const arrival = time.Minute

// write makes n commits to an owner's stream, of one and two records in turn,
// dated some time ago. It returns their messages.
func (p *pipeline) write(t *testing.T, owner string, ago time.Duration, n int) (ms []events.Message) {
	t.Helper()
	s := events.UserStream(owner)
	for i := range n {
		head, err := p.store.Head(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c := p.newCommit(t, s, head, ago, revocations(owner, 1+i%2)...)
		if err := p.store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ms = append(ms, messagesOf(c)...)
	}
	return ms
}

// newCommit builds a commit that follows the head, dated some time ago.
func (p *pipeline) newCommit(t *testing.T, s events.Stream, head events.Head, ago time.Duration, facts ...events.Fact) events.Commit {
	t.Helper()
	m := events.Meta{Command: rand.Text(), Actor: "ann", At: time.Now().Add(-ago).UTC().Truncate(time.Microsecond)}
	c, err := events.NewCommit(p.keys, s, head, m, facts, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// revocations returns n facts about tokens with new ids.
func revocations(owner string, n int) (facts []events.Fact) {
	for range n {
		facts = append(facts, events.TokenRevoked{TokenID: rand.Text()[:8], Owner: owner})
	}
	return facts
}

func messagesOf(c events.Commit) (ms []events.Message) {
	for _, r := range c.Records() {
		ms = append(ms, r.Message())
	}
	return ms
}

func idsOf(ms []events.Message) (ids []string) {
	for _, m := range ms {
		ids = append(ids, m.ID)
	}
	return ids
}

// itemsOf returns the items that a commit writes.
func itemsOf(t *testing.T, c events.Commit) (its []item.Item) {
	t.Helper()
	for _, r := range c.Records() {
		it, err := item.Record(r)
		if err != nil {
			t.Fatal(err)
		}
		its = append(its, it)
	}
	head, err := item.Head(c.Stream(), c.Head())
	if err != nil {
		t.Fatal(err)
	}
	return append(its, head)
}

// putItems writes items to the log in one transaction, without any condition.
func (p *pipeline) putItems(t *testing.T, its []item.Item) {
	t.Helper()
	in := &dynamodb.TransactWriteItemsInput{}
	for _, it := range its {
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(p.ids["TokenTable"]), Item: it}})
	}
	if _, err := p.client.TransactWriteItems(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// waitForArrival waits until every event of the streams has a copy and none
// waits to be sent. The log and the copies must agree then.
func (p *pipeline) waitForArrival(t *testing.T, streams ...events.Stream) {
	t.Helper()
	engines.Eventually(t, arrival, "every event has its copy and left the outbox", func() string {
		for _, s := range streams {
			if r := p.compare(t, s); r.Log == 0 || r.Log != r.Copies {
				return fmt.Sprintf("%s has %d events and %d copies", s, r.Log, r.Copies)
			}
		}
		if left := p.unsent(t, streams...); len(left) > 0 {
			return fmt.Sprintf("%v are not marked as sent", left)
		}
		return ""
	})
	for _, s := range streams {
		if r := p.compare(t, s); len(r.Findings) > 0 {
			t.Errorf("%s: the log and its copies disagree: %v", s, r.Findings)
		}
	}
}

// compare compares the events of a stream with their copies. It leaves out the
// views: the events here are about tokens that were never made.
func (p *pipeline) compare(t *testing.T, s events.Stream) compare.Report {
	t.Helper()
	r, err := compare.Comparison{Store: p.store, Copies: p.copies, Keys: p.keys, Now: time.Now}.Stream(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f audit.Finding) bool { return strings.HasPrefix(f.ID, aboutToken) })
	return r
}

// aboutToken begins the id of a finding about a token's view.
const aboutToken = "token/"

// unsent returns the ids of the streams' messages in the outbox, in its order.
func (p *pipeline) unsent(t *testing.T, streams ...events.Stream) (ids []string) {
	t.Helper()
	ms, err := p.store.Pending(t.Context(), time.Now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if slices.Contains(streams, m.Stream) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// scheduledEvent is the event that EventBridge sends to a function on schedule.
var scheduledEvent = object{
	"version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event", "source": "aws.events",
	"account": engines.Account, "time": "2026-11-21T12:00:00Z", "region": engines.Region,
	"resources": []string{"arn:aws:events:us-east-1:000000000000:rule/clock"}, "detail": object{},
}

func (p *pipeline) reconcile(t *testing.T) engines.Invocation {
	t.Helper()
	return p.engine.Invoke(t, p.ids["ReconcileFunction"], scheduledEvent)
}
