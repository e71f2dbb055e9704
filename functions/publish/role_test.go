package main

import (
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestPublishMakesOnlyTheCallsOfItsRole removes a record of a user, one of the
// settings and a notice from the outbox. This is the only call that publish makes
// on the table: Lambda reads the stream.
func TestPublishMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "publish", "TokenTable")
	all := dynamo.New(role.Root, role.Table)
	keys, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stream events.Stream
		fact   events.Fact
	}{
		{events.UserStream("ann"), events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"}},
		{events.SettingsStream, events.PermissionsChanged{User: "ann"}},
	} {
		commit, err := events.NewCommit(keys, c.stream, events.Head{}, events.Meta{Command: "c", Actor: "ann", At: time.Now()}, []events.Fact{c.fact}, 1, nil, events.Effect{})
		if err != nil {
			t.Fatal(err)
		}
		if err := all.Commit(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.Notify(t.Context(), events.Message{ID: "TokenExpiring/JhxND7ci/1", Type: "TokenExpiring", V: 1, Time: time.Now(), Data: []byte(`{"v":1}`)}); err != nil {
		t.Fatal(err)
	}
	waiting, err := all.Pending(t.Context(), time.Now().Add(time.Hour), 10)
	if err != nil || len(waiting) != 3 {
		t.Fatalf("got %v, %v, want three messages in the outbox", waiting, err)
	}
	f := &fake{}
	p := &publisher{bus: f, outbox: dynamo.New(role.Client, role.Table), log: telemetry.NewLogger(telemetry.Config{Out: t.Output(), Function: "publish"}), now: time.Now}
	sent, failed, err := p.send(t.Context(), waiting)
	if err != nil || len(failed) > 0 || len(sent) != 3 {
		t.Fatalf("got %v, %v, %v, want all messages sent", sent, failed, err)
	}
	if err := p.outbox.Sent(t.Context(), sent...); err != nil {
		t.Error(err)
	}
	role.Check(t, nil)
}
