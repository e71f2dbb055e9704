package token

import (
	"fmt"
	"time"

	"apitoken/events"
	"apitoken/events/instant"
	"apitoken/events/name"
)

// The codes of the refusals of this package.
const (
	CodeInvalidField     = name.CodeInvalidField
	CodePermissionDenied = "permission_denied"
	CodeDeniedByOwner    = "permission_denied_by_owner"
	CodeNotFound         = "not_found"
	CodeNotFoundRevoked  = "not_found_revoked"
	CodeLimitReached     = "token_limit_reached"
	CodeRateExceeded     = "change_rate_exceeded"
	CodeExpiryTooLate    = "expiry_exceeds_maximum"
	CodeExpiryInPast     = "expiry_in_past"
	CodeExpiryOutlives   = "expiry_outlives_maker"
	CodeScopeExceeds     = "scope_exceeds_maker"
	CodeSourceIPsExceed  = "source_ips_exceed_maker"
	CodeStateTooLarge    = "state_too_large"
	CodeEnded            = "token_ended"
	CodeUserSuspended    = "user_suspended"
	CodeVersionConflict  = "version_conflict"
	CodeGraceTooShort    = "grace_too_short"
	CodeRotatedRecently  = "rotated_recently"
	CodeSelfSuspension   = "self_suspension"
	CodeLastEditHolder   = "last_edit_holder"
	CodeHistoryTrimmed   = "history_trimmed"
	CodeInstantInFuture  = "instant_in_future"

	CodeDeniedByCredential = "permission_denied_by_credential"
)

// The members of a request, as refusals name them.
const (
	fieldUser           = "user"
	fieldName           = "name"
	fieldDescription    = "description"
	fieldExpirationTime = "expiration_time"
	fieldExpiresIn      = "expires_in"
	fieldScopes         = "scopes"
	fieldSourceIPs      = "source_ips"
	fieldGrace          = "grace"
	fieldReason         = "reason"
	fieldTokenLimit     = "token_limit"
	fieldAt             = "at"
)

// NotFound is the refusal for a token that does not exist, that is past its
// retention, or that the caller may not see. All three have the same text, so
// that an answer does not reveal which case it is.
func NotFound() *events.Refusal {
	return &events.Refusal{Code: CodeNotFound, Detail: "there is no such token"}
}

// NotFoundRevoked is the refusal for a revoked token that the caller may see.
func NotFoundRevoked(at time.Time) *events.Refusal {
	return &events.Refusal{Code: CodeNotFoundRevoked, Detail: "the token is revoked; its history and lists of revoked tokens still show it", EndedAt: at}
}

// Ended is the refusal of a command that changes an expired token. For a revoked
// token it is NotFoundRevoked.
func Ended(at time.Time) *events.Refusal {
	return &events.Refusal{Code: CodeEnded, Detail: "the token expired at " + instant.Format(at) + "; an ended token cannot be changed", EndedAt: at}
}

// VersionConflict is the refusal of a command that was given for another state of the
// token.
func VersionConflict() *events.Refusal {
	return refuse(CodeVersionConflict, "", "the token has changed since you read it; read it again, and decide again")
}

// NotInState is the refusal for a token that the caller may see, but that is in
// none of the states that the caller asked for.
func NotInState() *events.Refusal {
	return &events.Refusal{Code: CodeNotFound, Field: "state", Detail: "the token is in none of these states"}
}

// NotYet is the refusal for an instant before the creation of a token that the
// caller may see.
func NotYet(created time.Time) *events.Refusal {
	return refuse(CodeNotFound, fieldAt, "there was no such token at this instant; it was created at %s", instant.Format(created))
}

// InFuture is the refusal for the state of a token at a later instant than now.
func InFuture(now time.Time) *events.Refusal {
	return refuse(CodeInstantInFuture, fieldAt, "the instant is in the future; the clock of the service is at %s", instant.Format(now))
}

// HistoryTrimmed is the refusal for an instant before from, the first instant for
// which the records say the state of the token.
func HistoryTrimmed(from time.Time) *events.Refusal {
	r := refuse(CodeHistoryTrimmed, fieldAt, "the records that are kept and read do not say the state of the token at this instant; the first instant that can be asked is %s", instant.Format(from))
	r.FirstInstant = from
	return r
}

func refuse(code, field, format string, args ...any) *events.Refusal {
	return &events.Refusal{Code: code, Field: field, Detail: fmt.Sprintf(format, args...)}
}

func invalid(field, format string, args ...any) *events.Refusal {
	return refuse(CodeInvalidField, field, format, args...)
}
