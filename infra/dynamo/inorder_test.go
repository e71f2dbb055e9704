package dynamo_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// lagging is a table whose index does not have the entries of some records yet.
type lagging struct {
	*testing.T
	client *dynamodb.Client
	table  string
	store  *dynamo.Store
	now    time.Time
}

func newLagging(t *testing.T) *lagging {
	t.Helper()
	c := client(t)
	table := dynamotest.NewTable(t, c)
	l := &lagging{t, c, table, dynamo.New(c, table), time.Now()}
	for range 4 {
		for _, owner := range []string{"ann", "bob"} {
			l.commit(owner)
		}
	}
	return l
}

func (l *lagging) commit(owner string) {
	l.Helper()
	st := events.UserStream(owner)
	h, err := l.store.Head(l.Context(), st)
	if err != nil {
		l.Fatal(err)
	}
	m := events.Meta{Command: fmt.Sprint(owner, h.Version), Actor: owner, At: l.now}
	c, err := events.NewCommit(storetest.Keys, st, h, m, []events.Fact{events.TokenRevoked{TokenID: "JhxND7ci", Owner: owner}}, 1, nil, events.Effect{})
	if err == nil {
		err = l.store.Commit(l.Context(), c)
	}
	if err != nil {
		l.Fatal(err)
	}
}

// change changes an attribute of a record of ann: without its sort key an item is not
// in the index.
func (l *lagging) change(seq uint64, expression string, values item.Item) {
	l.Helper()
	key, err := item.RecordKey("user/ann", seq)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := l.client.UpdateItem(l.Context(), &dynamodb.UpdateItemInput{TableName: &l.table, Key: key, UpdateExpression: &expression, ExpressionAttributeValues: values}); err != nil {
		l.Fatal(err)
	}
}

func (l *lagging) expect(what string, after time.Duration, want ...string) {
	l.Helper()
	now := func() time.Time { return l.now.Add(after) }
	ms, err := dynamo.InOrder{Store: l.store, Now: now}.Pending(l.Context(), l.now.Add(time.Hour), 100)
	if err != nil {
		l.Fatal(err)
	}
	var got []string
	for _, m := range ms {
		if m.Stream == "user/ann" || m.Stream == "" {
			got = append(got, m.ID)
		}
	}
	if len(ms) != len(got)+4 || !slices.Equal(got, want) {
		l.Errorf("%s: got %v of %d messages, want %v and the 4 of bob", what, got, len(ms), want)
	}
}

// TestARecordWaitsForItsPredecessor that the index does not have yet, and no other
// stream waits.
func TestARecordWaitsForItsPredecessor(t *testing.T) {
	l := newLagging(t)
	l.expect("no lag", 0, "user/ann/1", "user/ann/2", "user/ann/3", "user/ann/4")
	l.change(2, "REMOVE unsent_at", nil)
	l.expect("a record is late", 0, "user/ann/1")
	l.expect("after a minute", time.Minute, "user/ann/1", "user/ann/3", "user/ann/4")
	l.change(2, "SET unsent_at = :at", item.Item{":at": item.Text(item.Time(l.now) + "#" + item.Sequence(2))})
	l.expect("it has come", 0, "user/ann/1", "user/ann/2", "user/ann/3", "user/ann/4")
	if err := l.store.Sent(t.Context(), "user/ann/1", "user/ann/2"); err != nil {
		t.Fatal(err)
	}
	l.expect("two were sent", 0, "user/ann/3", "user/ann/4")
	l.change(3, "REMOVE unsent_at", nil)
	l.expect("the first one is late", 0)
	n := events.Message{ID: "TokenReused/JhxND7ci/1/x", Type: "TokenReused", V: 1, Time: l.now, Data: []byte("{}")}
	if err := l.store.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	l.expect("a notice waits for nothing", 0, n.ID)
}

// TestTheOldestMessageIsOfAnyShard.
func TestTheOldestMessageIsOfAnyShard(t *testing.T) {
	c := client(t)
	s := dynamo.New(c, dynamotest.NewTable(t, c))
	if at, err := s.Oldest(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("an empty outbox: got %v, %v", at, err)
	}
	first := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	var ids []string
	for n := range 12 { // of all shards; the oldest is neither the first nor the last
		m := events.Message{ID: fmt.Sprint("TokenReused/", n), Type: "TokenReused", V: 1, Time: first.Add(time.Duration((n+5)%12) * time.Minute), Data: []byte("{}")}
		if err := s.Notify(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	for n := range 12 {
		oldest := (n + 7) % 12
		if at, err := s.Oldest(t.Context()); err != nil || !at.Equal(first.Add(time.Duration(n)*time.Minute)) {
			t.Errorf("after %d were sent: got %v, %v", n, at, err)
		}
		if err := s.Sent(t.Context(), ids[oldest]); err != nil {
			t.Fatal(err)
		}
	}
}
