package events

import "time"

// Refusal is the rules saying no. It is an answer for whoever asked, not a
// fault: Code is for programs, Detail is a sentence for people, in the words
// of the API, and holds no secret.
type Refusal struct {
	Code   string
	Field  string // the request member at fault, if one is
	Detail string
	Limit  *LimitReached // with token_limit_reached only
}

// LimitReached says what a refused create ran into.
type LimitReached struct {
	TokenLimit    int
	Live          int
	SoonestExpiry time.Time // zero: none of the live tokens expires
}

func (r *Refusal) Error() string { return r.Detail }
