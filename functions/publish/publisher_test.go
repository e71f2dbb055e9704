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

// line is a bus whose answers a test decides, and an outbox that notes what was
// taken out.
type line struct {
	refuse   func(events.Message) error
	down     error
	unmarked error
	arrived  []events.Message
	removed  []string
	deadline time.Time
}

func (l *line) Put(ctx context.Context, ms []events.Message) (map[string]error, error) {
	l.deadline, _ = ctx.Deadline()
	if l.down != nil {
		return nil, l.down
	}
	var failed map[string]error
	for _, m := range ms {
		if l.refuse != nil && l.refuse(m) != nil {
			if failed == nil {
				failed = map[string]error{}
			}
			failed[m.ID] = l.refuse(m)
			continue
		}
		l.arrived = append(l.arrived, m)
	}
	return failed, nil
}

func (l *line) Sent(_ context.Context, ids ...string) error {
	if l.unmarked == nil {
		l.removed = append(l.removed, ids...)
	}
	return l.unmarked
}

func (l *line) ids() (ids []string) {
	for _, m := range l.arrived {
		ids = append(ids, m.ID)
	}
	return ids
}

// deliver hands records to a publisher as Lambda does, through JSON, and gives
// the sequence numbers that it names, and its log.
func deliver(t rapid.TB, l *line, records ...lambdaevents.DynamoDBEventRecord) (named []string, log string) {
	t.Helper()
	var out bytes.Buffer
	p := &publisher{bus: l, outbox: l, log: telemetry.NewLogger(telemetry.Config{Out: &out, Function: "publish"}), now: time.Now}
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
	for _, f := range r.BatchItemFailures {
		named = append(named, f.ItemIdentifier)
	}
	return named, out.String()
}

