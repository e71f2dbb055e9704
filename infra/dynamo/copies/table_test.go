package copies_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/storetest"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
	"apitoken/localstack/engines"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var _ interface {
	audit.Copies
	audit.Reader
} = (*copies.Table)(nil)

// newTable makes an audit table on DynamoDB Local.
func newTable(t *testing.T) *copies.Table {
	t.Helper()
	c := clientAt(t, engines.Require(t, engines.DynamoDB))
	name := "audit-" + rand.Text()
	if _, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("PK"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("SK"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("PK"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("SK"), KeyType: types.KeyTypeRange},
		},
	}); err != nil && !made(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name})
	})
	return copies.New(c, name)
}

func clientAt(t *testing.T, url string) *dynamodb.Client {
	t.Helper()
	env := map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": url}
	c, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// made reports whether an earlier attempt, which was not answered in time, has
// made the table.
func made(err error) bool {
	_, exists := errors.AsType[*types.ResourceInUseException](err)
	return exists
}

const ann events.Stream = "user/ann"

// history returns n messages of a stream, each with a description of about size
// bytes.
func history(t *testing.T, s events.Stream, n, size int) (ms []events.Message) {
	t.Helper()
	var head events.Head
	for range n {
		m := events.Meta{Command: rand.Text(), Actor: "ann", At: time.Now()}
		fact := events.TokenCreated{TokenID: rand.Text()[:8], Owner: "ann", Description: strings.Repeat("<ü>", size/4)}
		c, err := events.NewCommit(storetest.Keys, s, head, m, []events.Fact{fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		head = c.Head()
		ms = append(ms, c.Records()[0].Message())
	}
	return ms
}

// inStream returns the message as a message of another stream. NewCommit refuses
// a fact in a stream where it does not belong, but a sender on the bus may send
// any.
func inStream(m events.Message, s events.Stream) events.Message {
	m.Stream, m.ID = s, fmt.Sprintf("%s/%d", s, m.Seq)
	return m
}

func keep(t *testing.T, table *copies.Table, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		if first, _, err := table.Keep(t.Context(), m); !first || err != nil {
			t.Fatalf("keeping %s: first %t, %v", m.ID, first, err)
		}
	}
}

var notice = events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: time.Unix(1, 5).UTC(), Subject: "JhxND7ci", Data: []byte(`{"v":1}`)}

func TestACopyIsKeptOnceAndComesBackAsItWas(t *testing.T) {
	table := newTable(t)
	m := history(t, ann, 1, 40)[0]
	keep(t, table, m, notice)
	for _, want := range []events.Message{m, notice} {
		other := want
		other.Actor = "bob"
		if first, got, err := table.Keep(t.Context(), other); first || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("a second message with the id %s: first %t, %v\ngot  %+v\nwant %+v", want.ID, first, err, got, want)
		}
	}
}

func TestOnlyOneOfManyCallersIsFirstForAnID(t *testing.T) {
	table := newTable(t)
	m := history(t, ann, 1, 0)[0]
	var firsts atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			first, _, err := table.Keep(t.Context(), m)
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d callers were first, want one", n)
	}
}

// TestStreamsCannotReachOtherPartitions: each sender on the bus can choose the
// stream of its events.
func TestStreamsCannotReachOtherPartitions(t *testing.T) {
	table := newTable(t)
	for _, s := range []events.Stream{"wait", "evidence", "notice", "", "users/ann"} {
		m := inStream(history(t, ann, 1, 0)[0], s)
		if _, _, err := table.Keep(t.Context(), m); err == nil {
			t.Errorf("an event of the stream %q is kept", s)
		}
	}
	m := history(t, ann, 1, 0)[0]
	m.Seq = 1_000_000_000_000
	if _, _, err := table.Keep(t.Context(), m); err == nil {
		t.Error("an event with a sequence of 13 digits is kept")
	}
}

func TestNeighboursHaveTheNextNumbersOfTheStream(t *testing.T) {
	table := newTable(t)
	ms := history(t, ann, 11, 0)
	keep(t, table, ms[0], ms[8], ms[10])
	keep(t, table, history(t, "user/ann2", 11, 0)...)
	for _, c := range []struct {
		seq           uint64
		before, after string
	}{{1, "", ""}, {2, "user/ann/1", ""}, {8, "", "user/ann/9"}, {9, "", ""}, {10, "user/ann/9", "user/ann/11"}} {
		before, after, err := table.Around(t.Context(), ann, c.seq)
		if err != nil || id(before) != c.before || id(after) != c.after {
			t.Errorf("around %d: got %q and %q, %v, want %q and %q", c.seq, id(before), id(after), err, c.before, c.after)
		}
	}
}

