package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
)

const ok, failed = "None", "ConditionalCheckFailed"

// fullCommit writes one item of each kind: record, head, minted view, changed
// view, reply, in this order.
func fullCommit(t *testing.T) events.Commit {
	t.Helper()
	now := time.Now().UTC()
	v := events.View{ID: "JhxND7ci", Owner: "ann", CreatedAt: now, First: 1, Seq: 1}
	old := events.View{ID: "L7k8ljIC", Owner: "ann", CreatedAt: now, First: 1, Seq: 1}
	m := events.Meta{Command: "mine", Actor: "ann", At: now}
	facts := []events.Fact{events.TokenCreated{TokenID: v.ID, Owner: "ann"}}
	c, err := events.NewCommit(keys, "user/ann", events.Head{}, m, facts, 1, []byte("{}"),
		events.Effect{Minted: []events.View{v}, Changed: []events.View{old}, Reply: &events.Reply{Key: "k", At: now}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCancellationReasonsAreReadByPosition(t *testing.T) {
	for _, c := range []struct {
		what    string
		reasons []string
		want    error
	}{
		{"record", []string{failed, ok, ok, ok, ok}, events.ErrConflict},
		{"head", []string{ok, failed, ok, ok, ok}, events.ErrConflict},
		{"minted view", []string{ok, ok, failed, ok, ok}, events.ErrIDTaken},
		{"reply", []string{ok, ok, ok, ok, failed}, events.ErrConflict},
		{"head and minted view", []string{ok, failed, failed, ok, ok}, events.ErrConflict},
		{"minted view and reply", []string{ok, ok, failed, ok, failed}, events.ErrConflict},
		{"head, while another is busy", []string{ok, failed, "TransactionConflict", ok, ok}, events.ErrConflict},
	} {
		store, s := stubbed(t, map[string][]answer{"TransactWriteItems": {cancelled(c.reasons...)}})
		if err := store.Commit(t.Context(), fullCommit(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, err, c.want)
		}
		if len(s.calls) != 1 {
			t.Errorf("%s: got %d calls, want one, because the answer was definite", c.what, len(s.calls))
		}
	}
}

// TestBusyTransactionsAreSentAgainUnchanged: DynamoDB applies a transaction with
// the same client request token once, but only if no byte of it changed.
func TestBusyTransactionsAreSentAgainUnchanged(t *testing.T) {
	plan := []answer{
		cancelled("TransactionConflict", ok, ok, ok, ok), cancelled(ok, "ThrottlingError", ok, ok, ok),
		cancelled(ok, ok, failed, "TransactionConflict", ok), cancelled(ok, ok, ok, ok, "ProvisionedThroughputExceeded"),
		fault("ThrottlingException"), fault("ProvisionedThroughputExceededException"), fault("RequestLimitExceeded"),
		fault("TransactionInProgressException"), internal, broken, done,
	}
	synctest.Test(t, func(t *testing.T) {
		store, s := stubbed(t, map[string][]answer{"TransactWriteItems": plan})
		if err := store.Commit(t.Context(), fullCommit(t)); err != nil {
			t.Fatalf("Commit: %v", err)
		}
		bodies := s.of("TransactWriteItems")
		if len(bodies) != len(plan) || len(s.calls) != len(plan) {
			t.Fatalf("got %d transactions in %d calls, want %d and no other call", len(bodies), len(s.calls), len(plan))
		}
		for i, b := range bodies {
			if !bytes.Equal(b, bodies[0]) {
				t.Errorf("attempt %d: got\n%s\nwant\n%s", i+1, b, bodies[0])
			}
		}
		if token, _ := decode(t, bodies[0])["ClientRequestToken"].(string); len(token) < 20 || len(token) > 36 {
			t.Errorf("client request token %q: want 20 to 36 characters", token)
		}
	})
}

// TestTheLogDecidesUnansweredCommits: the record after the base decides.
func TestTheLogDecidesUnansweredCommits(t *testing.T) {
	record := func(command string) answer {
		return answer{200, fmt.Sprintf(`{"Items":[{"command":{"S":%q}}]}`, command)}
	}
	unknown := errors.New("neither of the two")
	for _, c := range []struct {
		what  string
		write []answer
		log   answer
		want  error
	}{
		{"applied", []answer{broken}, record("mine"), nil},
		{"applied, and the retry conflicts with it", []answer{broken, cancelled(failed, failed, failed, ok, failed)}, record("mine"), nil},
		{"applied, and the retry finds its own id taken", []answer{internal, cancelled(ok, ok, failed, ok, ok)}, record("mine"), nil},
		{"applied, and the request token refused later", []answer{broken, fault("IdempotentParameterMismatchException")}, record("mine"), nil},
		{"another commit was first", []answer{broken}, record("another's"), events.ErrConflict},
		{"another commit was first, and the retry conflicts with it", []answer{broken, cancelled(failed, failed, ok, ok, ok)}, record("another's"), events.ErrConflict},
		{"id taken by another", []answer{broken, cancelled(ok, ok, failed, ok, ok)}, done, events.ErrIDTaken},
		{"may still be applied", []answer{broken}, done, unknown},
		{"no answer to any call", []answer{broken}, broken, unknown},
		{"a conflict that may be with our own attempt", []answer{broken, cancelled(failed, failed, ok, ok, ok)}, internal, unknown},
		{"refused as a whole", []answer{fault("AccessDeniedException")}, record("mine"), unknown},
		{"cancelled for another reason", []answer{cancelled(ok, "ValidationError", ok, ok, ok)}, record("mine"), unknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			store, s := stubbed(t, map[string][]answer{"TransactWriteItems": c.write, "Query": {c.log}})
			err := store.Commit(t.Context(), fullCommit(t))
			definite := err == nil || errors.Is(err, events.ErrConflict) || errors.Is(err, events.ErrIDTaken)
			if c.want == unknown && definite || c.want != unknown && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.what, err, c.want)
			}
			if n := len(s.of("TransactWriteItems")); n > 3 {
				t.Errorf("%s: sent %d times without an answer, want at most 3", c.what, n)
			}
			if err != nil && strings.Contains(err.Error(), "sentinel") {
				t.Errorf("%s: the error holds an item that a failed condition returned: %v", c.what, err)
			}
		})
	}
}

