package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// TestReadsAreRetriedAFewTimes: an outage is an error, never ErrNotFound.
func TestReadsAreRetriedAFewTimes(t *testing.T) {
	for _, read := range []struct {
		op string
		do func(context.Context, *dynamo.Store) error
	}{
		{"Query", func(ctx context.Context, s *dynamo.Store) error { _, err := s.Head(ctx, "user/ann"); return err }},
		{"GetItem", func(ctx context.Context, s *dynamo.Store) error { _, err := s.Reply(ctx, "k"); return err }},
		{"Query", func(ctx context.Context, s *dynamo.Store) error { _, _, err := s.Token(ctx, "JhxND7ci"); return err }},
		{"Query", func(ctx context.Context, s *dynamo.Store) error {
			_, err := s.History(ctx, "user/ann", 0, 1)
			return err
		}},
		{"Query", func(ctx context.Context, s *dynamo.Store) error { _, err := s.Pending(ctx, time.Now(), 1); return err }},
		{"Query", func(ctx context.Context, s *dynamo.Store) error {
			_, err := s.Tokens(ctx, events.Query{Now: time.Now(), Limit: 1})
			return err
		}},
		{"BatchGetItem", func(ctx context.Context, s *dynamo.Store) error { _, err := s.LastUses(ctx, []string{"a"}); return err }},
	} {
		for _, a := range []answer{broken, internal, fault("ThrottlingException"), fault("ProvisionedThroughputExceededException")} {
			synctest.Test(t, func(t *testing.T) {
				store, s := stubbed(t, map[string][]answer{read.op: {a}})
				start := time.Now()
				err := read.do(t.Context(), store)
				if err == nil || errors.Is(err, events.ErrNotFound) {
					t.Errorf("%s answered with %d: got %v, want an error other than %v", read.op, a.status, err, events.ErrNotFound)
				}
				if len(s.calls) != 3 || time.Since(start) > time.Second {
					t.Errorf("%s answered with %d: got %d attempts and %v of pauses, want 3 and less than a second", read.op, a.status, len(s.calls), time.Since(start))
				}
			})
		}
	}
}

// TestClientsWaitASecondForEachAttempt: with three attempts a read takes less
// than four seconds. A commit takes at most eight seconds and one read.
func TestClientsWaitASecondForEachAttempt(t *testing.T) {
	o := clientAt(t, "http://127.0.0.1:1").Options()
	c, ok := o.HTTPClient.(*http.BuildableClient)
	if !ok || c.GetTimeout() != time.Second {
		t.Errorf("the HTTP client is a %T, want one with a time-out of a second", o.HTTPClient)
	}
	if got := o.Retryer.MaxAttempts(); got != 3 {
		t.Errorf("got %d attempts, want 3", got)
	}
}

func TestFromEnvNamesTheMissingVariables(t *testing.T) {
	_, err := dynamo.FromEnv(func(string) string { return "" })
	want := "making a DynamoDB client: not set: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFromEnvPrefersTheEndpointOfTheService(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{"AWS_ENDPOINT_URL": "http://a"}, "http://a"},
		{map[string]string{"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "http://b"}, "http://b"},
	} {
		client, err := dynamo.FromEnv(func(name string) string {
			if v, ok := c.env[name]; ok {
				return v
			}
			return map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session"}[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		o := client.Options()
		got := ""
		if o.BaseEndpoint != nil {
			got = *o.BaseEndpoint
		}
		creds, err := o.Credentials.Retrieve(t.Context())
		if err != nil || got != c.want || o.Region != "eu-west-1" || creds.AccessKeyID != "id" || creds.SecretAccessKey != "key" || creds.SessionToken != "session" {
			t.Errorf("%v: got endpoint %q, region %q, keys %q, %v", c.env, got, o.Region, creds.AccessKeyID, err)
		}
	}
}

// TestUnreadKeysAreAskedForAgain: DynamoDB leaves keys unread without an error.
func TestUnreadKeysAreAskedForAgain(t *testing.T) {
	use := func(id string) string {
		return fmt.Sprintf(`{"PK":{"S":"TOKEN#%s"},"SK":{"S":"USE"},"used_at":{"S":"2026-11-21T09:30:00.000000Z"}}`, id)
	}
	left := func(id string) string {
		return fmt.Sprintf(`"UnprocessedKeys":{"tokens":{"Keys":[{"PK":{"S":"TOKEN#%s"},"SK":{"S":"USE"}}]}}`, id)
	}
	synctest.Test(t, func(t *testing.T) {
		store, s := stubbed(t, map[string][]answer{"BatchGetItem": {
			{200, `{"Responses":{"tokens":[` + use("a") + `]},` + left("b") + `}`},
			{200, `{"Responses":{"tokens":[]},` + left("b") + `}`},
			{200, `{"Responses":{"tokens":[` + use("b") + `]}}`},
		}})
		uses, err := store.LastUses(t.Context(), []string{"a", "b", "a"})
		if err != nil || len(uses) != 2 || len(s.calls) != 3 {
			t.Errorf("got %v, %v after %d calls, want two uses after 3", uses, err, len(s.calls))
		}
		if n := len(decode(t, s.calls[0].body)["RequestItems"].(map[string]any)["tokens"].(map[string]any)["Keys"].([]any)); n != 2 {
			t.Errorf("asked for %d keys, want each once", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		store, _ := stubbed(t, map[string][]answer{"BatchGetItem": {{200, `{"Responses":{},` + left("b") + `}`}}})
		if uses, err := store.LastUses(t.Context(), []string{"b"}); err == nil {
			t.Errorf("keys that are never read: got %v and no error", uses)
		}
	})
}

// TestAListCallIsBoundedAndItsCursorReachesTheEnd: one call makes a limited
// number of queries for any number of months. The cursors lead through all of
// the months.
func TestAListCallIsBoundedAndItsCursorReachesTheEnd(t *testing.T) {
	store, s := stubbed(t, map[string][]answer{"Query": {{200, `{"Items":[],"ScannedCount":0}`}}})
	q := events.Query{Now: time.Date(2036, 1, 15, 0, 0, 0, 0, time.UTC), Limit: 10}
	pages := 0
	for more := true; more; pages++ {
		before := len(s.calls)
		p, err := store.Tokens(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.calls) - before; n > 36 {
			t.Fatalf("one call made %d queries", n)
		}
		if p.More && p.Next.Compare(q.After) <= 0 {
			t.Fatalf("the next page begins at %v, which is not after %v", p.Next, q.After)
		}
		q.After, more = p.Next, p.More
	}
	seen := map[string]bool{}
	for _, body := range s.of("Query") {
		month := fmt.Sprint(decode(t, body)["ExpressionAttributeValues"].(map[string]any)[":hash"])
		if seen[month] {
			t.Errorf("%s was asked for twice", month)
		}
		seen[month] = true
	}
	if len(seen) != 121 || pages < 4 {
		t.Errorf("got %d months in %d pages, want the 121 from January 2026 to January 2036", len(seen), pages)
	}
}
