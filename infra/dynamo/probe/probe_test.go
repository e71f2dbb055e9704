package probe_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/dynamo/probe"
	"apitoken/localstack/engines"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// service is DynamoDB Local with a change between client and engine.
type service struct {
	operation string                                               // the call that it changes
	request   func(body map[string]any)                            // changes the request
	answer    func(status int, body []byte) (int, []byte)          // changes the answer
	instead   func(n int, body map[string]any) (int, string, bool) // answers the call n itself

	calls int
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation != s.operation {
		return http.DefaultTransport.RoundTrip(r)
	}
	s.calls++
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var body map[string]any
	if err := json.Unmarshal(sent, &body); err != nil {
		return nil, err
	}
	if s.instead != nil {
		if status, text, own := s.instead(s.calls, body); own {
			return response(r, status, []byte(text)), nil
		}
	}
	if s.request != nil {
		s.request(body)
	}
	if sent, err = json.Marshal(body); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(sent)), int64(len(sent))
	got, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || s.answer == nil {
		return got, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	status, changed := s.answer(got.StatusCode, text)
	return response(r, status, changed), nil
}

func response(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

func refusal(code string) func(int, map[string]any) (int, string, bool) {
	return func(int, map[string]any) (int, string, bool) {
		return 400, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"no"}`, code), true
	}
}

// via is the client with another transport.
func via(c *dynamodb.Client, transport http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(c.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: transport} })
}

// expectEmpty expects that the probe has left no item.
func expectEmpty(t *testing.T, c *dynamodb.Client, table string) {
	t.Helper()
	out, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	if err != nil || len(out.Items) > 0 {
		t.Errorf("the probe has left %d items, %v", len(out.Items), err)
	}
}

func TestDynamoDBHasAllAbilities(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, c)
	for range 2 {
		if err := probe.Run(t.Context(), c, table); err != nil {
			t.Error(err)
		}
	}
	expectEmpty(t, c, table)
}

// TestEachMissingAbilityIsNamed has a service that lacks one in each way. Nothing stays
// in the table.
func TestEachMissingAbilityIsNamed(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, c)
	without := func(member string) func(map[string]any) {
		return func(body map[string]any) {
			delete(body, member)
			if !strings.Contains(fmt.Sprint(body), "#v") {
				delete(body, "ExpressionAttributeNames")
			}
		}
	}
	for _, row := range []struct {
		name string
		service
		want probe.Ability
		text string
	}{
		{"GetItem returns what was read first", service{operation: "GetItem", answer: first()}, probe.ConsistentReads, "after a write an item has the value 1, not 2"},
		{"GetItem refuses ConsistentRead", service{operation: "GetItem", instead: refusal("ValidationException")}, probe.ConsistentReads, "ValidationException"},
		{"Query returns nothing yet", service{operation: "Query", answer: func(int, []byte) (int, []byte) { return 200, []byte(`{"Items":[]}`) }}, probe.ConsistentReads, "a query returns the value 0, not 1"},
		{"PutItem ignores conditions", service{operation: "PutItem", request: without("ConditionExpression")}, probe.ConditionalPuts, "there is no item was written"},
		{"UpdateItem ignores conditions", service{operation: "UpdateItem", request: func(body map[string]any) {
			delete(body, "ConditionExpression")
			delete(body["ExpressionAttributeValues"].(map[string]any), ":before")
		}}, probe.ConditionalPuts, "an update on a condition that is false was written"},
		{"no transactions", service{operation: "TransactWriteItems", instead: refusal("UnknownOperationException")}, probe.Transactions, "UnknownOperationException"},
		{"transactions are not implemented", service{operation: "TransactWriteItems", instead: func(int, map[string]any) (int, string, bool) { return 501, `{}`, true }}, probe.Transactions, "501"},
		{"transactions ignore conditions", service{operation: "TransactWriteItems", request: eachPut(func(put map[string]any) { delete(put, "ConditionExpression") })}, probe.Transactions, "with a condition that is false was written"},
		{"a cancelled transaction writes a part", service{operation: "TransactWriteItems", instead: writesAPart(t, c, table)}, probe.Transactions, "after a cancelled transaction an item has the value 2, not 1"},
		{"a cancelled transaction has no reasons", service{operation: "TransactWriteItems", answer: func(status int, body []byte) (int, []byte) {
			if status == 400 {
				body = []byte(`{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"no"}`)
			}
			return status, body
		}}, probe.Transactions, "has the reasons []"},
		{"tokens are ignored", service{operation: "TransactWriteItems", request: func(body map[string]any) { body["ClientRequestToken"] = rand.Text() }}, probe.RequestTokens, "sent twice an item has the value 12, not 11"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := probe.Run(t.Context(), via(c, &row.service), table)
			missing, ok := errors.AsType[*probe.MissingError](err)
			if !ok || missing.Ability != row.want || !strings.Contains(err.Error(), row.text) || !strings.Contains(err.Error(), "lacks "+string(row.want)) {
				t.Errorf("got %v, want an error that names %s and says %q", err, row.want, row.text)
			}
			expectEmpty(t, c, table)
		})
	}
}

// first answers each call as the first one.
func first() func(int, []byte) (int, []byte) {
	var kept []byte
	return func(status int, body []byte) (int, []byte) {
		if kept == nil {
			kept = body
		}
		return status, kept
	}
}

func eachPut(change func(map[string]any)) func(map[string]any) {
	return func(body map[string]any) {
		for _, w := range body["TransactItems"].([]any) {
			if put, ok := w.(map[string]any)["Put"].(map[string]any); ok {
				change(put)
			}
		}
	}
}

// writesAPart is a service that writes the first item of a transaction before it looks
// at the condition of the second one.
func writesAPart(t *testing.T, c *dynamodb.Client, table string) func(int, map[string]any) (int, string, bool) {
	return func(n int, body map[string]any) (int, string, bool) {
		if n != 2 {
			return 0, "", false
		}
		put := body["TransactItems"].([]any)[0].(map[string]any)["Put"].(map[string]any)["Item"].(map[string]any)
		key := put[item.PK].(map[string]any)["S"].(string)
		it := item.Probe(strings.TrimPrefix(key, "PROBE#"), 2, time.Now().Add(time.Hour))
		if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it}); err != nil {
			t.Error(err)
		}
		return 0, "", false
	}
}

func TestAMissingIndexIsNamed(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := "apitoken-" + rand.Text()
	definition := dynamo.Table(table)
	definition.StreamSpecification, definition.DeletionProtectionEnabled = nil, nil
	definition.GlobalSecondaryIndexes = definition.GlobalSecondaryIndexes[:3] // without due
	definition.AttributeDefinitions = definition.AttributeDefinitions[:len(definition.AttributeDefinitions)-2]
	if _, err := c.CreateTable(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	dynamotest.RemoveAfter(t, c, table)
	err := probe.Run(t.Context(), c, table)
	missing, ok := errors.AsType[*probe.MissingError](err)
	if !ok || missing.Ability != probe.SecondaryIndexes || !strings.Contains(err.Error(), "index due") {
		t.Errorf("got %v, want an error that names the index due", err)
	}
	expectEmpty(t, c, table)
}

// TestAFaultIsNoMissingAbility: the service does not answer, or the credentials lack a
// right. The items that were written before are removed.
func TestAFaultIsNoMissingAbility(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, c)
	for name, s := range map[string]service{
		"no right":       {operation: "TransactWriteItems", instead: refusal("AccessDeniedException")},
		"no answer":      {operation: "UpdateItem", instead: func(int, map[string]any) (int, string, bool) { return 503, `{}`, true }},
		"an old session": {operation: "GetItem", instead: refusal("ExpiredTokenException")},
	} {
		t.Run(name, func(t *testing.T) {
			err := probe.Run(t.Context(), via(c, &s), table)
			if _, missing := errors.AsType[*probe.MissingError](err); missing || err == nil || !strings.Contains(err.Error(), "looking for ") || !strings.Contains(err.Error(), table) {
				t.Errorf("got %v, want a fault", err)
			}
			expectEmpty(t, c, table)
		})
	}
}

// TestAnInterruptedProbeLeavesNothing: its context ends after the first write.
func TestAnInterruptedProbeLeavesNothing(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{operation: "GetItem", instead: func(int, map[string]any) (int, string, bool) {
		cancel()
		return 0, "", false
	}}
	if err := probe.Run(ctx, via(c, s), table); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	expectEmpty(t, c, table)
}

// TestAKilledProbeIsRemovedByItsTimeToLive: a removal that fails is an error that names
// the table, and each item expires within an hour.
func TestAKilledProbeIsRemovedByItsTimeToLive(t *testing.T) {
	c := engines.Connect(t, engines.DynamoDB).DynamoDB(t)
	table := dynamotest.NewTable(t, c)
	err := probe.Run(t.Context(), via(c, &service{operation: "DeleteItem", instead: refusal("AccessDeniedException")}), table)
	if err == nil || !strings.Contains(err.Error(), "removing the items of the probe from table "+table) {
		t.Errorf("got %v, want an error about the removal", err)
	}
	out, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil || len(out.Items) == 0 {
		t.Fatalf("got %d items, %v", len(out.Items), err)
	}
	for _, it := range out.Items {
		if _, expires := it[item.TTL]; !expires || item.KindOf(it) != item.KindUnknown {
			t.Errorf("%s has no time to live, or a kind", item.Name(it))
		}
	}
}
