package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Walk implements events.Streams. It is one consistent Scan, which looks at limit
// items of the table and at 1 MB at most. The items that are no records are billed
// and not returned. A Scan reads the items as they are stored: those of one
// partition key together, in the order of their sort keys (AWS says so of the
// storage, and promises the order for a Query only). No index has the names of all streams: a Query for each
// stream would need as many read units, and a call for each stream.
//
// The Scan names its attributes. So the role of a function can allow a Scan that
// reads no state and no answer that is kept for a repeat.
func (s *Store) Walk(ctx context.Context, after events.Place, limit int) (events.Stretch, error) {
	in := walkInput(s.table, limit)
	if after != "" {
		key, err := item.PlaceKey(after)
		if err != nil {
			return events.Stretch{}, fmt.Errorf("reading all streams: %w", err)
		}
		in.ExclusiveStartKey = key
	}
	out, err := s.client.Scan(ctx, in)
	if err != nil {
		return events.Stretch{}, fmt.Errorf("reading all streams: %w", err)
	}
	st, err := stretchOf(out.Items)
	if out.LastEvaluatedKey != nil {
		st.More, st.Next = true, item.PlaceOf(out.LastEvaluatedKey)
	}
	return st, err
}

func stretchOf(items []map[string]types.AttributeValue) (st events.Stretch, err error) {
	for _, it := range items {
		r, err := item.ReadRecord(it)
		damaged, isDamaged := errors.AsType[*events.DamagedRecord](err)
		switch {
		case isDamaged:
			st.Damaged = append(st.Damaged, damaged)
		case err != nil:
			return st, fmt.Errorf("reading all streams: %w", err)
		default:
			st.Records = append(st.Records, r)
		}
	}
	return st, nil
}

// walkInput returns the Scan for the records. It gives each attribute an alias,
// because some of the names are reserved words of DynamoDB.
func walkInput(table string, limit int) *dynamodb.ScanInput {
	names, aliases := map[string]string{}, []string{}
	for _, name := range item.RecordAttributes {
		names["#"+name] = name
		aliases = append(aliases, "#"+name)
	}
	user, session, settings, record := item.RecordKeys()
	return &dynamodb.ScanInput{
		TableName: &table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(min(limit, maxPage))),
		Select: types.SelectSpecificAttributes, ProjectionExpression: aws.String(strings.Join(aliases, ", ")),
		FilterExpression:         aws.String("begins_with(#SK, :record) AND (begins_with(#PK, :user) OR begins_with(#PK, :session) OR #PK = :settings)"),
		ExpressionAttributeNames: names,
		ExpressionAttributeValues: item.Item{
			":user": item.Text(user), ":session": item.Text(session), ":settings": item.Text(settings), ":record": item.Text(record),
		},
	}
}
