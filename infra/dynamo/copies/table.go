// Package copies keeps the copies of published events on a DynamoDB table of
// their own, which no function but the audit's may write. A copy is never
// changed and never collected.
//
//	item      PK        SK                          holds
//	copy      user/ann  000000000007                the event
//	notice    notice    its id                      the event
//	evidence  evidence  the id # a digest           an event that could not be kept under its id
//	wait      wait      since # stream # sequence   an event whose predecessor is missing
//
// What makes copies disagree is judged by events/audit.
package copies

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"apitoken/events"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// WaitPK is the partition of what is awaited, the only one whose items are ever
// deleted. The audit function's role allows it there alone.
const WaitPK = "wait"

const (
	noticePK   = "notice"
	evidencePK = "evidence"
	pkAttr     = "PK"
	skAttr     = "SK"
	detailAttr = "detail"
	sinceForm  = "2006-01-02T15:04:05.000000000Z" // fixed width: text order is time order
)

type item = map[string]types.AttributeValue

// Table keeps copies. It is used from many goroutines.
type Table struct {
	client *dynamodb.Client
	name   string
}

// New makes a Table of the DynamoDB table called name.
func New(client *dynamodb.Client, name string) *Table { return &Table{client, name} }

// Keep stores the message if nothing is kept under its id, and otherwise gives
// what is.
func (t *Table) Keep(ctx context.Context, m events.Message) (first bool, earlier events.Message, err error) {
	detail, err := m.Detail()
	if err != nil {
		return false, events.Message{}, err
	}
	pk, sk, err := place(m)
	if err != nil {
		return false, events.Message{}, err
	}
	it := key(pk, sk)
	it[detailAttr] = text(string(detail))
	old, err := t.put(ctx, it)
	switch {
	case err != nil:
		return false, events.Message{}, fmt.Errorf("keeping event %s: %w", m.ID, err)
	case old == nil:
		return true, events.Message{}, nil
	}
	earlier, err = message(old)
	return false, earlier, err
}

// Evidence stores a message beside those that are kept, once for each content.
func (t *Table) Evidence(ctx context.Context, m events.Message) error {
	detail, err := m.Detail()
	if err != nil {
		return err
	}
	it := key(evidencePK, fmt.Sprintf("%s#%x", m.ID, sha256.Sum256(detail)))
	it[detailAttr] = text(string(detail))
	if _, err := t.put(ctx, it); err != nil {
		return fmt.Errorf("keeping event %s as evidence: %w", m.ID, err)
	}
	return nil
}

// Await remembers that the predecessor of an event is missing.
func (t *Table) Await(ctx context.Context, s events.Stream, seq uint64, since time.Time) error {
	if _, err := t.put(ctx, key(WaitPK, waitSK(s, seq, since))); err != nil {
		return fmt.Errorf("awaiting the event before %s/%d: %w", s, seq, err)
	}
	return nil
}

// Arrived forgets what Await remembered.
func (t *Table) Arrived(ctx context.Context, s events.Stream, seq uint64, since time.Time) error {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &t.name, Key: key(WaitPK, waitSK(s, seq, since))})
	if err != nil {
		return fmt.Errorf("no longer awaiting the event before %s/%d: %w", s, seq, err)
	}
	return nil
}

// put writes an item that is not there yet, or gives the one that is.
func (t *Table) put(ctx context.Context, it item) (old item, err error) {
	_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: it, ConditionExpression: aws.String("attribute_not_exists(PK)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if there, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return there.Item, nil
	}
	return nil, err
}

// place is where a message is kept. One of an unknown stream has no place: its
// name could be that of another partition.
func place(m events.Message) (pk, sk string, err error) {
	if m.Seq == 0 {
		return noticePK, m.ID, nil
	}
	if _, user := m.Stream.Owner(); (!user && m.Stream != events.SettingsStream) || m.Seq > lastSeq {
		return "", "", fmt.Errorf("event %q has no place among the copies", m.ID)
	}
	return string(m.Stream), seqSK(m.Seq), nil
}

// lastSeq is the highest sequence that a sort key can hold: 12 digits.
const lastSeq = 999_999_999_999

func seqSK(seq uint64) string { return fmt.Sprintf("%012d", seq) }

func waitSK(s events.Stream, seq uint64, since time.Time) string {
	return since.UTC().Format(sinceForm) + "#" + string(s) + "#" + strconv.FormatUint(seq, 10)
}

func parseWait(sk string) (s events.Stream, seq uint64, since time.Time, err error) {
	at, rest, _ := strings.Cut(sk, "#")
	cut := strings.LastIndexByte(rest, '#')
	if cut < 0 {
		return "", 0, since, fmt.Errorf("%q is not the key of a wait", sk)
	}
	if seq, err = strconv.ParseUint(rest[cut+1:], 10, 64); err != nil {
		return "", 0, since, fmt.Errorf("%q is not the key of a wait", sk)
	}
	since, err = time.Parse(sinceForm, at)
	return events.Stream(rest[:cut]), seq, since, err
}

func key(pk, sk string) item { return item{pkAttr: text(pk), skAttr: text(sk)} }

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func textOf(it item, attr string) string {
	if v, ok := it[attr].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func message(it item) (events.Message, error) {
	m, err := events.ParseDetail([]byte(textOf(it, detailAttr)))
	if err != nil {
		return m, fmt.Errorf("copy %s %s: %w", textOf(it, pkAttr), textOf(it, skAttr), err)
	}
	return m, nil
}
