package wiring

import (
	"testing"

	"apitoken/cmd/readme/readmetest"
)

// TestREADMEHasEveryVariableOfTheFunctions compares the README's table with the
// environment variables that the code of the functions reads.
func TestREADMEHasEveryVariableOfTheFunctions(t *testing.T) {
	const header = "a function reads"
	readmetest.Compare(t, header, readmetest.Names(t, header), readmetest.Variables(t, "functions", "infra", "events"))
}
