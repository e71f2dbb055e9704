package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"apitoken/events"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/item"
)

// fake is a bus and an outbox. The test decides their errors, and reads the
// messages that arrived and the ids that were removed.
type fake struct {
	refuse    func(events.Message) error
	busDown   error
	tableDown error
	arrived   []events.Message
	removed   []string
	deadline  time.Time // of the last Put
}

func (f *fake) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	f.deadline, _ = ctx.Deadline()
	if f.busDown != nil {
		return nil, f.busDown
	}
	var failed map[string]error
	for _, m := range ms {
		if f.refuse != nil && f.refuse(m) != nil {
			if failed == nil {
				failed = map[string]error{}
			}
			failed[m.ID] = f.refuse(m)
			continue
		}
		f.arrived = append(f.arrived, m)
	}
	return failed, nil
}

func (f *fake) Sent(_ context.Context, ids ...string) error {
	if f.tableDown == nil {
		f.removed = append(f.removed, ids...)
	}
	return f.tableDown
}

func (f *fake) ids() (ids []string) {
	for _, m := range f.arrived {
		ids = append(ids, m.ID)
	}
	return ids
}

// deliver gives records to a publisher as Lambda does, through JSON. It returns
// the sequence numbers in the answer, and the log.
func deliver(t rapid.TB, f *fake, records ...lambdaevents.DynamoDBEventRecord) (unsent []string, log string) {
	t.Helper()
	var out bytes.Buffer
	p := &publisher{bus: f, outbox: f, log: telemetry.NewLogger(telemetry.Config{Out: &out, Function: "publish"}), now: time.Now}
	payload, err := json.Marshal(lambdaevents.DynamoDBEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := lambda.NewHandler(p.publish).Invoke(ctx, payload)
	if err != nil {
		t.Fatalf("Invoke: %v", err)
	}
	var r lambdaevents.DynamoDBEventResponse
	if err := json.Unmarshal(answer, &r); err != nil || r.BatchItemFailures == nil {
		t.Fatalf("the answer %s: %v", answer, err)
	}
	for _, failure := range r.BatchItemFailures {
		unsent = append(unsent, failure.ItemIdentifier)
	}
	return unsent, out.String()
}

// recordsOf makes the first n records of an owner.
func recordsOf(t rapid.TB, owner string, n int) (records []events.Record) {
	t.Helper()
	keys, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	var base events.Head
	for i := range n {
		m := events.Meta{Command: fmt.Sprint("c", i), Actor: owner, Address: "203.0.113.9", At: time.Now()}
		fact := events.TokenCreated{TokenID: "JhxND7ci", Owner: owner, Verifier: events.Verifier{Kid: "test", MAC: []byte("verifier")}}
		c, err := events.NewCommit(keys, events.UserStream(owner), base, m, []events.Fact{fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		base = c.Head()
		records = append(records, c.Records()...)
	}
	return records
}

// change returns an item as a record of the change stream, with the sequence
// number at.
func change(t rapid.TB, kind string, at int, it item.Item) lambdaevents.DynamoDBEventRecord {
	t.Helper()
	image := map[string]lambdaevents.DynamoDBAttributeValue{}
	for name, v := range it {
		image[name] = lambdaValue(t, v)
	}
	keys := map[string]lambdaevents.DynamoDBAttributeValue{item.PK: image[item.PK], item.SK: image[item.SK]}
	if kind == "REMOVE" {
		image = nil
	}
	return lambdaevents.DynamoDBEventRecord{
		EventName: kind, EventSource: "aws:dynamodb",
		Change: lambdaevents.DynamoDBStreamRecord{Keys: keys, NewImage: image, SequenceNumber: fmt.Sprint(at), StreamViewType: "NEW_IMAGE"},
	}
}

func lambdaValue(t rapid.TB, v types.AttributeValue) lambdaevents.DynamoDBAttributeValue {
	t.Helper()
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return lambdaevents.NewStringAttribute(v.Value)
	case *types.AttributeValueMemberN:
		return lambdaevents.NewNumberAttribute(v.Value)
	case *types.AttributeValueMemberB:
		return lambdaevents.NewBinaryAttribute(v.Value)
	case *types.AttributeValueMemberBOOL:
		return lambdaevents.NewBooleanAttribute(v.Value)
	case *types.AttributeValueMemberL:
		var vs []lambdaevents.DynamoDBAttributeValue
		for _, e := range v.Value {
			vs = append(vs, lambdaValue(t, e))
		}
		return lambdaevents.NewListAttribute(vs)
	}
	t.Fatalf("unexpected kind %T", v)
	return lambdaevents.DynamoDBAttributeValue{}
}

func inserted(t rapid.TB, at int, r events.Record) lambdaevents.DynamoDBEventRecord {
	t.Helper()
	it, err := item.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	return change(t, "INSERT", at, it)
}

var notice = events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: time.Now().UTC(), Subject: "JhxND7ci", Data: []byte(`{"v":1}`)}

// TestOnlyInsertedRecordsAndNoticesAreEvents: changed and removed items are no
// events, whether a caller or DynamoDB removed them. Heads, views, uses and
// replies are no events either.
func TestOnlyInsertedRecordsAndNoticesAreEvents(t *testing.T) {
	r := recordsOf(t, "ann", 1)[0]
	it, err := item.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	expired := change(t, "REMOVE", 3, it)
	expired.UserIdentity = &lambdaevents.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	other := func(at int, pk, sk string) lambdaevents.DynamoDBEventRecord {
		return change(t, "INSERT", at, item.Item{item.PK: item.Text(pk), item.SK: item.Text(sk)})
	}
	f := &fake{}
	unsent, _ := deliver(t, f,
		change(t, "MODIFY", 1, it), change(t, "REMOVE", 2, it), expired,
		other(4, "USER#ann", "HEAD"), other(5, "TOKEN#JhxND7ci", "TOKEN"), other(6, "TOKEN#JhxND7ci", "USE"), other(7, "REPLY#x", "REPLY"),
		inserted(t, 8, r), change(t, "INSERT", 9, item.Notice(notice)), change(t, "MODIFY", 10, item.Notice(notice)))
	if want := []string{r.ID(), notice.ID}; !sameIDs(f.ids(), want) || !sameIDs(f.removed, want) || unsent != nil {
		t.Errorf("got %v sent, %v removed, %v unsent, want %v", f.ids(), f.removed, unsent, want)
	}
	for _, m := range f.arrived {
		if m.ID == r.ID() {
			if err := events.VerifyMessages(events.Hash{}, []events.Message{m}); err != nil {
				t.Errorf("the message that arrived is not the record that was written: %v", err)
			}
		}
	}
}

func sameIDs(got, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

func TestSwappedItemsAreSentInOrder(t *testing.T) {
	rs := recordsOf(t, "ann", 3)
	f := &fake{}
	deliver(t, f, inserted(t, 1, rs[2]), inserted(t, 2, rs[0]), inserted(t, 3, rs[1]))
	if want := []string{rs[0].ID(), rs[1].ID(), rs[2].ID()}; !slices.Equal(f.ids(), want) {
		t.Errorf("got %v, want %v", f.ids(), want)
	}
}

func TestUnsentRecordIsReturnedOnceAndDelaysOnlyItsOwner(t *testing.T) {
	ann, bob := recordsOf(t, "ann", 3), recordsOf(t, "bob", 2)
	f := &fake{refuse: func(m events.Message) error {
		if m.ID == ann[1].ID() {
			return errors.New("not now")
		}
		return nil
	}}
	unsent, logged := deliver(t, f, inserted(t, 11, ann[0]), inserted(t, 12, bob[0]), inserted(t, 13, ann[1]), inserted(t, 14, ann[2]), inserted(t, 15, bob[1]))
	if want := []string{ann[0].ID(), bob[0].ID(), bob[1].ID()}; !sameIDs(f.ids(), want) || !sameIDs(f.removed, want) {
		t.Errorf("got %v sent, %v removed, want %v", f.ids(), f.removed, want)
	}
	if !slices.Equal(unsent, []string{"13"}) {
		t.Errorf("got %v as unsent, want only the first unsent record", unsent)
	}
	if !strings.Contains(logged, `"code":"unavailable"`) || !strings.Contains(logged, `"Published":3`) || !strings.Contains(logged, `"Unpublished":2`) {
		t.Errorf("got the line %s", logged)
	}
}

func TestUnreadableRecordDelaysOnlyItsOwner(t *testing.T) {
	ann, bob := recordsOf(t, "ann", 3), recordsOf(t, "bob", 1)
	damaged := inserted(t, 12, ann[1])
	delete(damaged.Change.NewImage, "hash")
	f := &fake{}
	unsent, logged := deliver(t, f, inserted(t, 11, ann[0]), damaged, inserted(t, 13, ann[2]), inserted(t, 14, bob[0]))
	if want := []string{ann[0].ID(), bob[0].ID()}; !sameIDs(f.ids(), want) || !slices.Equal(unsent, []string{"12"}) {
		t.Errorf("got %v sent, %v unsent, want %v and 12", f.ids(), unsent, want)
	}
	if !strings.Contains(logged, "hash") {
		t.Errorf("the line does not contain the reason: %s", logged)
	}
}

func TestRecordWithUnknownAttributeTypeIsUnsent(t *testing.T) {
	damaged := inserted(t, 12, recordsOf(t, "ann", 1)[0])
	damaged.Change.NewImage["odd"] = lambdaevents.NewNullAttribute()
	if unsent, _ := deliver(t, &fake{}, damaged); !slices.Equal(unsent, []string{"12"}) {
		t.Errorf("got %v unsent, want 12", unsent)
	}
}

func TestUnavailableBusDelaysTheWholeBatch(t *testing.T) {
	ann := recordsOf(t, "ann", 2)
	f := &fake{busDown: errors.New("no answer")}
	unsent, logged := deliver(t, f, change(t, "MODIFY", 10, item.Notice(notice)), inserted(t, 11, ann[0]), inserted(t, 12, ann[1]))
	if !slices.Equal(unsent, []string{"11"}) || len(f.removed) > 0 || !strings.Contains(logged, "no answer") {
		t.Errorf("got %v unsent, %v removed, %s", unsent, f.removed, logged)
	}
}

// TestSentRecordsAreNotDeliveredAgainIfTheOutboxFails: the records stay in the
// outbox, and reconcile sends them again, once.
func TestSentRecordsAreNotDeliveredAgainIfTheOutboxFails(t *testing.T) {
	f := &fake{tableDown: errors.New("table does not answer")}
	unsent, logged := deliver(t, f, inserted(t, 11, recordsOf(t, "ann", 1)[0]))
	if unsent != nil || !strings.Contains(logged, "table does not answer") || !strings.Contains(logged, `"code":"ok"`) {
		t.Errorf("got %v unsent, %s", unsent, logged)
	}
}

func TestTimeIsReservedForTheAnswer(t *testing.T) {
	f := &fake{}
	began := time.Now()
	deliver(t, f, inserted(t, 11, recordsOf(t, "ann", 1)[0]))
	if allowed := f.deadline.Sub(began); allowed > time.Minute-margin+time.Second {
		t.Errorf("the bus may use %v of a minute", allowed)
	}
}

func TestNothingPrivateIsSentOrLogged(t *testing.T) {
	f := &fake{}
	_, logged := deliver(t, f, inserted(t, 11, recordsOf(t, "ann", 1)[0]))
	m := f.arrived[0]
	m.Deployment = "test"
	detail, err := m.Detail()
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"203.0.113.9", "dmVyaWZpZXI", "verifier", "nonce"} {
		if strings.Contains(string(detail)+logged, hidden) {
			t.Errorf("%q is in\n%s\n%s", hidden, detail, logged)
		}
	}
	if !strings.Contains(logged, `"Lag":`) || strings.Count(logged, `"message":"request"`) != 1 {
		t.Errorf("got %s, want one line with the lag", logged)
	}
}

// TestOnlySentMessagesMustBeKept: an alarm compares this number with that of the
// audit.
func TestOnlySentMessagesMustBeKept(t *testing.T) {
	ann := recordsOf(t, "ann", 3)
	f := &fake{refuse: func(m events.Message) error {
		if m.ID == ann[2].ID() {
			return errors.New("not now")
		}
		return nil
	}}
	_, logged := deliver(t, f, inserted(t, 11, ann[0]), inserted(t, 12, ann[1]), inserted(t, 13, ann[2]), change(t, "INSERT", 14, item.Notice(notice)))
	n := 0
	for line := range strings.Lines(logged) {
		var l struct{ ToKeep int }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		n += l.ToKeep
	}
	if n != 3 {
		t.Errorf("got %d, want 3 in\n%s", n, logged)
	}
}

// TestEachOwnersRecordsArriveInOrderAndNoneIsLost delivers random batches of a
// change stream of several owners, as Lambda does: again from the sequence
// number that the publisher returned. The bus refuses messages at random.
func TestEachOwnersRecordsArriveInOrderAndNoneIsLost(t *testing.T) {
	logs := [][]events.Record{recordsOf(t, "ann", 6), recordsOf(t, "bob", 6), recordsOf(t, "eve", 6)}
	rapid.Check(t, func(t *rapid.T) {
		var stream []lambdaevents.DynamoDBEventRecord
		next := make([]int, len(logs))
		for range len(logs) * 6 {
			i := rapid.IntRange(0, len(logs)-1).Filter(func(i int) bool { return next[i] < 6 }).Draw(t, "owner")
			stream = append(stream, inserted(t, len(stream)+100, logs[i][next[i]]))
			next[i]++
		}
		f := &fake{}
		for rounds := 0; len(stream) > 0; rounds++ {
			var refused []bool // none after 20 rounds, so that the test ends
			if rounds < 20 {
				refused = rapid.SliceOfN(rapid.Bool(), 1, 7).Draw(t, "refused")
			}
			puts := 0
			f.refuse = func(events.Message) error {
				if puts++; len(refused) > 0 && refused[puts/2%len(refused)] {
					return errors.New("not now")
				}
				return nil
			}
			n := min(len(stream), rapid.IntRange(1, 8).Draw(t, "batch"))
			unsent, _ := deliver(t, f, stream[:n]...)
			if len(unsent) > 0 {
				n = slices.IndexFunc(stream, func(r lambdaevents.DynamoDBEventRecord) bool { return r.Change.SequenceNumber == unsent[0] })
			}
			stream = stream[n:]
		}
		last := map[events.Stream]uint64{}
		for _, m := range f.arrived {
			if m.Seq > last[m.Stream]+1 {
				t.Fatalf("%s arrived before an earlier record of its stream: %v", m.ID, f.ids())
			}
			last[m.Stream] = max(last[m.Stream], m.Seq)
		}
		for _, records := range logs {
			if got := last[records[0].Stream]; got != 6 {
				t.Fatalf("%s: %d of 6 arrived", records[0].Stream, got)
			}
		}
	})
}

var update = flag.Bool("update", false, "write functions/payloads/stream.json again")

const sample = "../payloads/stream.json"

// TestSampleIsPublished delivers the payload that people send by hand: a token
// is created and revoked, and DynamoDB removes its first record.
func TestSampleIsPublished(t *testing.T) {
	if *update {
		writeSample(t)
	}
	var in lambdaevents.DynamoDBEvent
	if err := json.Unmarshal(payloads.Read(t, "stream"), &in); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	if unsent, _ := deliver(t, f, in.Records...); unsent != nil {
		t.Errorf("got %v as unsent, want all records sent", unsent)
	}
	if want := []string{"user/ann/1", "user/ann/2"}; !slices.Equal(f.ids(), want) {
		t.Errorf("got %v, want %v", f.ids(), want)
	}
	if err := events.VerifyMessages(events.Hash{}, f.arrived); err != nil {
		t.Errorf("the chain: %v", err)
	}
}

func writeSample(t *testing.T) {
	t.Helper()
	keys, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 6, 1, 9, 0, time.UTC)
	m := events.Meta{Command: "sample", Actor: "ann", TokenID: "L7k8ljIC", Address: "203.0.113.9", At: at, Retention: 400 * 24 * time.Hour}
	c, err := events.NewCommit(keys, events.UserStream("ann"), events.Head{}, m, []events.Fact{
		events.TokenCreated{TokenID: "JhxND7ci", Owner: "ann", Creator: "ann", Name: "ci", Verifier: events.Verifier{Kid: "test", MAC: make([]byte, 32)}},
		events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann", Cause: events.CauseUser},
	}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := inserted(t, 1, c.Records()[0]), inserted(t, 2, c.Records()[1])
	removed := first
	removed.EventName, removed.Change.NewImage, removed.Change.SequenceNumber = "REMOVE", nil, "3"
	removed.UserIdentity = &lambdaevents.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	in := lambdaevents.DynamoDBEvent{Records: []lambdaevents.DynamoDBEventRecord{first, second, removed}}
	for i := range in.Records {
		r := &in.Records[i]
		r.EventID, r.EventVersion, r.AWSRegion = strings.Repeat(fmt.Sprint(i), 32), "1.1", "us-east-1"
		r.EventSourceArn = "arn:aws:dynamodb:us-east-1:123456789012:table/tokens/stream/2026-11-21T00:00:00.000"
		r.Change.ApproximateCreationDateTime = lambdaevents.SecondsEpochTime{Time: at}
		r.Change.SequenceNumber = "1405400000000002063282830" + r.Change.SequenceNumber
	}
	b, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sample, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
