package secret_test

import (
	"errors"
	"fmt"

	"apitoken/events/secret"
)

// Parse reads a token and finds typing errors without a read of the store. The
// secret part prints as redacted.
func ExampleParse() {
	t, err := secret.Parse("corp_JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2F")
	fmt.Println(t.Prefix, t.ID, t.Secret, err)

	_, err = secret.Parse("JhxND7ci.AWrRmHXRtbcjUSCANl9KLrxRT61W6m2f") // the last letter is wrong
	fmt.Println(errors.Is(err, secret.ErrChecksum))

	_, err = secret.Parse("not a token")
	fmt.Println(errors.Is(err, secret.ErrMalformed))
	// Output:
	// corp JhxND7ci [redacted] <nil>
	// true
	// true
}
