package main

import (
	"bytes"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestReconcileMakesOnlyTheCallsOfItsRole sends records of a user and of the
// settings, and a notice.
func TestReconcileMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "reconcile", "TokenTable")
	all := dynamo.New(role.Root, role.Table)
	i := issuer.New(issuer.Config{Store: all, Keys: storetest.Keys})
	if _, _, err := i.Bootstrap(t.Context(), "admin", false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{}); err != nil {
		t.Fatal(err)
	}
	if err := all.Notify(t.Context(), events.Message{ID: "TokenExpiring/JhxND7ci/1", Type: "TokenExpiring", V: 1, Time: time.Now(), Data: []byte(`{"v":1}`)}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	bus := &fakeBus{}
	r := &reconciler{
		bus: bus, outbox: dynamo.New(role.Client, role.Table), now: func() time.Time { return time.Now().Add(time.Hour) },
		log: telemetry.NewLogger(telemetry.Config{Out: &log, Function: "reconcile"}),
	}
	if err := r.reconcile(t.Context()); err != nil || len(bus.arrived) < 4 {
		t.Errorf("got %v, %v\n%s", bus.arrived, err, &log)
	}
	role.Check(t, nil)
}
