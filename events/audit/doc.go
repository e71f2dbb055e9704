// Package audit judges the second copy of every published event, which is kept
// apart from the log, and reports where the log and the copies disagree.
//
// The hash chain alone does not prove that a log is complete. A person with
// write access to the log could cut off its end, or restore an older state of
// it, and the chain would still be complete. The copies show such a change: one function keeps
// them in a place that no other function may write, and they never change.
//
// Auditor.Take judges an event when it arrives, Auditor.Overdue finds events
// that never arrived, and Compare compares a stream's copies with the log. An
// event is stored before it is judged, so the evidence exists when the alarm is
// raised. Where the copies are stored is left to the adapters.
package audit
