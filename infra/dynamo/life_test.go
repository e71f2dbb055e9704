package dynamo_test

import (
	"fmt"
	"net/http"
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/localstack/longtest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestTokensKeepTheirRulesInEveryHistory draws few histories, because each needs some
// thousand requests.
func TestTokensKeepTheirRulesInEveryHistory(t *testing.T) {
	lifetest.Machine(t, longtest.Amount(5, 50), opener(t))
}

func TestSuspensionStopsEveryCallThatBeginsLater(t *testing.T) { lifetest.Suspension(t, opener(t)) }

func TestAnInterruptedOffboardingEndsTheSame(t *testing.T) { lifetest.Offboarding(t, opener(t)) }

// opener returns how a suite opens a new table. Its client waits as long as it
// takes, because the engine answers one request at a time.
func opener(t testing.TB) lifetest.Open {
	c := client(t)
	patient := via(c, &http.Transport{MaxIdleConnsPerHost: 200})
	return func(t testing.TB) events.Store { return dynamotest.New(patient, newTable(t, c)) }
}

// TestTheTableRevealsNoSecret reads every attribute of every item.
func TestTheTableRevealsNoSecret(t *testing.T) {
	c := client(t)
	table := newTable(t, c)
	open := func(testing.TB) events.Store { return dynamotest.New(c, table) }
	lifetest.AtRest(t, open, func(t testing.TB, _ events.Store) (all []byte) {
		pages := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{TableName: &table})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range page.Items {
				all = appendValue(all, &types.AttributeValueMemberM{Value: it})
			}
		}
		return all
	})
}

// appendValue appends the bytes of all texts and byte values in a value.
func appendValue(all []byte, v types.AttributeValue) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return append(append(all, v.Value...), 0)
	case *types.AttributeValueMemberB:
		return append(append(all, v.Value...), 0)
	case *types.AttributeValueMemberN:
		return append(append(all, v.Value...), 0)
	case *types.AttributeValueMemberL:
		for _, inner := range v.Value {
			all = appendValue(all, inner)
		}
		return all
	case *types.AttributeValueMemberM:
		for name, inner := range v.Value {
			all = appendValue(append(append(all, name...), 0), inner)
		}
		return all
	case *types.AttributeValueMemberBOOL, *types.AttributeValueMemberNULL:
		return all
	}
	panic(fmt.Sprintf("an attribute has the unknown type %T", v))
}
