package dynamotest

import (
	"context"
	"strconv"
	"time"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var _ events.Collector = (*Attacked)(nil)

// Collect removes what DynamoDB removes some days later: each item whose ttl is not
// after now. It counts nothing.
func (a *Attacked) Collect(ctx context.Context, now time.Time) (events.Collected, error) {
	pages := dynamodb.NewScanPaginator(a.client, &dynamodb.ScanInput{
		TableName: &a.table, ConsistentRead: aws.Bool(true),
		FilterExpression:          aws.String("#ttl <= :now"),
		ExpressionAttributeNames:  map[string]string{"#ttl": item.TTL},
		ExpressionAttributeValues: item.Item{":now": &types.AttributeValueMemberN{Value: strconv.FormatInt(now.Unix(), 10)}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return events.Collected{}, err
		}
		for _, it := range page.Items {
			key := item.Item{item.PK: it[item.PK], item.SK: it[item.SK]}
			if _, err := a.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &a.table, Key: key}); err != nil {
				return events.Collected{}, err
			}
		}
	}
	return events.Collected{}, nil
}