// log makes an owner's records.
func log(t rapid.TB, owner string, n int) (records []events.Record) {
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

// change is an item as a record of the change stream.
func change(t rapid.TB, kind string, at int, it item.Item) lambdaevents.DynamoDBEventRecord {
	t.Helper()
	image := map[string]lambdaevents.DynamoDBAttributeValue{}
	for name, v := range it {
		image[name] = inEvent(t, v)
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

func inEvent(t rapid.TB, v types.AttributeValue) lambdaevents.DynamoDBAttributeValue {
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
			vs = append(vs, inEvent(t, e))
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

// TestOnlyInsertedRecordsAndNoticesAreEvents: what changed or went away, by
// whomever, is none; neither are heads, views, uses and replies.
func TestOnlyInsertedRecordsAndNoticesAreEvents(t *testing.T) {
	r := log(t, "ann", 1)[0]
	it, err := item.Record(r)
	if err != nil {
		t.Fatal(err)
	}
	expired := change(t, "REMOVE", 3, it)
	expired.UserIdentity = &lambdaevents.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	other := func(at int, pk, sk string) lambdaevents.DynamoDBEventRecord {
		return change(t, "INSERT", at, item.Item{item.PK: item.Text(pk), item.SK: item.Text(sk)})
	}
	l := &line{}
	named, _ := deliver(t, l,
		change(t, "MODIFY", 1, it), change(t, "REMOVE", 2, it), expired,
		other(4, "USER#ann", "HEAD"), other(5, "TOKEN#JhxND7ci", "TOKEN"), other(6, "TOKEN#JhxND7ci", "USE"), other(7, "REPLY#x", "REPLY"),
		inserted(t, 8, r), change(t, "INSERT", 9, item.Notice(notice)), change(t, "MODIFY", 10, item.Notice(notice)))
	if want := []string{r.ID(), notice.ID}; !sameIDs(l.ids(), want) || !sameIDs(l.removed, want) || named != nil {
		t.Errorf("got %v sent, %v removed, %v named, want %v", l.ids(), l.removed, named, want)
	}
	for _, m := range l.arrived {
		if m.ID == r.ID() {
			if err := events.VerifyMessages(events.Hash{}, []events.Message{m}); err != nil {
				t.Errorf("what arrived is not what was written: %v", err)
			}
		}
	}
}

func sameIDs(got, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

func TestSwappedItemsGoOutInOrder(t *testing.T) {
	rs := log(t, "ann", 3)
	l := &line{}
	deliver(t, l, inserted(t, 1, rs[2]), inserted(t, 2, rs[0]), inserted(t, 3, rs[1]))
	if want := []string{rs[0].ID(), rs[1].ID(), rs[2].ID()}; !slices.Equal(l.ids(), want) {
		t.Errorf("got %v, want %v", l.ids(), want)
	}
}

func TestWhatWaitsIsNamedOnceAndHoldsOnlyItsOwnerUp(t *testing.T) {
	ann, bob := log(t, "ann", 3), log(t, "bob", 2)
	l := &line{refuse: func(m events.Message) error {
		if m.ID == ann[1].ID() {
			return errors.New("not now")
		}
		return nil
	}}
	named, logged := deliver(t, l, inserted(t, 11, ann[0]), inserted(t, 12, bob[0]), inserted(t, 13, ann[1]), inserted(t, 14, ann[2]), inserted(t, 15, bob[1]))
	if want := []string{ann[0].ID(), bob[0].ID(), bob[1].ID()}; !sameIDs(l.ids(), want) || !sameIDs(l.removed, want) {
		t.Errorf("got %v sent, %v removed, want %v", l.ids(), l.removed, want)
	}
	if !slices.Equal(named, []string{"13"}) {
		t.Errorf("got %v named, want the first that waits", named)
	}
	if !strings.Contains(logged, `"code":"unavailable"`) || !strings.Contains(logged, `"Published":3`) || !strings.Contains(logged, `"Unpublished":2`) {
		t.Errorf("got the line %s", logged)
	}
}

func TestUnreadableRecordHoldsOnlyItsOwnerUp(t *testing.T) {
	ann, bob := log(t, "ann", 3), log(t, "bob", 1)
	poison := inserted(t, 12, ann[1])
	delete(poison.Change.NewImage, "hash")
	l := &line{}
	named, logged := deliver(t, l, inserted(t, 11, ann[0]), poison, inserted(t, 13, ann[2]), inserted(t, 14, bob[0]))
	if want := []string{ann[0].ID(), bob[0].ID()}; !sameIDs(l.ids(), want) || !slices.Equal(named, []string{"12"}) {
		t.Errorf("got %v sent, %v named, want %v and 12", l.ids(), named, want)
	}
	if !strings.Contains(logged, "hash") {
		t.Errorf("the line does not say why: %s", logged)
	}
}

func TestUnknownKindOfAttributeIsNamed(t *testing.T) {
	poison := inserted(t, 12, log(t, "ann", 1)[0])
	poison.Change.NewImage["odd"] = lambdaevents.NewNullAttribute()
	if named, _ := deliver(t, &line{}, poison); !slices.Equal(named, []string{"12"}) {
		t.Errorf("got %v named, want 12", named)
	}
}

func TestBusThatIsDownHoldsTheWholeBatch(t *testing.T) {
	ann := log(t, "ann", 2)
	l := &line{down: errors.New("no answer")}
	named, logged := deliver(t, l, change(t, "MODIFY", 10, item.Notice(notice)), inserted(t, 11, ann[0]), inserted(t, 12, ann[1]))
	if !slices.Equal(named, []string{"11"}) || len(l.removed) > 0 || !strings.Contains(logged, "no answer") {
		t.Errorf("got %v named, %v removed, %s", named, l.removed, logged)
	}
}

// TestWhatWasSentIsNotSentAgainForAnUnmarkedOutbox: the reconciler does that,
// once.
func TestWhatWasSentIsNotSentAgainForAnUnmarkedOutbox(t *testing.T) {
	l := &line{unmarked: errors.New("table does not answer")}
	named, logged := deliver(t, l, inserted(t, 11, log(t, "ann", 1)[0]))
	if named != nil || !strings.Contains(logged, "table does not answer") || !strings.Contains(logged, `"code":"ok"`) {
		t.Errorf("got %v named, %s", named, logged)
	}
}

func TestTimeIsLeftToAnswer(t *testing.T) {
	l := &line{}
	began := time.Now()
	deliver(t, l, inserted(t, 11, log(t, "ann", 1)[0]))
	if left := l.deadline.Sub(began); left > time.Minute-margin+time.Second {
		t.Errorf("the bus may take %v of a minute", left)
	}
}

func TestNothingPrivateIsSentOrLogged(t *testing.T) {
	l := &line{}
	_, logged := deliver(t, l, inserted(t, 11, log(t, "ann", 1)[0]))
	detail, err := l.arrived[0].Detail()
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"203.0.113.9", "dmVyaWZpZXI", "verifier", "nonce"} {
		if strings.Contains(string(detail)+logged, hidden) {
			t.Errorf("%q is in\n%s\n%s", hidden, detail, logged)
		}
	}
	if !strings.Contains(logged, `"Lag":`) || strings.Count(logged, "\n") != 1 {
		t.Errorf("got %s, want one line with the lag", logged)
	}
}

// TestNothingOvertakesAndNothingIsLost plays Lambda: random batches of a change
// stream of several owners, handed out again from the sequence number that was
// named, while the bus refuses at random.
func TestNothingOvertakesAndNothingIsLost(t *testing.T) {
	logs := [][]events.Record{log(t, "ann", 6), log(t, "bob", 6), log(t, "eve", 6)}
	rapid.Check(t, func(t *rapid.T) {
		var stream []lambdaevents.DynamoDBEventRecord
		next := make([]int, len(logs))
		for range len(logs) * 6 {
			i := rapid.IntRange(0, len(logs)-1).Filter(func(i int) bool { return next[i] < 6 }).Draw(t, "owner")
			stream = append(stream, inserted(t, len(stream)+100, logs[i][next[i]]))
			next[i]++
		}
		l := &line{}
		for rounds := 0; len(stream) > 0; rounds++ {
			var weather []bool
			if rounds < 20 {
				weather = rapid.SliceOfN(rapid.Bool(), 1, 7).Draw(t, "refused")
			}
			puts := 0
			l.refuse = func(events.Message) error {
				if puts++; len(weather) > 0 && weather[puts/2%len(weather)] {
					return errors.New("not now")
				}
				return nil
			}
			n := min(len(stream), rapid.IntRange(1, 8).Draw(t, "batch"))
			named, _ := deliver(t, l, stream[:n]...)
			if len(named) > 0 {
				n = slices.IndexFunc(stream, func(r lambdaevents.DynamoDBEventRecord) bool { return r.Change.SequenceNumber == named[0] })
			}
			stream = stream[n:]
		}
		last := map[events.Stream]uint64{}
		for _, m := range l.arrived {
			if m.Seq > last[m.Stream]+1 {
				t.Fatalf("%s arrived before its predecessor: %v", m.ID, l.ids())
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

// TestSampleIsPublished holds the payload that people send by hand: a token
// made, and revoked, and its first record collected by DynamoDB.
func TestSampleIsPublished(t *testing.T) {
	if *update {
		writeSample(t)
	}
	var in lambdaevents.DynamoDBEvent
	if err := json.Unmarshal(payloads.Read(t, "stream"), &in); err != nil {
		t.Fatal(err)
	}
	l := &line{}
	if named, _ := deliver(t, l, in.Records...); named != nil {
		t.Errorf("got %v named, want everything sent", named)
	}
	if want := []string{"user/ann/1", "user/ann/2"}; !slices.Equal(l.ids(), want) {
		t.Errorf("got %v, want %v", l.ids(), want)
	}
	if err := events.VerifyMessages(events.Hash{}, l.arrived); err != nil {
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
		events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"},
	}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := inserted(t, 1, c.Records()[0]), inserted(t, 2, c.Records()[1])
	collected := first
	collected.EventName, collected.Change.NewImage, collected.Change.SequenceNumber = "REMOVE", nil, "3"
	collected.UserIdentity = &lambdaevents.DynamoDBUserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"}
	in := lambdaevents.DynamoDBEvent{Records: []lambdaevents.DynamoDBEventRecord{first, second, collected}}
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
