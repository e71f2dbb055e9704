package main

import (
	"bytes"
	"crypto/rand"
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

// TestAuthorizeMakesOnlyTheCallsOfItsRole. On a busy machine the engine may take too
// long for a note, which is dropped then, so there are several tries.
func TestAuthorizeMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "authorize", "TokenTable")
	dropped := guard.Dropped{Uses: 1}
	for try := 0; try < 10 && dropped != (guard.Dropped{}); try++ {
		dropped = authorizeWithRole(t, role)
	}
	if dropped != (guard.Dropped{}) {
		t.Errorf("each try dropped a note, the last one %+v", dropped)
	}
	role.Check(t, nil)
}

// authorizeWithRole checks a new token twice: at the first time its use is noted, in
// a transaction. Then it checks the secret that a rotation replaced.
func authorizeWithRole(t *testing.T, role *roletest.Scene) guard.Dropped {
	t.Helper()
	i := issuer.New(issuer.Config{Store: dynamo.New(role.Root, role.Table), Keys: storetest.Keys})
	made, text, err := i.Create(t.Context(), guard.Principal{Owner: "ann" + rand.Text()}, "", token.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	store := dynamo.New(role.Client, role.Table)
	var log bytes.Buffer
	a := &authorizer{
		guard: guard.New(guard.Config{Views: store, Uses: store, Notices: store, Keys: storetest.Keys}), form: gateway.Policy, now: time.Now,
		log: telemetry.NewLogger(telemetry.Config{Out: &log, Function: "authorize"}),
	}
	payload := bytes.ReplaceAll(payloads.Read(t, "authorizer-request"), []byte(vector), []byte(text.Reveal()))
	for range 2 {
		if _, err := a.Invoke(t.Context(), payload); err != nil {
			t.Errorf("got %v\n%s", err, &log)
		}
	}
	tokentest.Rotate(t, dynamo.New(role.Root, role.Table), storetest.Keys, time.Now(), made.ID, 0)
	if _, err := a.Invoke(t.Context(), payload); !errors.Is(err, gateway.ErrUnauthorized) {
		t.Errorf("got %v, want the replaced secret refused\n%s", err, &log)
	}
	return a.guard.Dropped()
}
