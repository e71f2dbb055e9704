package dynamo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/events/guard"
	"apitoken/events/issuer"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// TestDecisionsDoNotDependOnExpiredItems has an owner with records and an ended
// token past their retention. The service must decide the same before and after
// DynamoDB deletes them. The rest of the log must still verify.
func TestDecisionsDoNotDependOnExpiredItems(t *testing.T) {
	c := client(t)
	table := "apitoken-" + rand.Text()
	if err := dynamo.CreateTable(t.Context(), c, table); err != nil {
		t.Fatal(err)
	}
	dropAfter(t, c, table)
	store := dynamo.New(c, table)
	clock := time.Now().AddDate(0, 0, -401)
	x := newScene(store, func() time.Time { return clock })
	ann := guard.Principal{Owner: "ann"}
	create := func() (issuer.Token, error) {
		clock = clock.Add(time.Millisecond)
		made, _, err := x.Create(t.Context(), ann, issuer.NewToken{})
		return made, err
	}
	ended, endedText, err := x.Create(t.Context(), ann, issuer.NewToken{})
	clock = clock.Add(time.Millisecond)
	kept, keptText, err2 := x.Create(t.Context(), ann, issuer.NewToken{})
	if err := errors.Join(err, err2, x.Revoke(t.Context(), ann, ended.ID)); err != nil {
		t.Fatal(err)
	}
	completeForEngine(t, c, table, pastRetention(t, ended.ID))
	clock = time.Now()
	want := []string{kept.ID}
	for _, when := range []string{"before deletion", "after deletion"} {
		for len(want) < tokenLimit-1 || when == "after deletion" && len(want) < tokenLimit {
			made, err := create()
			if err != nil {
				t.Fatalf("%s: Create: %v", when, err)
			}
			want = append(want, made.ID)
		}
		expectDecisions(t, x, when, want)
		if err := x.check(t, endedText); !isDenied(err, guard.CodeInvalid) {
			t.Errorf("%s: a token past its retention: got %v, want it unknown", when, err)
		}
		if err := x.check(t, keptText); err != nil {
			t.Errorf("%s: the live token: %v", when, err)
		}
		if when == "before deletion" {
			awaitDeletion(t, c, table, pastRetention(t, ended.ID))
		}
	}
	if made, err := create(); err == nil {
		t.Errorf("a token above the limit was created: %s", made.ID)
	}
	rs, err := store.History(t.Context(), "user/ann", 0, 100)
	if err != nil || len(rs) != tokenLimit-1 || rs[0].Seq != 4 {
		t.Fatalf("the history: got %d records, %v, want those after the third", len(rs), err)
	}
	if err := events.Verify(rs[0].Prev, rs); err != nil {
		t.Errorf("a log without its beginning: %v", err)
	}
	expectDeletionsByService(t, c, table)
}

func isDenied(err error, code string) bool {
	d, denied := errors.AsType[*guard.Denial](err)
	return denied && d.Code == code
}

func expectDecisions(t *testing.T, x *scene, when string, want []string) {
	t.Helper()
	h, err := x.store.Head(t.Context(), "user/ann")
	if err := errors.Join(err, h.Check(keys, "user/ann")); err != nil {
		t.Errorf("%s: the head: %v", when, err)
	}
	ann := guard.Principal{Owner: "ann"}
	for _, states := range [][]events.TokenState{nil, {events.StateActive, events.StateRevoked}} { // from the head, from the index
		page, err := x.List(t.Context(), ann, issuer.ListQuery{Owners: []string{"ann"}, States: states, Limit: 100})
		var got []string
		for _, listed := range page.Tokens {
			got = append(got, listed.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: tokens %v: got %v, %v, want %v", when, states, got, err, want)
		}
	}
}

// completeForEngine puts items into every index of the table, in partitions
// that are never read. DynamoDB Local does not delete an expired item without
// the keys of all indexes of its table. DynamoDB does.
func completeForEngine(t *testing.T, c *dynamodb.Client, table string, keys []item.Item) {
	t.Helper()
	for _, key := range keys {
		_, err := c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: &table, Key: key, ConditionExpression: aws.String("attribute_exists(PK)"),
			UpdateExpression: aws.String("SET #l = if_not_exists(#l, :x), #la = if_not_exists(#la, :x), #u = if_not_exists(#u, :x), #ua = if_not_exists(#ua, :x)"),
			ExpressionAttributeNames: map[string]string{
				"#l": item.ListPK, "#la": item.ListSK, "#u": item.UnsentPK, "#ua": item.UnsentSK,
			},
			ExpressionAttributeValues: item.Item{":x": item.Text("NOWHERE")},
		})
		if err != nil {
			t.Fatalf("%s: %v", item.Name(key), err)
		}
	}
}

// pastRetention returns the keys of the items that are to be deleted: the first
// three records and the view of the ended token.
func pastRetention(t *testing.T, id string) []item.Item {
	t.Helper()
	keys := []item.Item{item.ViewKey(id)}
	for seq := range uint64(3) {
		key, err := item.RecordKey("user/ann", seq+1)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// deletionTime is the time that DynamoDB Local may take; DynamoDB takes days.
const deletionTime = 90 * time.Second

// awaitDeletion waits until these items are gone.
func awaitDeletion(t *testing.T, c *dynamodb.Client, table string, keys []item.Item) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deletionTime)
	defer cancel()
	for every := time.NewTicker(500 * time.Millisecond); ; {
		keys = slices.DeleteFunc(keys, func(key item.Item) bool {
			out, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key})
			return err == nil && out.Item == nil
		})
		if len(keys) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %v %d items are still there, the first is %s", deletionTime, len(keys), item.Name(keys[0]))
		case <-every.C:
		}
	}
}

// expectDeletionsByService reads the table's change stream. It must name
// DynamoDB itself as the author of the four removals and of nothing else, so
// that a reader of the stream recognizes them.
func expectDeletionsByService(t *testing.T, c *dynamodb.Client, table string) {
	t.Helper()
	removed := map[string]bool{}
	for _, r := range streamOf(t, c, table) {
		author := r.UserIdentity
		byService := author != nil && author.PrincipalId != nil && *author.PrincipalId == "dynamodb.amazonaws.com" && *author.Type == "Service"
		if byService != (r.EventName == streamtypes.OperationTypeRemove) {
			t.Errorf("%s of %v by %+v", r.EventName, r.Dynamodb.Keys, author)
		}
		if byService {
			removed[fmt.Sprint(r.Dynamodb.Keys[item.PK], r.Dynamodb.Keys[item.SK])] = true
		}
	}
	if len(removed) != 4 {
		t.Errorf("got %d removals in the stream, want three records and a view", len(removed))
	}
}

func streamOf(t *testing.T, c *dynamodb.Client, table string) (all []streamtypes.Record) {
	t.Helper()
	o := c.Options()
	s := dynamodbstreams.New(dynamodbstreams.Options{Region: o.Region, Credentials: o.Credentials, BaseEndpoint: o.BaseEndpoint})
	described, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	if v := described.Table.StreamSpecification.StreamViewType; v != types.StreamViewTypeNewImage {
		t.Errorf("the stream has %s, want the new images", v)
	}
	arn := described.Table.LatestStreamArn
	stream, err := s.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range stream.StreamDescription.Shards {
		it, err := s.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: arn, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		})
		if err != nil {
			t.Fatal(err)
		}
		for next := it.ShardIterator; next != nil; {
			out, err := s.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: next})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, out.Records...)
			if next = out.NextShardIterator; len(out.Records) == 0 {
				break
			}
		}
	}
	return all
}
