package dynamo_test

import (
	"net/http"
	"testing"

	"apitoken/events"
	"apitoken/events/lifetest"
	"apitoken/infra/dynamo/dynamotest"
)

// TestTokensKeepTheirRulesInEveryHistory draws a few histories only, because each
// needs some thousand requests.
func TestTokensKeepTheirRulesInEveryHistory(t *testing.T) {
	lifetest.Machine(t, 5, opener(t))
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
