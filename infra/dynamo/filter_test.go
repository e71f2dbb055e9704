package dynamo_test

import (
	"testing"

	"apitoken/events/issuer/listtest"
	"apitoken/infra/dynamo"
)

// TestFilteredListsEqualTheModel, from heads and from both indexes.
func TestFilteredListsEqualTheModel(t *testing.T) {
	c := client(t)
	listtest.Run(t, dynamo.New(c, newTable(t, c)), keys, 120, 150)
}
