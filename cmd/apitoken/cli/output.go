package cli

import (
	"apitoken/cmd/apitoken/console"
	"apitoken/events/name"
)

// ownerOf is an identity in the form of --owner, or "?" if it has no owner key.
func ownerOf(i name.Identity) string {
	key, err := i.Key()
	if err != nil {
		return "?"
	}
	return console.Plain(key)
}
