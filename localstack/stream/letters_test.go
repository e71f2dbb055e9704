package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/events"
	"apitoken/infra/dynamo/item"
)

// letter is what Lambda leaves in the on-failure queue of a stream: no record,
// but where in the stream the records are.
type letter struct {
	RequestContext struct {
		FunctionArn, Condition string
		ApproximateInvokeCount int
	}
	DDBStreamBatchInfo struct {
		ShardID, StartSequenceNumber, EndSequenceNumber, StreamArn string
		BatchSize                                                  int
	}
}

func (l letter) covers(place string) bool {
	b := l.DDBStreamBatchInfo
	return place != "" && b.StartSequenceNumber <= place && place <= b.EndSequenceNumber
}

// givenUp waits until the dead letters cover the records with these ids, and
// checks what they say.
func (p *pipeline) givenUp(t *testing.T, ids ...string) {
	t.Helper()
	places := p.places(t)
	var letters []letter
	eventually(t, 90*time.Second, "the stream gave up", func() string {
		for _, body := range p.engine.receive(t, p.ids["PublishDeadLetters"]) {
			letters = append(letters, p.open(t, body))
		}
		for _, id := range ids {
			if !slices.ContainsFunc(letters, func(l letter) bool { return l.covers(places[id]) }) {
				return fmt.Sprintf("%s, at %q in the stream, is in none of the %d dead letters: %+v", id, places[id], len(letters), letters)
			}
		}
		return ""
	})
}

func (p *pipeline) open(t *testing.T, body string) (l letter) {
	t.Helper()
	decode(t, []byte(body), &l)
	c, b := l.RequestContext, l.DDBStreamBatchInfo
	if c.Condition != "RetryAttemptsExhausted" || c.ApproximateInvokeCount != p.retries+1 || !strings.Contains(c.FunctionArn, p.ids["PublishFunction"]) {
		t.Errorf("the dead letter does not say that publish gave up after %d retries: %s", p.retries, body)
	}
	if b.BatchSize == 0 || b.ShardID == "" || !strings.Contains(b.StreamArn, p.ids["TokenTable"]) {
		t.Errorf("the dead letter does not say where in the stream: %s", body)
	}
	return l
}

// places says where in the change stream each record is, by its id.
func (p *pipeline) places(t *testing.T) map[string]string {
	t.Helper()
	table, err := p.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(p.ids["TokenTable"])})
	if err != nil {
		t.Fatal(err)
	}
	arn := *table.Table.LatestStreamArn
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardID string } }
	}
	p.readStream(t, "DescribeStream", object{"StreamArn": arn}, &stream)
	places := map[string]string{}
	for _, shard := range stream.StreamDescription.Shards {
		for _, r := range p.changes(t, arn, shard.ShardID) {
			if id := r.id(); id != "" && places[id] == "" { // the first change is the one that inserted it
				places[id] = r.Dynamodb.SequenceNumber
			}
		}
	}
	return places
}

func (p *pipeline) readStream(t *testing.T, action string, in object, out any) {
	t.Helper()
	p.engine.call(t, "dynamodb", "DynamoDBStreams_20120810."+action, in, out)
}

// change is a record of the change stream.
type change struct {
	Dynamodb struct {
		Keys           map[string]map[string]string
		SequenceNumber string
	}
}

// id is the id of the record that was changed, empty if it was no record.
func (c change) id() string {
	var seq uint64
	owner, user := strings.CutPrefix(c.Dynamodb.Keys[item.PK]["S"], "USER#")
	if n, _ := fmt.Sscanf(c.Dynamodb.Keys[item.SK]["S"], "EVENT#%d", &seq); n != 1 || !user {
		return ""
	}
	return fmt.Sprintf("%s/%d", events.UserStream(owner), seq)
}

// changes are all changes of a shard until now.
func (p *pipeline) changes(t *testing.T, arn, shard string) (all []change) {
	t.Helper()
	var at struct{ ShardIterator string }
	p.readStream(t, "GetShardIterator", object{"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}, &at)
	for next := at.ShardIterator; next != ""; {
		var page struct {
			Records           []change
			NextShardIterator string
		}
		p.readStream(t, "GetRecords", object{"ShardIterator": next}, &page)
		if len(page.Records) == 0 {
			break
		}
		all, next = append(all, page.Records...), page.NextShardIterator
	}
	return all
}
