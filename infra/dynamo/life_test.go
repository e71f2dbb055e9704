package dynamo_test

import (
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/dynamo/dynamotest"
)

// TestTokensKeepTheirRulesInEveryHistory draws a few histories only, because each
// needs some thousand requests.
func TestTokensKeepTheirRulesInEveryHistory(t *testing.T) {
	c := client(t)
	lifetest.Machine(t, 5, func(t testing.TB) events.Store { return dynamotest.New(c, newTable(t, c)) })
}
