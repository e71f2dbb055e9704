package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/events/token/tokentest"
	"apitoken/functions/gateway"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestAuthorizeMakesOnlyTheCallsOfItsRole checks a token twice: at the first time
// its use is noted, in a transaction. Then it checks the secret that a rotation
// replaced.
func TestAuthorizeMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "authorize", "TokenTable")
	i := issuer.New(issuer.Config{Store: dynamo.New(role.Root, role.Table), Keys: storetest.Keys})
	made, text, err := i.Create(t.Context(), guard.Principal{Owner: "ann"}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	store := dynamo.New(role.Client, role.Table)
	var log bytes.Buffer
	a := &authorizer{
		guard: guard.New(guard.Config{Views: store, Uses: store, Notices: store, Keys: storetest.Keys}), form: gateway.Policy, now: time.Now,
		log: telemetry.NewLogger(telemetry.Config{Out: &log, Function: "authorize"}),
	}
	for range 2 {
		payload := bytes.ReplaceAll(payloads.Read(t, "authorizer-request"), []byte(vector), []byte(text.Reveal()))
		if _, err := a.Invoke(t.Context(), payload); err != nil {
			t.Errorf("got %v\n%s", err, &log)
		}
	}
	tokentest.Rotate(t, dynamo.New(role.Root, role.Table), storetest.Keys, time.Now(), made.ID, 0)
	payload := bytes.ReplaceAll(payloads.Read(t, "authorizer-request"), []byte(vector), []byte(text.Reveal()))
	if _, err := a.Invoke(t.Context(), payload); !errors.Is(err, gateway.ErrUnauthorized) || a.guard.Dropped() != (guard.Dropped{}) {
		t.Errorf("got %v with %+v dropped, want the replaced secret refused\n%s", err, a.guard.Dropped(), &log)
	}
	role.Check(t, nil)
}
