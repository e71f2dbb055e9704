package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/events/storetest"
	"apitoken/events/sweep"
	"apitoken/events/token"
	"apitoken/functions/payloads"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/bolt"
	"apitoken/infra/bolt/bolttest"
)

const day = 24 * time.Hour

func create(t *testing.T, store events.Store, at time.Time, owner string, lives time.Duration) string {
	t.Helper()
	i := issuer.New(issuer.Config{Store: store, Keys: storetest.Keys, Now: func() time.Time { return at }})
	made, _, err := i.Create(t.Context(), guard.Principal{Owner: owner}, "", token.Wish{ExpiresIn: lives})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}

func function(store events.Store, out *bytes.Buffer) wiring.Function {
	return wiring.Function{
		Settings: wiring.Settings{Keys: storetest.Keys}, Store: store,
		Log: telemetry.NewLogger(telemetry.Config{Out: out, Function: "expire"}),
	}
}

// TestAScheduledRunWarnsAndRecords gives the handler the payload of a schedule.
func TestAScheduledRunWarnsAndRecords(t *testing.T) {
	store, now := bolttest.Open(t), time.Now().UTC()
	soon, past := create(t, store, now.Add(-50*day), "ann", 55*day), create(t, store, now.Add(-50*day), "bob", 49*day)
	var out bytes.Buffer
	h, err := build(function(store, &out))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`{"warned":1,"expired":1}`, `{"warned":0,"expired":0}`} {
		out.Reset()
		answer, err := h.Invoke(t.Context(), payloads.Read(t, "schedule"))
		if err != nil || string(answer) != want {
			t.Errorf("run %d: got %s, %v, want %s", i, answer, err, want)
		}
		if !strings.Contains(out.String(), `"operation":"expire"`) || !strings.Contains(out.String(), `"code":"ok"`) {
			t.Errorf("run %d: the log is %s", i, out.String())
		}
	}
	ms, err := store.Pending(t.Context(), now.Add(day), 100)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, m := range ms {
		found[m.Type+" "+m.Subject]++
	}
	if found["TokenExpiring "+soon] != 1 || found["TokenExpired "+past] != 1 {
		t.Errorf("got %v, want one warning about %s and one expiry of %s", found, soon, past)
	}
}

// TestADamagedTokenIsAFaultWithTheMetric: the function fails, so its alarm says it.
// The line about the token is the only one that the metric Damaged counts.
func TestADamagedTokenIsAFaultWithTheMetric(t *testing.T) {
	store := bolttest.OpenAttacked(t, t.TempDir()+"/apitoken.db", bolt.Options{NoSync: true})
	now := time.Now().UTC()
	bad, good := create(t, store, now.Add(-50*day), "ann", 55*day), create(t, store, now.Add(-50*day), "bob", 55*day)
	members := store.Item(t, store.ViewKey(bad))
	members["3"] = "another name"
	store.PutItem(t, store.ViewKey(bad), members)
	var out bytes.Buffer
	h, err := build(function(store, &out))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Invoke(t.Context(), []byte("{}")); err == nil {
		t.Error("got no fault")
	}
	if n := strings.Count(out.String(), `"Damaged":1`); n != 1 || !strings.Contains(out.String(), bad) || !strings.Contains(out.String(), `"code":"unavailable"`) {
		t.Errorf("got %d metrics in %s", n, out.String())
	}
	ms, err := store.Pending(t.Context(), now.Add(day), 100)
	if err != nil || len(ms) != 3 || ms[2].Subject != good {
		t.Errorf("got %+v, %v, want two creations and the warning about %s", ms, err, good)
	}
}

func TestTheWorkEndsBeforeTheInvocation(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	deadline, _ := ctx.Deadline()
	e := newExpirer(function(bolttest.Open(t), &out), time.Now)
	e.run = func(ctx context.Context) (sweep.Result, error) {
		if end, _ := ctx.Deadline(); !end.Equal(deadline.Add(-margin)) {
			t.Errorf("the work may last until %v, want %v", end, deadline.Add(-margin))
		}
		return sweep.Result{Warned: 3}, context.DeadlineExceeded
	}
	if _, err := e.handle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a run that was stopped: got %v, want a fault", err)
	}
	var line struct {
		Code, Error string
		Warned      int
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Code != "unavailable" || line.Warned != 3 {
		t.Errorf("got %s, %v", out.String(), err)
	}
}
