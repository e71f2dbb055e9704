package dynamo

import (
	"context"
	"errors"
	"fmt"

	"apitoken/events"
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Token is one consistent Query of the token's partition, which has its view
// and its use. It costs one read unit, and it is the only read of authorize. The
// view and the use are far smaller than a page of a Query (AWS limit: 1 MB), so a
// further page means that something else has filled the partition.
func (s *Store) Token(ctx context.Context, id string) (events.View, events.Use, error) {
	out, err := s.client.Query(ctx, tokenQuery(s.table, id))
	if err != nil {
		return events.View{}, events.Use{}, fmt.Errorf("reading token %q: %w", id, err)
	}
	var v events.View
	var u events.Use
	for _, it := range out.Items {
		switch item.KindOf(it) {
		case item.KindView:
			v, err = item.ReadView(it)
		case item.KindUse:
			var damaged error
			if _, u, damaged = item.ReadUse(it); damaged != nil {
				u = events.Use{} // it decides nothing, so it must not refuse the token
			}
		}
		if err != nil {
			return events.View{}, events.Use{}, err
		}
	}
	switch {
	case v.ID != "":
		return v, u, nil
	case out.LastEvaluatedKey != nil:
		return events.View{}, events.Use{}, &events.DamagedView{TokenID: id, Reason: errFilled}
	}
	return events.View{}, events.Use{}, events.ErrNotFound
}

// errFilled: the view may be after the page that was read, so it is not missing.
var errFilled = errors.New("its partition has items that this service did not write")

func tokenQuery(table, id string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("PK = :pk"),
		ExpressionAttributeValues: item.Item{":pk": item.Text(item.TokenPK(id))},
	}
}
