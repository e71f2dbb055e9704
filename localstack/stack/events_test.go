package stack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/events"
	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
)

// dynamoDB is the emulator's, as the account's root.
func (s *stack) dynamoDB(t *testing.T) *dynamodb.Client {
	t.Helper()
	env := map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": s.root.endpoint}
	client, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: time.Minute} })
}

// The audit table keeps an event under its id alone, so "once" is that nothing
// is missing, nothing is there beside, and nothing came with other content.
func (s *stack) audited(t *testing.T) {
	copies := copies.New(s.dynamoDB(t), s.outputs["AuditTableName"])
	dora := person("dora")
	c := s.made(t, httpapi.CreateRequest{User: dora})
	if err := s.api.as(s.admin).Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "both events of a token are in the audit table", func() string {
		ms, err := copies.Copy(t.Context(), events.UserStream(dora.Name), 0, 100)
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
	store := dynamo.New(s.dynamoDB(t), s.outputs["TokenTableName"])
	if err := copies.Streams(t.Context(), func(of events.Stream) { s.compare(t, store, copies, of) }); err != nil {
		t.Fatal(err)
	}
}

// compare holds the copies of a stream against the log.
func (s *stack) compare(t *testing.T, log events.Log, copies *copies.Table, of events.Stream) {
	t.Helper()
	head, err := log.Head(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	ms, err := copies.Copy(t.Context(), of, 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if uint64(len(ms)) != head.Version || len(ms) > 0 && ms[len(ms)-1].Hash != head.Hash {
		t.Errorf("stream %s: got %d copies, want %d that end where the log ends", of, len(ms), head.Version)
	}
}

// reapplied copies one user's head and view aside, lets a token be revoked and
// puts them back, without the record: so does a restore to an earlier time.
func (s *stack) reapplied(t *testing.T) {
	copies := copies.New(s.dynamoDB(t), s.outputs["AuditTableName"])
	erna := person("erna")
	c := s.made(t, httpapi.CreateRequest{User: erna})
	bearer := c.BearerToken.Reveal()
	before := s.items(t, "USER#"+erna.Name, "TOKEN#"+c.ID)
	if err := s.api.as(s.admin).Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the revocation is in the audit table", func() string {
		if ms, err := copies.Copy(t.Context(), events.UserStream(erna.Name), 1, 1); err != nil || len(ms) == 0 {
			return fmt.Sprint("none, ", err)
		}
		return ""
	})
	for _, it := range s.items(t, "USER#"+erna.Name, "TOKEN#"+c.ID) {
		s.root.must(t, "dynamodb", "DynamoDB_20120810.DeleteItem", object{"TableName": s.outputs["TokenTableName"], "Key": object{"PK": it["PK"], "SK": it["SK"]}}, nil)
	}
	for _, it := range before {
		s.root.must(t, "dynamodb", "DynamoDB_20120810.PutItem", object{"TableName": s.outputs["TokenTableName"], "Item": it}, nil)
	}
	if _, err := s.api.as(bearer).WhoAmI(t.Context()); err != nil {
		t.Fatalf("the token is not live again, so this test shows nothing: %v", err)
	}
	tables := []string{"--table", s.outputs["TokenTableName"], "--audit-table", s.outputs["AuditTableName"]}
	if out, err := s.run(t, append([]string{"audit", "verify"}, tables...)...); err == nil || !strings.Contains(out, "rolled_back user/"+erna.Name+"/2") {
		t.Errorf("audit verify: got %v: %s, want it to miss the revocation", err, out)
	}
	if out, err := s.run(t, append([]string{"audit", "reapply"}, tables...)...); err != nil || strings.TrimSpace(out) != "user/"+erna.Name+": token "+c.ID+" is revoked again" {
		t.Errorf("audit reapply: got %v: %s", err, out)
	}
	if _, err := s.api.as(bearer).WhoAmI(t.Context()); status(err) != http.StatusUnauthorized {
		t.Errorf("who am I: got %v, want 401", err)
	}
}

// items are those of some partitions of the log.
func (s *stack) items(t *testing.T, partitions ...string) (all []object) {
	t.Helper()
	for _, pk := range partitions {
		var out struct{ Items []object }
		in := s.aQuery()
		in["ExpressionAttributeValues"] = object{":pk": object{"S": pk}}
		s.root.must(t, "dynamodb", "DynamoDB_20120810.Query", in, &out)
		all = append(all, out.Items...)
	}
	return all
}

// silent greps what all functions logged for tokens and peppers.
func (s *stack) silent(t *testing.T) {
	var out struct {
		Events    []struct{ Message string }
		NextToken string
	}
	in := object{"logGroupName": s.ids["FunctionLogs"]}
	lines, requests := 0, 0
	for {
		out.Events, out.NextToken = nil, ""
		s.root.must(t, "logs", "Logs_20140328.FilterLogEvents", in, &out)
		for _, e := range out.Events {
			lines++
			if strings.Contains(e.Message, `"request"`) {
				requests++
			}
			for _, word := range strings.FieldsFunc(e.Message, func(r rune) bool { return strings.ContainsRune(` "\,;:=`, r) }) {
				if _, err := secret.Parse(word); err == nil {
					t.Errorf("a log line has a whole token: %.40s…", e.Message)
				}
			}
			if _, pepper, _ := strings.Cut(s.peppers, ":"); strings.Contains(e.Message, pepper) {
				t.Errorf("a log line has a pepper: %.40s…", e.Message)
			}
		}
		if out.NextToken == "" {
			break
		}
		in["nextToken"] = out.NextToken
	}
	if requests == 0 {
		t.Errorf("%d lines were logged, none of them of a request: this test sees nothing", lines)
	}
}
