package attack

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/issuer"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/localstack/engines"
	"apitoken/localstack/longtest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// dynamoVictim is a table. The attacker has a client of its own.
type dynamoVictim struct {
	store  *dynamo.Store
	client *dynamodb.Client
	table  string
}

func newDynamo(t testing.TB) victim {
	t.Helper()
	url := engines.Require(t, engines.DynamoDB)
	env := map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": url}
	service, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	d := &dynamoVictim{}
	d.client = dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("attacker", "attacker", ""),
	})
	d.table = dynamotest.NewTable(t, d.client)
	d.store = dynamo.New(service, d.table)
	return d
}

func (d *dynamoVictim) service(testing.TB) events.Store { return d.store }

func (d *dynamoVictim) repairs(testing.TB) issuer.RepairStore {
	return dynamo.WithRepairs{Store: d.store}
}

func (d *dynamoVictim) items(t testing.TB) map[place]item {
	t.Helper()
	all := map[place]item{}
	pages := dynamodb.NewScanPaginator(d.client, &dynamodb.ScanInput{TableName: &d.table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range page.Items {
			i := plain(&types.AttributeValueMemberM{Value: it}).(map[string]any)
			if i["SK"] == "LEASE" {
				continue // it decides nothing, and without it another process would sweep in the middle of an attack
			}
			all[place{i["PK"].(string), i["SK"].(string)}] = withoutKey(i)
		}
	}
	return all
}

func (d *dynamoVictim) item(t testing.TB, p place) item {
	t.Helper()
	out, err := d.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &d.table, Key: p.attributes(), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if out.Item == nil {
		return nil
	}
	return withoutKey(plain(&types.AttributeValueMemberM{Value: out.Item}).(map[string]any))
}

func withoutKey(i item) item {
	delete(i, "PK")
	delete(i, "SK")
	return i
}

// attributes returns the primary key of a place.
func (p place) attributes() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"PK": attribute(p.space), "SK": attribute(p.key)}
}

func (d *dynamoVictim) put(t testing.TB, p place, i item) bool {
	t.Helper()
	it := p.attributes()
	var err error
	if i == nil {
		_, err = d.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &d.table, Key: it})
	} else {
		maps.Copy(it, attribute(map[string]any(i)).(*types.AttributeValueMemberM).Value)
		_, err = d.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &d.table, Item: it})
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationException" {
		return false // for example another type for a key of an index
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func plain(a types.AttributeValue) any {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return a.Value
	case *types.AttributeValueMemberN:
		return number(a.Value)
	case *types.AttributeValueMemberB:
		return a.Value
	case *types.AttributeValueMemberBOOL:
		return a.Value
	case *types.AttributeValueMemberNULL:
		return nil
	case *types.AttributeValueMemberL:
		list := make([]any, len(a.Value))
		for n, v := range a.Value {
			list[n] = plain(v)
		}
		return list
	case *types.AttributeValueMemberM:
		m := map[string]any{}
		for name, v := range a.Value {
			m[name] = plain(v)
		}
		return m
	}
	panic(fmt.Sprintf("attack: an attribute has the unknown type %T", a))
}

// attribute is the inverse of plain.
func attribute(value any) types.AttributeValue {
	switch v := value.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case number:
		return &types.AttributeValueMemberN{Value: string(v)}
	case []byte:
		return &types.AttributeValueMemberB{Value: v}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}
	case []any:
		list := make([]types.AttributeValue, len(v))
		for n := range v {
			list[n] = attribute(v[n])
		}
		return &types.AttributeValueMemberL{Value: list}
	case map[string]any:
		m := map[string]types.AttributeValue{}
		for name := range v {
			m[name] = attribute(v[name])
		}
		return &types.AttributeValueMemberM{Value: m}
	}
	panic(fmt.Sprintf("attack: no attribute has the type %T", value))
}

// share: each change takes some fifty requests, one after the other.
func (*dynamoVictim) share() int { return longtest.Amount(8, 1) }

func (*dynamoVictim) kind(p place) kind {
	switch {
	case p.key == "TOKEN":
		return view
	case p.key == "USE":
		return use
	case p.key == "HEAD":
		return head
	case strings.HasPrefix(p.key, "EVENT#"):
		return record
	}
	return other
}

func (*dynamoVictim) view(id string) place { return place{"TOKEN#" + id, "TOKEN"} }
func (*dynamoVictim) use(id string) place  { return place{"TOKEN#" + id, "USE"} }

func (*dynamoVictim) head(s events.Stream) place { return place{partition(s), "HEAD"} }

func (*dynamoVictim) record(s events.Stream, seq uint64) place {
	return place{partition(s), fmt.Sprintf("EVENT#%012d", seq)}
}

func partition(s events.Stream) string {
	owner, _ := s.Owner()
	switch s.Kind() {
	case events.UserStreams:
		return "USER#" + owner
	case events.SessionStreams:
		return "SESSION#" + owner
	}
	return "SETTINGS"
}

// unsealed: the place in the outbox and the time to live of a record. Another
// place delays or repeats the event, or moves the event's removal.
func (*dynamoVictim) unsealed(k kind) []string {
	switch k {
	case record:
		return []string{"unsent", "unsent_at", "ttl"}
	case head:
		return []string{"layout"} // added to the head of a user
	}
	return nil
}
