package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestAuditMakesOnlyTheCallsOfItsRole keeps an event twice, another event with
// the same id, a later event whose predecessor arrives, and a notice.
func TestAuditMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "audit", "AuditTable")
	table := copies.New(role.Client, role.Table)
	now := time.Now()
	k := &keeper{
		auditor: &audit.Auditor{Copies: table, Now: func() time.Time { return now }},
		log:     telemetry.NewLogger(telemetry.Config{Out: t.Output(), Function: "audit"}), now: time.Now,
	}
	for stream, fact := range map[events.Stream]events.Fact{
		events.UserStream("ann"): events.TokenRevoked{TokenID: "JhxND7ci", Owner: "ann"},
		events.SettingsStream:    events.PermissionsChanged{User: "ann"},
	} {
		ms := messages(t, stream, fact)
		first, second := ms[0], ms[1]
		other := second
		other.Hash[0] ^= 1
		deliverAll(t, k, second, second, other)
		now = now.Add(time.Hour)
		overdue(t, k)
		deliverAll(t, k, first)
		overdue(t, k)
	}
	deliverAll(t, k, events.Message{ID: "TokenExpiring/JhxND7ci/7", Deployment: "test", Type: "TokenExpiring", V: 1, Time: now, Data: []byte(`{"v":1}`)})
	role.Check(t, nil)
}

// messages returns the messages of two records of a new stream.
func messages(t *testing.T, s events.Stream, f events.Fact) (ms []events.Message) {
	t.Helper()
	keys, err := events.ParseKeys("test:" + strings.Repeat("QUJD", 11))
	if err != nil {
		t.Fatal(err)
	}
	c, err := events.NewCommit(keys, s, events.Head{}, events.Meta{Command: "c", Actor: "ann", At: time.Now()}, []events.Fact{f, f}, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Records() {
		m := r.Message()
		m.Deployment = "test"
		ms = append(ms, m)
	}
	return ms
}

func deliverAll(t *testing.T, k *keeper, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		if _, err := k.auditor.Take(t.Context(), m); err != nil {
			t.Error(err)
		}
	}
}

func overdue(t *testing.T, k *keeper) {
	t.Helper()
	if _, err := k.handle(t.Context(), json.RawMessage(payloads.Read(t, "schedule"))); err != nil {
		t.Error(err)
	}
}