func id(m *events.Message) string {
	if m == nil {
		return ""
	}
	return m.ID
}

// TestCopiesComeInOrderAndInPages: also where DynamoDB ends a page, at 1 MB.
func TestCopiesComeInOrderAndInPages(t *testing.T) {
	table := newTable(t)
	ms := history(t, ann, 12, 30_000)
	keep(t, table, ms...)
	keep(t, table, history(t, "user/an", 2, 0)...)
	for _, c := range []struct{ after, limit, from, to int }{{0, 12, 0, 12}, {0, 100, 0, 12}, {0, 10, 0, 10}, {3, 2, 3, 5}, {10, 10, 10, 12}, {12, 10, 12, 12}} {
		got, err := table.Copy(t.Context(), ann, uint64(c.after), c.limit)
		if want := ms[c.from:c.to]; err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("after %d at most %d: got %d, %v, want %d", c.after, c.limit, len(got), err, len(want))
		}
	}
}

func TestEvidenceIsKeptOnceForEachContent(t *testing.T) {
	table := newTable(t)
	m := history(t, ann, 1, 0)[0]
	for range 2 {
		if err := table.Evidence(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, table, m) // evidence does not prevent the copy
}

func TestAWaitIsStoredUntilTheEventArrived(t *testing.T) {
	table := newTable(t)
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	odd := events.UserStream("ACTIVE_DIRECTORY:a#b/c")
	for i, s := range []events.Stream{ann, odd, ann} {
		since := noon.Add(time.Duration(i) * time.Nanosecond)
		for range 2 {
			if err := table.Await(t.Context(), s, uint64(i+2), since.In(time.FixedZone("far", 3600))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := waiting(t, table, noon); len(got) > 1 {
		t.Errorf("before noon: got %v", got)
	}
	want := []string{"user/ann/2 0s", string(odd) + "/3 1ns", "user/ann/4 2ns"}
	if got := waiting(t, table, noon.Add(time.Second)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := table.Arrived(t.Context(), odd, 3, noon.Add(1)); err != nil {
		t.Fatal(err)
	}
	if got := waiting(t, table, noon.Add(time.Second)); !slices.Equal(got, []string{want[0], want[2]}) {
		t.Errorf("after one arrived: got %q", got)
	}
}

func waiting(t *testing.T, table *copies.Table, olderThan time.Time) (all []string) {
	t.Helper()
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	err := table.Waiting(t.Context(), olderThan, func(s events.Stream, seq uint64, since time.Time) {
		all = append(all, fmt.Sprintf("%s/%d %v", s, seq, since.Sub(noon)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEachStreamIsNamedOnce(t *testing.T) {
	table := newTable(t)
	keep(t, table, history(t, ann, 3, 0)...)
	keep(t, table, inStream(history(t, ann, 1, 0)[0], events.SettingsStream))
	keep(t, table, notice)
	if err := table.Await(t.Context(), ann, 9, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := table.Evidence(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	var got []events.Stream
	if err := table.Streams(t.Context(), func(s events.Stream) { got = append(got, s) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if !slices.Equal(got, []events.Stream{events.SettingsStream, ann}) {
		t.Errorf("got %v", got)
	}
}

// TestTheAuditorWorksOnTheTable takes a history in a bad order, and events of
// another history with the same ids.
func TestTheAuditorWorksOnTheTable(t *testing.T) {
	table := newTable(t)
	now := time.Now()
	a := &audit.Auditor{Copies: table, Now: func() time.Time { return now }}
	ms, others := history(t, ann, 4, 0), history(t, ann, 4, 0)
	var found []string
	for _, m := range []events.Message{ms[3], ms[1], ms[1], others[0], ms[0], others[2]} {
		fs, err := a.Take(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			found = append(found, string(f.Kind)+" "+f.ID)
		}
	}
	want := []string{"broken user/ann/2", "differs user/ann/1", "broken user/ann/4", "broken user/ann/3"}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	now = now.Add(time.Hour)
	if fs, err := a.Overdue(t.Context()); len(fs) > 0 || err != nil {
		t.Errorf("overdue: %v, %v", fs, err)
	}
}
