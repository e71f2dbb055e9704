package httpapi_test

import (
	"strings"
	"testing"

	"apitoken/cmd/readme/readmetest"
	"apitoken/functions/httpapi"
)

// TestREADMEHasEveryCall compares the README's table of calls with the routes.
// A path answers with and without a slash at its end, so the slash is ignored.
func TestREADMEHasEveryCall(t *testing.T) {
	table := readmetest.Names(t, "call")
	for i := range table {
		table[i].Text = strings.TrimSuffix(table[i].Text, "/")
	}
	var calls []string
	for _, r := range httpapi.Routes() {
		calls = append(calls, r.Method+" "+r.Path)
	}
	readmetest.Compare(t, "call", table, calls)
}
