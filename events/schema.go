package events

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
)

// Schemas has schemas/TYPE.vN.json: the JSON Schema (draft 2020-12) of the data
// of each published event, for every version that was ever written.
//
//go:embed schemas
var Schemas embed.FS

// SchemaID is the URN of the schema of one version of an event's data. It is the
// schema's $id and the event's "dataschema".
func SchemaID(kind string, v int) string { return fmt.Sprintf("urn:apitoken:event:%s:%d", kind, v) }

// versionOf is the version at the end of a schema's URN, 0 if there is none.
func versionOf(schemaID string) int {
	v, err := strconv.Atoi(schemaID[strings.LastIndexByte(schemaID, ':')+1:])
	if err != nil {
		return 0
	}
	return v
}
