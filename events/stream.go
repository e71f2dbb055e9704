package events

import "strings"

// Stream names one log: an owner's, or the settings'.
type Stream string

// SettingsStream is the log of limits, lifetimes and permissions.
const SettingsStream Stream = "settings"

const userStream = "user/"

// UserStream names the log of one owner, given by the owner's key.
func UserStream(owner string) Stream { return Stream(userStream + owner) }

// Owner is the key of the stream's owner, and false for the settings.
func (s Stream) Owner() (string, bool) { return strings.CutPrefix(string(s), userStream) }
