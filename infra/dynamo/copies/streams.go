package copies

import (
	"context"
	"fmt"
	"strings"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Streams calls f once for each stream that has copies. It remembers all names of
// streams, so it is for an operator's tool only and not for a function.
func (t *Table) Streams(ctx context.Context, f func(events.Stream)) error {
	seen := map[events.Stream]bool{}
	return t.StreamsIn(ctx, 0, 1, func(s events.Stream) error {
		if !seen[s] {
			seen[s] = true
			f(s)
		}
		return nil
	})
}

// StreamsIn calls f for each stream that has copies in one of n segments of the
// table. The segments are numbered from 0. It returns the first error of f.
//
// A Scan returns the items of one partition key together, so StreamsIn remembers
// only the last name. DynamoDB may split a large partition key between two
// segments; then both have the stream.
func (t *Table) StreamsIn(ctx context.Context, segment, n int, f func(events.Stream) error) error {
	in := &dynamodb.ScanInput{
		TableName: &t.name, Segment: aws.Int32(int32(segment)), TotalSegments: aws.Int32(int32(n)),
		Select: types.SelectSpecificAttributes, ProjectionExpression: aws.String("PK, SK"),
	}
	last := ""
	for {
		out, err := t.client.Scan(ctx, in)
		if err != nil {
			return fmt.Errorf("reading the names of the streams, segment %d of %d: %w", segment, n, err)
		}
		for _, it := range out.Items {
			pk := item.Partition(it)
			if pk == last {
				continue
			}
			last = strings.Clone(pk)
			if isStream(last) {
				if err := f(events.Stream(last)); err != nil {
					return err
				}
			}
		}
		if out.LastEvaluatedKey == nil {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func isStream(pk string) bool { return pk != noticePK && pk != evidencePK && pk != WaitPK }
