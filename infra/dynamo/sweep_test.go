package dynamo_test

import (
	"testing"

	"apitoken/events/sweep/sweeptest"
	"apitoken/infra/dynamo"
)

func TestManyTokensFallDueInOneHour(t *testing.T) {
	c := client(t)
	sweeptest.Run(t, dynamo.New(c, newTable(t, c)), 10_000)
}
