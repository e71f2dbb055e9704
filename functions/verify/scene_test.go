package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/events/audit/compare"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/token"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/engines"
)

// scene has both tables on DynamoDB Local. The verifier has the rights of its
// role.
type scene struct {
	*testing.T
	*issuer.Issuer
	role   *roletest.Scene
	table  *dynamotest.Attacked
	copies *copies.Table
	log    bytes.Buffer
	now    time.Time // of the verifier: events have been copied since

}

func newScene(t *testing.T) *scene {
	role := roletest.NewScene(t, engines.Connect(t, engines.DynamoDB).DynamoDB(t), "verify", "TokenTable", "AuditTable")
	x := &scene{
		T: t, role: role, now: time.Now().Add(time.Hour),
		table: dynamotest.New(role.Root, role.Tables[0]), copies: copies.New(role.Root, role.Tables[1]),
	}
	x.Issuer = issuer.New(issuer.Config{Store: x.table, Keys: storetest.Keys})
	if _, _, err := x.Bootstrap(t.Context(), "admin", false); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *scene) create(owner string) (id string) {
	x.Helper()
	v, _, err := x.Create(x.Context(), guard.Principal{Owner: owner}, "", token.Wish{ExpiresIn: 24 * time.Hour})
	if err != nil {
		x.Fatal(err)
	}
	return v.ID
}

func (x *scene) revoke(owner, id string) {
	x.Helper()
	if err := x.Revoke(x.Context(), guard.Principal{Owner: owner}, id); err != nil {
		x.Fatal(err)
	}
}

// keepCopies gives the events of the log to the audit.
func (x *scene) keepCopies() {
	x.Helper()
	a := &audit.Auditor{Copies: x.copies, Now: time.Now}
	for _, s := range []events.Stream{events.SettingsStream, "user/admin", "user/ann", "user/bob", "session/ann"} {
		rs, err := x.table.History(x.Context(), s, 0, 1000)
		if err != nil {
			x.Fatal(err)
		}
		for _, r := range rs {
			m := r.Message()
			m.Deployment = "test"
			if _, err := a.Take(x.Context(), m); err != nil {
				x.Fatal(err)
			}
		}
	}
}

func (x *scene) verifier() *verifier {
	v := newVerifier(dynamo.New(x.role.Client, x.role.Tables[0]), copies.New(x.role.Client, x.role.Tables[1]),
		telemetry.NewLogger(telemetry.Config{Out: &x.log, Function: "stack-verify"}))
	v.compare.Now = func() time.Time { return x.now }
	v.segments = 4
	return v
}

// run runs the verifier once. It returns the outcome, and the kinds and ids of the
// lines with the metric AuditMismatch.
func (x *scene) run(ctx context.Context, v *verifier) (o outcome, found []string) {
	x.Helper()
	x.log.Reset()
	o, err := v.handle(ctx)
	if err != nil {
		x.Fatal(err)
	}
	for _, line := range x.lines() {
		if line[telemetry.AuditMismatch] == 1.0 {
			found = append(found, line["kind"].(string)+" "+line["id"].(string))
		}
	}
	slices.Sort(found)
	return o, found
}

func (x *scene) lines() (all []map[string]any) {
	x.Helper()
	for text := range strings.Lines(x.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			x.Fatalf("%s: %v", text, err)
		}
		all = append(all, line)
	}
	return all
}

func (x *scene) expect(what string, want ...string) {
	x.Helper()
	o, found := x.run(x.Context(), x.verifier())
	if slices.Sort(want); !slices.Equal(found, want) || o.Unverified != 0 || int(o.Findings) != len(want) {
		x.Errorf("%s: got %q, %+v, want %q\n%s", what, found, o, want, &x.log)
	}
}

// downFor is a store that cannot read the head of one stream.
type downFor struct {
	compare.Store
	stream events.Stream
	err    error
}

func (d downFor) Head(ctx context.Context, s events.Stream) (events.Head, error) {
	if s == d.stream {
		return events.Head{}, d.err
	}
	return d.Store.Head(ctx, s)
}
