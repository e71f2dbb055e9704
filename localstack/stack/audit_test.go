package stack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
	"apitoken/localstack/engines"
)

// The audit table has one item for each event id. So "once" means: no copy is
// missing, no copy is there without an event, and no copy differs.
func (s *stack) auditCopies(t *testing.T) {
	table := copies.New(s.root.DynamoDB(t), s.outputs["AuditTableName"])
	dora := newUser("dora")
	c := s.createToken(t, httpapi.CreateRequest{User: dora})
	if err := s.api.client(s.admin).Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	engines.Eventually(t, time.Minute, "both events of a token are in the audit table", func() string {
		ms, err := table.Copy(t.Context(), events.UserStream(dora.Name), 0, 100)
		if err != nil {
			return err.Error()
		}
		var got []string
		for _, m := range ms {
			got = append(got, m.Type+" "+m.Subject)
		}
		if !slices.Equal(got, []string{"TokenCreated " + c.ID, "TokenRevoked " + c.ID}) {
			return "it has " + strings.Join(got, ", ")
		}
		if err := events.VerifyMessages(events.Hash{}, ms); err != nil {
			return err.Error()
		}
		return ""
	})
	log := dynamo.New(s.root.DynamoDB(t), s.outputs["TokenTableName"])
	if err := table.Streams(t.Context(), func(of events.Stream) { compareCopies(t, log, table, of) }); err != nil {
		t.Fatal(err)
	}
}

// compareCopies waits until the copies of a stream end where the log ends.
func compareCopies(t *testing.T, log events.Log, table *copies.Table, of events.Stream) {
	t.Helper()
	engines.Eventually(t, time.Minute, fmt.Sprint("the copies of ", of, " end where the log ends"), func() string {
		head, err := log.Head(t.Context(), of)
		if err != nil {
			return err.Error()
		}
		ms, err := table.Copy(t.Context(), of, 0, 10_000)
		if err != nil {
			return err.Error()
		}
		if uint64(len(ms)) != head.Version || len(ms) > 0 && ms[len(ms)-1].Hash != head.Hash {
			return fmt.Sprintf("there are %d copies of %d records", len(ms), head.Version)
		}
		return ""
	})
}

// reappliedRevocation saves one user's items, revokes a token and puts the saved
// items back, without the record of the revocation. A restore of the table to an
// earlier time has the same effect.
func (s *stack) reappliedRevocation(t *testing.T) {
	erna := newUser("erna")
	c := s.createToken(t, httpapi.CreateRequest{User: erna})
	bearer := c.BearerToken.Reveal()
	partitions := []string{"USER#" + erna.Name, "TOKEN#" + c.ID}
	before := s.itemsOf(t, partitions)
	if err := s.api.client(s.admin).Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	s.waitForCopy(t, events.UserStream(erna.Name), 2)
	s.replaceItems(t, partitions, before)
	if _, err := s.api.client(bearer).WhoAmI(t.Context()); err != nil {
		t.Fatalf("the token is not live again, so this test shows nothing: %v", err)
	}
	tables := []string{"--table", s.outputs["TokenTableName"], "--audit-table", s.outputs["AuditTableName"]}
	if stdout, stderr, err := s.runCommand(t, append([]string{"audit", "verify"}, tables...)...); err == nil || !strings.Contains(stdout, "rolled_back user/"+erna.Name+"/2") {
		t.Errorf("audit verify: got %v: %s%s, want the missing revocation", err, stdout, stderr)
	}
	if stdout, stderr, err := s.runCommand(t, append([]string{"audit", "reapply"}, tables...)...); err != nil || strings.TrimSpace(stdout) != "user/"+erna.Name+": token "+c.ID+" is revoked again" {
		t.Errorf("audit reapply: got %v: %s%s", err, stdout, stderr)
	}
	if _, err := s.api.client(bearer).WhoAmI(t.Context()); statusOf(err) != http.StatusUnauthorized {
		t.Errorf("who am I: got %v, want 401", err)
	}
}

// waitForCopy waits until the audit table has an event of a stream.
func (s *stack) waitForCopy(t *testing.T, of events.Stream, seq uint64) {
	t.Helper()
	table := copies.New(s.root.DynamoDB(t), s.outputs["AuditTableName"])
	engines.Eventually(t, time.Minute, fmt.Sprintf("the audit table has %s/%d", of, seq), func() string {
		if ms, err := table.Copy(t.Context(), of, seq-1, 1); err != nil || len(ms) == 0 {
			return fmt.Sprintf("no copy, %v", err)
		}
		return ""
	})
}

// itemsOf returns the log's items of some partitions.
func (s *stack) itemsOf(t *testing.T, partitions []string) (items []object) {
	t.Helper()
	for _, pk := range partitions {
		var out struct{ Items []object }
		s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.Query", s.partitionQuery(pk), &out)
		items = append(items, out.Items...)
	}
	return items
}

// replaceItems deletes the log's items of some partitions and puts others.
func (s *stack) replaceItems(t *testing.T, partitions []string, items []object) {
	t.Helper()
	table := s.outputs["TokenTableName"]
	for _, it := range s.itemsOf(t, partitions) {
		s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.DeleteItem", object{"TableName": table, "Key": object{"PK": it["PK"], "SK": it["SK"]}}, nil)
	}
	for _, it := range items {
		s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.PutItem", object{"TableName": table, "Item": it}, nil)
	}
}
