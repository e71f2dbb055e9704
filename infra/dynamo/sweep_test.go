package dynamo_test

import (
	"net/http"
	"testing"

	"apitoken/events/sweep/sweeptest"
	"apitoken/infra/dynamo"
	"apitoken/localstack/longtest"
)

func TestManyTokensFallDueInOneHour(t *testing.T) {
	c := client(t)
	// The engine answers one request at a time, and other tests may use it too. This
	// client has no time-out.
	patient := via(c, &http.Transport{MaxIdleConnsPerHost: 32})
	sweeptest.Run(t, dynamo.New(patient, newTable(t, c)), longtest.Amount(2000, 10_000))
}
