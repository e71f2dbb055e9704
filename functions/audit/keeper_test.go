package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
)

// memory keeps copies in memory, and fails if a test wants that.
type memory struct {
	copies map[string]events.Message
	waits  []events.Message
	fails  map[string]error // by event
	down   error
	slow   time.Duration // how long Keep and Waiting take
}

// work takes as long as the test wants, or until the context ends.
func (s *memory) work(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-time.After(s.slow):
	}
	return ctx.Err()
}

func (s *memory) Keep(ctx context.Context, m events.Message) (bool, events.Message, error) {
	if err := errors.Join(s.down, s.fails[m.ID], s.work(ctx)); err != nil {
		return false, events.Message{}, err
	}
	earlier, there := s.copies[m.ID]
	if !there {
		s.copies[m.ID] = m
	}
	return !there, earlier, nil
}

func (s *memory) Evidence(context.Context, events.Message) error { return s.down }

func (s *memory) Around(context.Context, events.Stream, uint64) (before, after *events.Message, err error) {
	return nil, nil, s.down
}

func (s *memory) Await(_ context.Context, stream events.Stream, seq uint64, since time.Time) error {
	s.waits = append(s.waits, events.Message{Stream: stream, Seq: seq, Time: since})
	return s.down
}

func (s *memory) Waiting(ctx context.Context, _ time.Time, f func(events.Stream, uint64, time.Time)) error {
	if err := s.work(ctx); err != nil {
		return err
	}
	for _, w := range s.waits {
		f(w.Stream, w.Seq, w.Time)
	}
	return s.down
}

func (s *memory) Arrived(context.Context, events.Stream, uint64, time.Time) error { return s.down }

// timeout is that of the function in template.yaml.
const timeout = 30 * time.Second

