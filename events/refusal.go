package events

import "time"

// Refusal is the answer when the rules say no. It is not a fault. Code is for
// programs. Detail is a sentence for people in the words of the API, and has no
// secret.
type Refusal struct {
	Code   string
	Field  string // the request member that is wrong, if any
	Detail string
	Limit  *LimitReached // with token_limit_reached only

	EndedAt time.Time // when the token ended, with not_found_revoked and token_ended only

	FirstInstant time.Time // the first instant that can be asked, with history_trimmed only

	// RetryAt is the time when the same command may succeed. It is zero except
	// with change_rate_exceeded, where it is the end of the hour.
	RetryAt time.Time
}

// LimitReached explains a create that was refused because of the limit.
type LimitReached struct {
	TokenLimit    int
	Live          int
	SoonestExpiry time.Time // zero: none of the live tokens expires
}

func (r *Refusal) Error() string { return r.Detail }
