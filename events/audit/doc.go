// Package audit keeps a second copy of every published event, apart from the
// log, and says where the two disagree.
//
// The hash chain shows that a history was changed, but somebody who may write
// the log could cut its end off or put an older state of it back, and the
// chain would still be whole. The copies show that: they are kept by their own
// function in a place that nobody else may write, and are never changed.
//
// Take judges an event when it arrives, Overdue finds what never arrived, and
// Compare holds a stream's copies against the log itself. An event is kept
// before it is judged, so that the evidence is there when the alarm is raised.
package audit
