package wiring

import (
	"fmt"
	"slices"
	"time"
)

// Job is what one Lambda function does. Its settings and the IAM rights of its
// role follow from it: Need computes what the function cannot start without,
// and tests compare template.yaml with the jobs. wiring/api computes the job of
// a function that answers HTTP calls from its routes; Jobs has all others.
type Job struct {
	Function string // its folder in functions/

	Guarded    bool // it answers HTTP calls that need a credential
	Open       bool // it answers HTTP calls that need none
	Command    bool // it writes the log
	Mints      bool // it makes secrets, with the deployment's prefix
	Checks     bool // it checks tokens itself, and notes their use
	Authorizes bool // API Gateway asks it whether a call may pass
	Carries    bool // it puts the messages of the outbox on the bus
	Copies     bool // it keeps the copies of events, and has neither the log nor a pepper

	Every time.Duration // between two runs by the clock; 0: the clock does not run it
}

// Jobs are the functions that answer no HTTP call.
func Jobs() []Job {
	return []Job{
		{Function: "authorize", Authorizes: true, Checks: true},
		{Function: "publish", Carries: true},
		{Function: "reconcile", Carries: true, Every: 5 * time.Minute},
		{Function: "audit", Copies: true, Every: 5 * time.Minute},
	}
}

// jobOf is a function's row of Jobs. A name without a row is a fault of
// the program and panics.
func jobOf(function string) Job {
	all := Jobs()
	i := slices.IndexFunc(all, func(j Job) bool { return j.Function == function })
	if i < 0 {
		panic(fmt.Sprintf("wiring: no row of Jobs is about a function %q", function))
	}
	return all[i]
}

// HTTP says whether the function answers HTTP calls.
func (j Job) HTTP() bool { return j.Guarded || j.Open }

// Need is what the function cannot start without, beside a table. Peppers are
// for functions that verify a token or seal what they write.
func (j Job) Need() (need Need) {
	if j.Guarded || j.Command || j.Checks {
		need |= Peppers
	}
	if j.Carries {
		need |= Bus
	}
	return need
}