// TestCommitGivesUpInTime: the caller always has an error well before API
// Gateway gives up after 29 seconds, or when its context ends.
func TestCommitGivesUpInTime(t *testing.T) {
	for _, a := range []answer{cancelled("TransactionConflict", ok, ok, ok, ok), fault("ThrottlingException"), fault("TransactionInProgressException")} {
		for _, patience := range []time.Duration{time.Hour, 300 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				store, _ := stubbed(t, map[string][]answer{"TransactWriteItems": {a}, "Query": {done}})
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				start := time.Now()
				err := store.Commit(ctx, fullCommit(t))
				if err == nil || errors.Is(err, events.ErrConflict) || errors.Is(err, events.ErrIDTaken) {
					t.Errorf("%s: got %v, want an error other than %v and %v", a.body, err, events.ErrConflict, events.ErrIDTaken)
				}
				if took := time.Since(start); took > min(patience, 10*time.Second) {
					t.Errorf("%s: gave up after %v", a.body, took)
				}
			})
		}
	}
}

// TestCommitsAskForNoItems: an item that a failed condition returns may have a
// verifier. If the commit does not ask for such items, no log can contain them.
func TestCommitsAskForNoItems(t *testing.T) {
	store, s := stubbed(t, map[string][]answer{"TransactWriteItems": {done}})
	if err := store.Commit(t.Context(), fullCommit(t)); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s.calls[0].body, []byte("ReturnValues")) {
		t.Error("the transaction asks for the items of failed conditions")
	}
	seen := map[string]bool{}
	for _, w := range decode(t, s.calls[0].body)["TransactItems"].([]any) {
		key := fmt.Sprint(w.(map[string]any)["Put"].(map[string]any)["Item"].(map[string]any)["PK"], w.(map[string]any)["Put"].(map[string]any)["Item"].(map[string]any)["SK"])
		if seen[key] {
			t.Errorf("the transaction writes %s twice", key)
		}
		seen[key] = true
	}
	if len(seen) != 5 {
		t.Errorf("got %d items, want record, head, two views and reply", len(seen))
	}
}
