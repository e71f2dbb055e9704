package dynamo_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// typicalToken is DynamoDB's answer for a token with its use.
var typicalToken = func() string {
	digest := events.View{Verifier: events.Verifier{Kid: "k1", MAC: []byte(strings.Repeat("m", 32))}}.Digest()
	key, mac := `"PK":{"S":"TOKEN#JhxND7ci"},`, base64.StdEncoding.EncodeToString([]byte(strings.Repeat("m", 32)))
	view := fmt.Sprintf(`{%s"SK":{"S":"TOKEN"},"owner":{"S":"ann"},"creator":{"S":"ann"},"name":{"S":"ann_api_token"},"kid":{"S":"k1"},"mac":{"B":%q},
"created_at":{"S":"2026-11-21T09:30:00.000001Z"},"expires_at":{"S":"2027-11-21T09:30:00.000001Z"},"first_seq":{"N":"3"},"seq":{"N":"7"},
"seal_kid":{"S":"k1"},"seal":{"B":%q},"digest":{"B":%q},"scopes":{"L":[{"S":"GET /v1/*"},{"S":"POST /v1/x"}]},"list":{"S":"LIST#2026-11"},"list_at":{"S":"2026-11-21T09:30:00.000001Z#JhxND7ci"}}`, key, mac, mac, base64.StdEncoding.EncodeToString(digest[:]))
	use := fmt.Sprintf(`{%s"SK":{"S":"USE"},"used_at":{"S":"2026-11-21T10:30:00.000001Z"},"address":{"S":"192.0.2.1"}}`, key)
	return `{"Count":2,"ScannedCount":2,"Items":[` + view + `,` + use + `]}`
}()

// typical answers every request with the typical token.
type typical struct{}

func (typical) RoundTrip(r *http.Request) (*http.Response, error) {
	return response(r, answer{200, typicalToken}), nil
}

// BenchmarkToken is the read of authorize. It may take 1.25 times the time of
// BenchmarkBareQuery.
func BenchmarkToken(b *testing.B) {
	store := dynamo.New(via(clientAt(b, "http://127.0.0.1:1"), typical{}), "tokens")
	b.ReportAllocs()
	for b.Loop() {
		if v, _, err := store.Token(b.Context(), "JhxND7ci"); err != nil || v.Owner != "ann" {
			b.Fatal(v, err)
		}
	}
}

// BenchmarkBareQuery is the same read by the SDK alone.
func BenchmarkBareQuery(b *testing.B) {
	c := via(clientAt(b, "http://127.0.0.1:1"), typical{})
	b.ReportAllocs()
	for b.Loop() {
		out, err := c.Query(b.Context(), &dynamodb.QueryInput{
			TableName: aws.String("tokens"), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("PK = :pk"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: "TOKEN#JhxND7ci"}},
		})
		if err != nil || len(out.Items) != 2 {
			b.Fatal(out, err)
		}
	}
}
