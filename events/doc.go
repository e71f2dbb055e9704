// Package events is the log: the facts that can happen, the records and the
// hash chain that keep them, the commits that add to them, and the ports
// through which they are kept and carried.
//
// It knows what can happen and nothing about when it may: the rules are in
// events/token and events/settings. It imports the standard library only, so
// that whoever verifies a history needs no more than this package.
//
// Every owner has a stream of records, and the settings have one. A stream's
// head says where it stands and holds its folded state, sealed. A command
// reads a head, decides, and writes records and head in one commit that
// succeeds only if the head is still the one that was read; this single
// condition carries both the order of the records and every limit.
package events
