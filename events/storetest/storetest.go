// Package storetest states the promises of the ports in package events, once,
// as tests that run on every store, and has a double that fails as real stores
// do.
//
// The suite is honest towards stores that many tests share and whose lists lag
// behind: every check makes up its own streams, tokens and replies, looks at
// nothing else, and asks again for a while where a port allows a lag. Whatever
// a port promises at once is asked once.
package storetest

import (
	"testing"

	"apitoken/events"
)

// check is one promise. It reports through testing.TB so that the suite itself
// can be tested.
type check struct {
	name string
	run  func(testing.TB, events.Store)
}

var checks = []check{
	{"AnUnknownStreamIsEmpty", unknownIsEmpty},
	{"ACommitIsReadBackAsItWasWritten", commitIsReadBack},
	{"ValuesAtTheirCapsAreReadBack", capsAreReadBack},
	{"OwnersAreToldApart", ownersAreToldApart},
	{"AStaleCommitConflicts", staleConflicts},
	{"RacingWritersHaveOneWinnerForEachVersion", oneWinner},
	{"RacingWritersMintAnIDOnce", oneMint},
	{"ATakenIDWritesNothing", takenIDWritesNothing},
	{"AnExistingReplyWritesNothing", existingReplyWritesNothing},
	{"AConflictWinsOverATakenID", conflictWins},
	{"ACancelledContextWritesNothing", cancelledWritesNothing},
	{"AnUnansweredCommitIsRecognised", unansweredIsRecognised},
	{"AnUnappliedCommitIsRecognised", unappliedIsRecognised},
	{"ALateCommitIsRecognised", lateIsRecognised},
	{"ALateCommitDoesNotOvertake", lateDoesNotOvertake},
	{"WhatIsReturnedIsTheCallersOwn", returnedIsOwn},
	{"LongHistoriesComeBackWhole", longHistories},
	{"ListsAreInOrder", listsAreInOrder},
	{"ListsTakeOwnersAndStates", listsTakeOwnersAndStates},
	{"ACursorStaysRight", cursorStaysRight},
	{"UsesAreKeptEveryFifteenMinutes", usesAreKept},
	{"AUseBringsNoTokenIntoBeing", useBringsNothing},
	{"AUseOutlivesACommit", useOutlivesCommit},
	{"TheOutboxHoldsWhatIsNotSent", outboxHolds},
	{"TheOutboxKeepsEachStreamsOrder", outboxKeepsOrder},
	{"TheOutboxGivesWhatIsOlder", outboxGivesOlder},
	{"ANoticeIsPutOnce", noticeOnce},
}

// Run runs the suite. open gives the store for one check; it may give the same
// one each time.
func Run(t *testing.T, open func(*testing.T) events.Store) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}
