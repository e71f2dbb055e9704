package cli

import (
	"slices"
	"strings"
	"time"

	"apitoken/cmd/apitoken/console"
	"apitoken/functions/httpapi"
)

// column is a column of list, and a field of show.
type column struct {
	head string
	cell func(httpapi.Entry) any
}

// vastColumns are the columns of VAST's commands apitoken list and apitoken show
// (kb.vastdata.com, "apitoken list"). An expired token is not revoked there.
var vastColumns = []column{
	{"ID", func(e httpapi.Entry) any { return e.ID }},
	{"Name", func(e httpapi.Entry) any { return e.Name }},
	{"Owner", func(e httpapi.Entry) any { return ownerOf(e.User) }},
	{"Expiry-date", func(e httpapi.Entry) any { return console.Expiry(e.ExpirationTime.Time) }},
	{"Last-used", func(e httpapi.Entry) any { return e.LastUsed.Time }},
	{"Revoked", func(e httpapi.Entry) any { return console.Revoked(isRevoked(e)) }},
	{"Revocation-time", func(e httpapi.Entry) any { return revocationTime(e) }},
}

// moreColumns are those that --wide adds to the table of list.
var moreColumns = []column{
	{"State", func(e httpapi.Entry) any { return console.State(e.State) }},
	{"Created", func(e httpapi.Entry) any { return e.CreationTime.Time }},
	{"Creator", func(e httpapi.Entry) any { return ownerOf(e.Creator) }},
	{"Scopes", func(e httpapi.Entry) any { return strings.Join(e.Scopes, ", ") }},
	{"Source-ranges", func(e httpapi.Entry) any { return rangesOf(e) }},
	{"Description", func(e httpapi.Entry) any { return e.Description }},
}

// moreFields are those that --wide adds to the table of show.
var moreFields = []column{
	{"Kind", func(e httpapi.Entry) any { return e.Kind }},
	{"Ended", func(e httpapi.Entry) any { return e.EndedTime.Time }},
	{"Previous-secret-until", func(e httpapi.Entry) any { return e.PreviousSecretUntil.Time }},
	{"Last-used-from", func(e httpapi.Entry) any { return e.LastUsedAddress }},
	{"Etag", func(e httpapi.Entry) any { return e.ETag }},
}

var wideColumns = slices.Concat(vastColumns, moreColumns)

// allColumns are the columns of the formats for programs. New ones may only come after
// the last one, because scripts count them.
var allColumns = []column{
	{"id", func(e httpapi.Entry) any { return e.ID }},
	{"name", func(e httpapi.Entry) any { return e.Name }},
	{"owner", func(e httpapi.Entry) any { return ownerOf(e.User) }},
	{"state", func(e httpapi.Entry) any { return console.State(e.State) }},
	{"created", func(e httpapi.Entry) any { return e.CreationTime.Time }},
	{"expires", func(e httpapi.Entry) any { return e.ExpirationTime.Time }},
	{"last used", func(e httpapi.Entry) any { return e.LastUsed.Time }},
	{"ended", func(e httpapi.Entry) any { return e.EndedTime.Time }},
	{"creator", func(e httpapi.Entry) any { return ownerOf(e.Creator) }},
	{"scopes", func(e httpapi.Entry) any { return strings.Join(e.Scopes, ", ") }},
	{"source ranges", func(e httpapi.Entry) any { return rangesOf(e) }},
	{"description", func(e httpapi.Entry) any { return e.Description }},
}

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