// deliver invokes the function as Lambda does, with a deadline. It returns the answer
// and the lines of the log.
func deliver(t *testing.T, s *memory, payload []byte) (answer []byte, lines []map[string]any, err error) {
	t.Helper()
	if s.copies == nil {
		s.copies = map[string]events.Message{}
	}
	var out bytes.Buffer
	k := &keeper{
		auditor: &audit.Auditor{Copies: s, Now: time.Now},
		log:     telemetry.NewLogger(telemetry.Config{Out: &out, Function: "stack-audit"}), now: time.Now,
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	answer, err = lambda.NewHandler(k.handle).Invoke(ctx, payload)
	for line := range strings.Lines(out.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return answer, lines, err
}

// published returns the sample of an event, in the form in which the bus has it.
func published(t *testing.T, kind string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../events/samples/" + kind + ".v1.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// batch returns the recorded batch with further messages that have these bodies.
func batch(t *testing.T, bodies map[string]string) []byte {
	t.Helper()
	var e lambdaevents.SQSEvent
	if err := json.Unmarshal(payloads.Read(t, "queue"), &e); err != nil {
		t.Fatal(err)
	}
	for id, body := range bodies {
		m := e.Records[0]
		m.MessageId, m.Body = id, body
		e.Records = append(e.Records, m)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// failed returns the sorted message ids in an answer. The list must be there: for
// Lambda, an answer without it means success.
func failed(t *testing.T, answer []byte) []string {
	t.Helper()
	var r lambdaevents.SQSEventResponse
	if err := json.Unmarshal(answer, &r); err != nil || r.BatchItemFailures == nil {
		t.Fatalf("the answer %s: %v", answer, err)
	}
	ids := []string{}
	for _, f := range r.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	slices.Sort(ids)
	return ids
}

// metrics returns how often CloudWatch would count a metric.
func metrics(lines []map[string]any, name string) (n int) {
	for _, l := range lines {
		if b, err := json.Marshal(l["_aws"]); err == nil && l[name] == 1.0 && strings.Contains(string(b), `"Name":"`+name+`"`) {
			n++
		}
	}
	return n
}

func TestARecordedBatchIsKept(t *testing.T) {
	s := &memory{}
	for range 2 { // delivery is at least once
		answer, lines, err := deliver(t, s, payloads.Read(t, "queue"))
		if err != nil || len(failed(t, answer)) > 0 {
			t.Errorf("got %s, %v", answer, err)
		}
		if len(lines) != 1 || lines[0]["operation"] != "audit" || lines[0]["code"] != "ok" || lines[0]["records"] != 1.0 {
			t.Errorf("logged %v", lines)
		}
	}
	want, err := events.ParseDetail(published(t, "TokenCreated"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.copies[want.ID]; len(s.copies) != 1 || got.Hash != want.Hash || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("got %+v, want %+v", s.copies, want)
	}
}

// TestOnlyAMessageWithoutAnEventIsDeliveredAgain has messages that hold no
// event. The queue delivers them again until it gives up.
func TestOnlyAMessageWithoutAnEventIsDeliveredAgain(t *testing.T) {
	bodies := map[string]string{
		"a": "", "b": "{}", "c": `{"detail":{}}`, "d": `{"detail":"text"}`,
		"e": `{"detail":` + strings.Replace(string(published(t, "TokenRevoked")), `"ann"`, `"bob"`, 1) + `}`,
	}
	s := &memory{}
	answer, lines, err := deliver(t, s, batch(t, bodies))
	if got := failed(t, answer); err != nil || !slices.Equal(got, []string{"a", "b", "c", "d", "e"}) || len(s.copies) != 1 {
		t.Errorf("got %v, %v, %d copies", got, err, len(s.copies))
	}
	if last := lines[len(lines)-1]; len(lines) != 6 || last["code"] != "unavailable" || last["failed"] != 5.0 {
		t.Errorf("logged %v", lines)
	}
}

func TestOnlyAnEventThatCouldNotBeKeptIsDeliveredAgain(t *testing.T) {
	revoked, err := events.ParseDetail(published(t, "TokenRevoked"))
	if err != nil {
		t.Fatal(err)
	}
	created, err := events.ParseDetail(published(t, "TokenCreated"))
	if err != nil {
		t.Fatal(err)
	}
	s := &memory{fails: map[string]error{created.ID: errors.New("throttled")}}
	notice, err := events.Message{ID: "TokenExpiring/JhxND7ci/7", Type: "TokenExpiring", V: 1, Time: revoked.Time, Data: []byte(`{"v":1}`), Deployment: revoked.Deployment}.Detail()
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err := deliver(t, s, batch(t, map[string]string{"notice": `{"detail":` + string(notice) + `}`}))
	if got := failed(t, answer); err != nil || len(got) != 1 || got[0] == "notice" || len(s.copies) != 1 {
		t.Errorf("got %v, %v, %v", got, err, s.copies)
	}
}

// TestASlowTableLeavesTimeForTheAnswer: what is kept until then is not delivered
// again, and the rest is.
func TestASlowTableLeavesTimeForTheAnswer(t *testing.T) {
	bodies := map[string]string{}
	for n := range 9 {
		m := events.Message{ID: "TokenExpiring/JhxND7ci/" + strconv.Itoa(n), Type: "TokenExpiring", V: 1, Time: time.Now().UTC(), Data: []byte(`{"v":1}`), Deployment: "test"}
		detail, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		bodies[strconv.Itoa(n)] = `{"detail":` + string(detail) + `}`
	}
	payload := batch(t, bodies)
	synctest.Test(t, func(t *testing.T) {
		s := &memory{slow: 9 * time.Second}
		began := time.Now()
		answer, lines, err := deliver(t, s, payload)
		if took := time.Since(began); took > timeout-margin {
			t.Errorf("the answer came after %v of %v, want %v before the end", took, timeout, margin)
		}
		if got := failed(t, answer); err != nil || len(got) != 7 || len(s.copies) != 3 {
			t.Errorf("got %v, %v and %d copies, want 7 messages to deliver again and 3 copies", got, err, len(s.copies))
		}
		if last := lines[len(lines)-1]; last["code"] != "unavailable" || last["failed"] != 7.0 {
			t.Errorf("logged %v", last)
		}
	})
}

// TestASlowTableLeavesTimeForTheLineOfTheSchedule: Lambda does not end the function
// before it has written that it failed.
func TestASlowTableLeavesTimeForTheLineOfTheSchedule(t *testing.T) {
	payload := payloads.Read(t, "schedule")
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, lines, err := deliver(t, &memory{slow: time.Hour}, payload)
		if took := time.Since(began); err == nil || took > timeout-margin {
			t.Errorf("got %v after %v of %v, want an error %v before the end", err, took, timeout, margin)
		}
		if last := lines[len(lines)-1]; last["code"] != "unavailable" {
			t.Errorf("logged %v", last)
		}
	})
}

// TestOnlyMessagesWithACopyAreCounted, whether the copy is new or not. An alarm
// compares this number with that of the published messages.
func TestOnlyMessagesWithACopyAreCounted(t *testing.T) {
	bodies := map[string]string{"": "{}"}
	s := &memory{fails: map[string]error{"TokenExpiring/JhxND7ci/9": errors.New("throttled")}}
	for _, seq := range []string{"7", "8", "9"} {
		m := events.Message{ID: "TokenExpiring/JhxND7ci/" + seq, Type: "TokenExpiring", V: 1, Time: time.Now().UTC(), Data: []byte(`{"v":1}`), Deployment: "test"}
		detail, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		bodies[seq] = `{"detail":` + string(detail) + `}`
	}
	for range 2 {
		answer, lines, err := deliver(t, s, batch(t, bodies))
		if got := failed(t, answer); err != nil || !slices.Equal(got, []string{"", "9"}) {
			t.Fatalf("got %v, %v", got, err)
		}
		n := 0.0
		for _, l := range lines {
			count, _ := l[telemetry.Kept].(float64)
			n += count
		}
		if n != 2 {
			t.Errorf("got %v, want 2; logged %v", n, lines)
		}
	}
}

// TestAFindingIsKeptAndRaisesTheAlarm: a finding is no failure of the function.
func TestAFindingIsKeptAndRaisesTheAlarm(t *testing.T) {
	m, err := events.ParseDetail(published(t, "TokenCreated"))
	if err != nil {
		t.Fatal(err)
	}
	other := m
	other.Hash[0] ^= 1
	s := &memory{copies: map[string]events.Message{m.ID: other}}
	answer, lines, err := deliver(t, s, payloads.Read(t, "queue"))
	if err != nil || len(failed(t, answer)) > 0 {
		t.Errorf("got %s, %v", answer, err)
	}
	if metrics(lines, telemetry.AuditMismatch) != 1 || metrics(lines, telemetry.AuditGap) != 0 || lines[0]["kind"] != "differs" || lines[0]["event"] != m.ID || lines[0]["level"] != "ERROR" {
		t.Errorf("logged %v", lines)
	}
}

func TestTheScheduleLooksForGaps(t *testing.T) {
	s := &memory{waits: []events.Message{{Stream: "user/ann", Seq: 7, Time: time.Now().Add(-time.Hour)}, {Stream: "user/bob", Seq: 2}}}
	answer, lines, err := deliver(t, s, payloads.Read(t, "schedule"))
	if err != nil || metrics(lines, telemetry.AuditGap) != 2 || metrics(lines, telemetry.AuditMismatch) != 0 {
		t.Errorf("got %s, %v, logged %v", answer, err, lines)
	}
	s.down = errors.New("no table")
	if _, lines, err := deliver(t, s, payloads.Read(t, "schedule")); err == nil || lines[len(lines)-1]["code"] != "unavailable" {
		t.Errorf("without a table: got %v, logged %v", err, lines)
	}
}

func TestAnyOtherInvocationIsAFault(t *testing.T) {
	for _, payload := range []string{`{}`, `{"detail-type":"TokenCreated"}`, `[]`, `"x"`, `{"Records":{}}`} {
		s := &memory{}
		if answer, _, err := deliver(t, s, []byte(payload)); err == nil || len(s.copies) > 0 {
			t.Errorf("%s: got %s", payload, answer)
		}
	}
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	_, err := handler(func(string) string { return "" }, nil)
	for _, name := range []string{"AUDIT_TABLE", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
	if _, err := handler(func(string) string { return "x" }, nil); err != nil {
		t.Errorf("with everything set: %v", err)
	}
}
