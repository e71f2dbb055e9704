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
	"apitoken/localstack/engines"
)

// deadLetter is the message that Lambda sends to the on-failure queue of a
// stream. It has no records, but their position in the stream.
type deadLetter struct {
	RequestContext struct {
		FunctionArn, Condition string
		ApproximateInvokeCount int
	}
	DDBStreamBatchInfo struct {
		ShardID, StartSequenceNumber, EndSequenceNumber, StreamArn string
		BatchSize                                                  int
	}
}

// covers reports whether the batch has the record at a position.
func (l deadLetter) covers(position string) bool {
	b := l.DDBStreamBatchInfo
	return position != "" && b.StartSequenceNumber <= position && position <= b.EndSequenceNumber
}

// waitForDeadLetters waits until the dead letters cover the records with these
// ids, and checks each dead letter.
func (p *pipeline) waitForDeadLetters(t *testing.T, ids ...string) {
	t.Helper()
	positions := p.positions(t)
	var letters []deadLetter
	engines.Eventually(t, 90*time.Second, "the stream gave up the records", func() string {
		for _, body := range p.engine.receive(t, p.ids["PublishDeadLetters"]) {
			letters = append(letters, p.readDeadLetter(t, body))
		}
		for _, id := range ids {
			if !slices.ContainsFunc(letters, func(l deadLetter) bool { return l.covers(positions[id]) }) {
				return fmt.Sprintf("%s, at %q in the stream, is in none of the %d dead letters: %+v", id, positions[id], len(letters), letters)
			}
		}
		return ""
	})
}

// readDeadLetter checks that a dead letter comes from publish's last retry.
func (p *pipeline) readDeadLetter(t *testing.T, body string) (l deadLetter) {
	t.Helper()
	engines.Decode(t, []byte(body), &l)
	c, b := l.RequestContext, l.DDBStreamBatchInfo
	if c.Condition != "RetryAttemptsExhausted" || c.ApproximateInvokeCount != p.retries+1 || !strings.Contains(c.FunctionArn, p.ids["PublishFunction"]) {
		t.Errorf("the dead letter is not about publish after %d retries: %s", p.retries, body)
	}
	if b.BatchSize == 0 || b.ShardID == "" || !strings.Contains(b.StreamArn, p.ids["TokenTable"]) {
		t.Errorf("the dead letter has no position in the stream: %s", body)
	}
	return l
}

// positions returns the sequence number of each record in the change stream, by
// the record's id.
func (p *pipeline) positions(t *testing.T) map[string]string {
	t.Helper()
	table, err := p.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(p.ids["TokenTable"])})
	if err != nil {
		t.Fatal(err)
	}
	arn := *table.Table.LatestStreamArn
	var stream struct {
		StreamDescription struct{ Shards []struct{ ShardID string } }
	}
	p.callStreams(t, "DescribeStream", object{"StreamArn": arn}, &stream)
	positions := map[string]string{}
	for _, shard := range stream.StreamDescription.Shards {
		for _, c := range p.changes(t, arn, shard.ShardID) {
			if id := c.id(); id != "" && positions[id] == "" { // the first change is the insertion
				positions[id] = c.Dynamodb.SequenceNumber
			}
		}
	}
	return positions
}

// callStreams calls the interface of DynamoDB Streams.
func (p *pipeline) callStreams(t *testing.T, action string, in object, out any) {
	t.Helper()
	p.engine.MustCall(t, "dynamodb", "DynamoDBStreams_20120810."+action, in, out)
}

// change is one change in the change stream.
type change struct {
	Dynamodb struct {
		Keys           map[string]map[string]string
		SequenceNumber string
	}
}

// id returns the id of the changed record, or "" if the changed item is no
// record.
func (c change) id() string {
	var seq uint64
	owner, user := strings.CutPrefix(c.Dynamodb.Keys[item.PK]["S"], "USER#")
	if n, _ := fmt.Sscanf(c.Dynamodb.Keys[item.SK]["S"], "EVENT#%d", &seq); n != 1 || !user {
		return ""
	}
	return fmt.Sprintf("%s/%d", events.UserStream(owner), seq)
}

// changes returns all changes of a shard until now.
func (p *pipeline) changes(t *testing.T, arn, shard string) (all []change) {
	t.Helper()
	var at struct{ ShardIterator string }
	p.callStreams(t, "GetShardIterator", object{"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}, &at)
	for next := at.ShardIterator; next != ""; {
		var page struct {
			Records           []change
			NextShardIterator string
		}
		p.callStreams(t, "GetRecords", object{"ShardIterator": next}, &page)
		if len(page.Records) == 0 {
			break
		}
		all, next = append(all, page.Records...), page.NextShardIterator
	}
	return all
}
