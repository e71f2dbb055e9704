package dynamo_test

import (
	"errors"
	"testing"

	"apitoken/events"
	"apitoken/infra/awsenv/awsenvtest"
	"apitoken/infra/dynamo"
)

// TestAConnectionThatAWSHasClosedCostsLittle: AWS closes idle connections, and a
// frozen sandbox does not see that. The next caller must not wait for it.
func TestAConnectionThatAWSHasClosedCostsLittle(t *testing.T) {
	d := awsenvtest.NewDrops(t, "application/x-amz-json-1.0", `{"Count":0,"Items":[],"ScannedCount":0}`)
	store := dynamo.New(clientAt(t, d.URL), "tokens")
	d.ExpectLittle(t, func() error {
		_, _, err := store.Token(t.Context(), "JhxND7ci")
		if errors.Is(err, events.ErrNotFound) {
			return nil
		}
		return err
	})
}
