// Package storetest states the promises of the ports in package events as one
// suite of tests. Every store runs it. The package also has Faulty, a store that
// fails in the ways of real stores.
//
// The suite also works on a store that many tests share and with lists that
// lag. Every check makes its own streams, tokens and replies and ignores all
// others. If a port may lag, a check repeats its read until the write is visible,
// for maxLag at most. Otherwise it reads once. A promise that only one store
// makes is tested with that store.
package storetest

import (
	"testing"

	"apitoken/events"
)

// check is the test of one promise. It reports through testing.TB, so that the
// suite itself can be tested.
type check struct {
	name string
	run  func(testing.TB, events.Store)
}

var checks = []check{
	{"AnUnknownStreamIsEmpty", unknownIsEmpty},
	{"ACommitIsReadBackAsItWasWritten", commitIsReadBack},
	{"ValuesAtTheirCapsAreReadBack", capsAreReadBack},
	{"SimilarOwnersAreNotMixedUp", similarOwnersAreNotMixedUp},
	{"AStaleCommitConflicts", staleConflicts},
	{"RacingWritersHaveOneWinnerForEachVersion", oneWinner},
	{"RacingWritersMintAnIDOnce", oneMint},
	{"ATakenIDWritesNothing", takenIDWritesNothing},
	{"AnExistingReplyWritesNothing", existingReplyWritesNothing},
	{"OnlyTheExpiredReplyIsReplaced", expiredReplyIsReplaced},
	{"AConflictWinsOverATakenID", conflictWins},
	{"ACancelledContextWritesNothing", cancelledWritesNothing},
	{"AnUnansweredCommitIsRecognised", unansweredIsRecognised},
	{"AnUnappliedCommitIsRecognised", unappliedIsRecognised},
	{"ALateCommitIsRecognised", lateIsRecognised},
	{"ALateCommitDoesNotOvertake", lateDoesNotOvertake},
	{"ReturnedValuesBelongToTheCaller", returnedBelongsToCaller},
	{"LongHistoriesAreComplete", longHistoriesAreComplete},
	{"AWalkReturnsEachRecordOnce", walkReturnsEachRecordOnce},
	{"AWalkGoesOnWhileStreamsChange", walkGoesOnDuringChanges},
	{"AWalkLosesNothingBesideWriters", walkLosesNothingBesideWriters},
	{"AWalkReturnsARecordThatCannotBeDecodedAsDamaged", walkReturnsDamaged},
	{"APlaceOfAnotherStoreIsRefused", otherPlacesAreRefused},
	{"AStoredHeadOfVersionZeroIsAFault", headOfVersionZeroIsAFault},
	{"AMissingHeadWhereRecordsExistIsAFault", missingHeadIsAFault},
	{"ARecordThatCannotBeDecodedIsADamagedRecord", damagedRecordIsReturned},
	{"NoRecordIsOverwritten", noRecordIsOverwritten},
	{"ANewerRecordIsRemovedOnlyIfNothingChanged", newerRecordsAreRemoved},
	{"AnUndecodableNewerRecordIsReturned", undecodableRecordsAreReturned},
	{"AHeadAdvancesOnlyFromItsBase", headAdvances},
	{"ListsHaveSealedViews", listsHaveSealedViews},
	{"ListsAreInOrder", listsAreInOrder},
	{"ListsAreFilteredByOwnerAndState", listsAreFiltered},
	{"ACursorStaysValidWhileTokensChange", cursorStaysValid},
	{"TokensOfManyMonthsAreListedOnce", monthsAreListed},
	{"PagesNameOnlyTokensOfTheirOwners", pagesNameOnlyTheirOwners},
	{"AListFollowsEveryChangeOfState", statesFollowEachCommit},
	{"ExpiringTokensAreFoundByTheirExpiry", expiringAreFound},
	{"ExpiriesFollowEveryChangeOfAToken", expiriesFollow},
	{"ExpiringTokensComeInPages", expiringInPages},
	{"ANoteOfAWarningLastsUntilTheNextChange", noteLasts},
	{"TokensAndSessionsOfOneOwnerAreApart", sessionsAreApart},
	{"TheEndOfASessionIsSeenEverywhere", sessionsEnd},
	{"OnlySessionsPastTheirRetentionAreRemoved", sessionsAreCollected},
	{"AUseIsStoredEveryFifteenMinutes", useIsStored},
	{"AUseCreatesNoToken", useCreatesNoToken},
	{"AUseThatCannotBeDecodedIsLeftOut", damagedUseIsLeftOut},
	{"AUseThatCannotBeDecodedRefusesNoToken", damagedUseRefusesNothing},
	{"ACommitKeepsTheUse", commitKeepsUse},
	{"TheOutboxHasTheUnsentMessages", outboxHasUnsent},
	{"TheOutboxKeepsEachStreamsOrder", outboxKeepsOrder},
	{"TheOutboxReturnsOlderMessagesOnly", outboxReturnsOlder},
	{"AMessageThatCannotBeReadDelaysOnlyItsStream", unreadDelaysOnlyItsStream},
	{"ANoticeIsPutOnce", noticeOnce},
	{"ANoticeIsPutOnceByRacingWriters", noticeOnceInRace},
	{"ALogLosesOnlyItsBeginningAndNoHead", onlyTheBeginningIsCollected},
	{"OnlyViewsPastTheirRetentionAreRemoved", onlyGoneViewsAreCollected},
	{"OnlyRepliesThatAreNoLongerValidAreRemoved", onlyOldRepliesAreCollected},
	{"OnlyNoticesThatMayBePutAgainAreRemoved", onlyOldNoticesAreCollected},
}

// Run runs the suite. open returns the store for one check; it may return the
// same store each time. The store must implement Attacker, events.Repairs and
// events.Collector.
func Run(t *testing.T, open func(*testing.T) events.Store) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}
