// Package compare compares what a store has with the copies of its events: the
// log, the heads and the views of tokens. It finds what a writer of the store can
// do without the peppers: put back a whole older view or head, or delete items.
//
// Comparison.Stream compares one stream: the events of the log with the copies,
// the head with the last event, and the view of each token that an event names
// with the events about this token. The expected view is computed by the rules of
// package token, so a new fact needs no code here. Comparison.View finds the view
// of a token that no copy names.
//
// Peppers are not necessary. With them, a comparison also checks the seals of
// heads and views, and the MACs of records and copies. Without them it does not
// compare the verifier of a view, which no event has.
//
// A comparison may run while the store is written. An event and its view are
// committed together, and the copy is made later. So a difference is a finding
// only if a second look at the head shows no newer event about it.
//
// An item that cannot be decoded is a finding, and the comparison continues after
// it. An error means that the comparison is not complete.
package compare
