package main

import (
	"bytes"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// TestExpireMakesOnlyTheCallsOfItsRole warns about one token and records the expiry
// of another one.
func TestExpireMakesOnlyTheCallsOfItsRole(t *testing.T) {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "expire", "TokenTable")
	all := dynamo.New(role.Root, role.Table)
	now := time.Now().UTC()
	soon, past := create(t, all, now.Add(-50*day), "ann", 55*day), create(t, all, now.Add(-50*day), "bob", 49*day)
	var log bytes.Buffer
	e := newExpirer(function(dynamo.New(role.Client, role.Table), &log), time.Now)
	if r, err := e.handle(t.Context()); err != nil || r != (outcome{1, 1}) {
		t.Errorf("got %+v, %v\n%s", r, err, &log)
	}
	if v, _, err := all.Token(t.Context(), past); err != nil || v.Ended != events.EndedExpired {
		t.Errorf("got %+v, %v", v, err)
	}
	if r, err := e.handle(t.Context()); err != nil || r != (outcome{}) {
		t.Errorf("the next run: got %+v, %v, want that token %s has a note\n%s", r, err, soon, &log)
	}
	role.Check(t, nil)
}
