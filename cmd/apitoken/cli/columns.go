package cli

import (
	"slices"
	"strings"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// column is a column of list, and a field of show. head names it in tables, and name in
// the formats for programs, "" if it is only in tables.
type column struct {
	head, name string
	cell       func(httpapi.Entry) any
}

// label is the name of the column in an output format.
func (c column) label(output string) string {
	if output == "table" {
		return c.head
	}
	return c.name
}

var (
	idColumn           = column{"ID", "id", func(e httpapi.Entry) any { return e.ID }}
	kindColumn         = column{"Kind", "kind", func(e httpapi.Entry) any { return e.Kind }}
	nameColumn         = column{"Name", "name", func(e httpapi.Entry) any { return e.Name }}
	descriptionColumn  = column{"Description", "description", func(e httpapi.Entry) any { return e.Description }}
	ownerColumn        = column{"Owner", "owner", func(e httpapi.Entry) any { return ownerOf(e.User) }}
	creatorColumn      = column{"Creator", "creator", func(e httpapi.Entry) any { return ownerOf(e.Creator) }}
	stateColumn        = column{"State", "state", func(e httpapi.Entry) any { return console.State(e.State) }}
	createdColumn      = column{"Created", "created", func(e httpapi.Entry) any { return e.CreationTime.Time }}
	expiryColumn       = column{"Expiry-date", "expires", func(e httpapi.Entry) any { return console.Expiry(e.ExpirationTime.Time) }}
	endedColumn        = column{"Ended", "ended", func(e httpapi.Entry) any { return e.EndedTime.Time }}
	previousColumn     = column{"Previous-secret-until", "previous secret until", func(e httpapi.Entry) any { return e.PreviousSecretUntil.Time }}
	lastUsedColumn     = column{"Last-used", "last used", func(e httpapi.Entry) any { return e.LastUsed.Time }}
	lastUsedFromColumn = column{"Last-used-from", "last used from", func(e httpapi.Entry) any { return e.LastUsedAddress }}
	revokedColumn      = column{"Revoked", "", func(e httpapi.Entry) any { return console.Revoked(isRevoked(e)) }}
	revocationColumn   = column{"Revocation-time", "", func(e httpapi.Entry) any { return revocationTime(e) }}
	scopesColumn       = column{"Scopes", "scopes", func(e httpapi.Entry) any { return strings.Join(e.Scopes, ", ") }}
	rangesColumn       = column{"Source-ranges", "source ranges", func(e httpapi.Entry) any { return rangesOf(e) }}
	etagColumn         = column{"Etag", "etag", func(e httpapi.Entry) any { return e.ETag }}
)

// vastColumns are the columns of VAST's commands apitoken list and apitoken show
// (kb.vastdata.com, "apitoken list"). An expired token is not revoked there.
var vastColumns = []column{idColumn, nameColumn, ownerColumn, expiryColumn, lastUsedColumn, revokedColumn, revocationColumn}

// wideColumns are the columns of list --wide, and wideFields the fields of show --wide.
var (
	wideColumns = slices.Concat(vastColumns, []column{stateColumn, createdColumn, creatorColumn, scopesColumn, rangesColumn, descriptionColumn})
	wideFields  = slices.Concat(wideColumns, []column{kindColumn, endedColumn, previousColumn, lastUsedFromColumn, etagColumn})
)

// The columns and fields of the formats for programs. A new column may only come after
// the last one, because scripts count them.
var (
	allColumns = []column{
		idColumn, nameColumn, ownerColumn, stateColumn, createdColumn, expiryColumn, lastUsedColumn,
		endedColumn, creatorColumn, scopesColumn, rangesColumn, descriptionColumn,
	}
	allFields = []column{
		idColumn, kindColumn, nameColumn, descriptionColumn, ownerColumn, creatorColumn, stateColumn,
		createdColumn, expiryColumn, endedColumn, previousColumn, lastUsedColumn, lastUsedFromColumn,
		scopesColumn, rangesColumn, etagColumn,
	}
)

func isRevoked(e httpapi.Entry) bool { return e.State == "revoked" }

func revocationTime(e httpapi.Entry) time.Time {
	if !isRevoked(e) {
		return time.Time{}
	}
	return e.EndedTime.Time
}

func rangesOf(e httpapi.Entry) string {
	var ranges []string
	for _, p := range e.SourceIPs {
		ranges = append(ranges, p.String())
	}
	return strings.Join(ranges, ", ")
}

// tableOf is the table of entries, one row for each, with the columns' labels for the
// output.
func tableOf(entries []httpapi.Entry, columns []column, output string) (t console.Table) {
	for _, c := range columns {
		t.Heads = append(t.Heads, c.label(output))
	}
	for _, entry := range entries {
		var row []any
		for _, c := range columns {
			row = append(row, c.cell(entry))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
