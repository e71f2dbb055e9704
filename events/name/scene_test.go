package name

import (
	"errors"
	"testing"

	"apitoken/events"
)

// refusal returns the error as a refusal. The test stops unless the code is
// invalid_field and the refusal has a detail.
func refusal(t testing.TB, err error) *events.Refusal {
	t.Helper()
	r, ok := errors.AsType[*events.Refusal](err)
	if !ok || r.Code != CodeInvalidField || r.Detail == "" {
		t.Fatalf("got %v, want a refusal with code %s and a detail", err, CodeInvalidField)
	}
	return r
}
