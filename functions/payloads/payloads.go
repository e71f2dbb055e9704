// Package payloads has samples of the events that AWS sends to Lambda functions:
// requests of API Gateway, questions to an authorizer, batches of a stream and
// of a queue, and the schedule. The tests use them, and people send them with
// `sam local invoke`. The functions do not link this package.
package payloads

import (
	"embed"
	"io/fs"
	"strings"
	"testing"
)

//go:embed *.json
var files embed.FS

// Read returns the payload NAME.json. It fails the test if there is none.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := files.ReadFile(name + ".json")
	if err != nil {
		t.Fatalf("reading the payload %s: %v", name, err)
	}
	return b
}

// Names returns the sorted names of the payloads that match a pattern of
// path.Match. It fails the test if there is none.
func Names(t testing.TB, pattern string) (names []string) {
	t.Helper()
	found, err := fs.Glob(files, pattern+".json")
	if err != nil || len(found) == 0 {
		t.Fatalf("payloads %s: %v, %d found", pattern, err, len(found))
	}
	for _, name := range found {
		names = append(names, strings.TrimSuffix(name, ".json"))
	}
	return names
}
