package events

import "strings"

// Stream is the name of one log: of one owner's tokens, of one owner's sessions, or
// of the settings.
type Stream string

// SettingsStream is the log of limits, lifetimes and permissions.
const SettingsStream Stream = "settings"

// StreamKind says what a stream is the log of. It is the part of the stream's
// name before the first slash.
type StreamKind string

// The kinds of streams.
const (
	UserStreams     StreamKind = "user"     // one for each owner of tokens
	SessionStreams  StreamKind = "session"  // one for each owner of sessions
	SettingsStreams StreamKind = "settings" // only SettingsStream
)

const (
	userStream    = string(UserStreams) + "/"
	sessionStream = string(SessionStreams) + "/"
)

// UserStream is the log of one owner's tokens. The owner is given by the owner
// key.
func UserStream(owner string) Stream { return Stream(userStream + owner) }

// SessionStream is the log of one owner's sessions. The owner is given by the owner
// key.
func SessionStream(owner string) Stream { return Stream(sessionStream + owner) }

// Owner returns the owner key of the stream, and false for the settings. A stream of
// tokens and a stream of sessions may have the same owner; Kind tells them apart.
func (s Stream) Owner() (string, bool) {
	if owner, ok := strings.CutPrefix(string(s), userStream); ok {
		return owner, true
	}
	return strings.CutPrefix(string(s), sessionStream)
}

// Kind is the kind of the stream.
func (s Stream) Kind() StreamKind {
	kind, _, _ := strings.Cut(string(s), "/")
	return StreamKind(kind)
}
