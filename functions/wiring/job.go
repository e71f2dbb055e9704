package wiring

import (
	"fmt"
	"slices"
	"time"
)

// Job describes the work of one Lambda function. The function's settings and the
// IAM rights of its role follow from the job: Need computes the required
// settings, and tests compare template.yaml with the jobs. Package wiring/api
// computes the job of a function that answers HTTP calls from its routes. Jobs
// has all other functions.
type Job struct {
	Function string // the name of its folder in functions/

	Guarded    bool // it answers HTTP calls that need a credential
	Open       bool // it answers HTTP calls that need no credential
	Command    bool // it writes to the log
	Mints      bool // it makes secrets, with the deployment's prefix
	Replays    bool // it stores answers, encrypted, and answers repeated requests with them
	Direct     bool // no authorizer of a gateway runs before it: it checks credentials itself
	Checks     bool // it checks tokens itself, and stores their use
	Authorizes bool // API Gateway asks it whether a call may pass
	Events     bool // its answers contain events, in the form in which they are published
	Named      bool // its answers name the deployment
	Walks      bool // it reads all streams of the log, a part with each call
	Carries    bool // it puts the messages of the outbox on the bus
	Copies     bool // it stores the copies of events, and has access to neither the log nor a pepper
	Sweeps     bool // it records expiries, puts warnings into the outbox and notes them
	Pages      bool // it answers browsers and calls the API over HTTPS: it has access to neither the log nor a pepper
	Verifies   bool // it compares the log and the views with the copies, writes nothing and has no pepper

	Every time.Duration // between two scheduled runs; 0: it has no schedule
}

// Jobs are the functions that answer no call of the API.
func Jobs() []Job {
	return []Job{
		{Function: "authorize", Authorizes: true, Checks: true},
		{Function: "publish", Carries: true},
		{Function: "reconcile", Carries: true, Every: 5 * time.Minute},
		{Function: "expire", Command: true, Sweeps: true, Every: time.Hour},
		{Function: "audit", Copies: true, Every: 5 * time.Minute},
		{Function: "verify", Verifies: true, Every: 24 * time.Hour},
		{Function: "page", Pages: true},
	}
}

// jobOf returns a function's row of Jobs. A name without a row is an error in the
// program and panics.
func jobOf(function string) Job {
	all := Jobs()
	i := slices.IndexFunc(all, func(j Job) bool { return j.Function == function })
	if i < 0 {
		panic(fmt.Sprintf("wiring: no row of Jobs is about a function %q", function))
	}
	return all[i]
}

// HTTP reports whether the function answers HTTP calls.
func (j Job) HTTP() bool { return j.Guarded || j.Open }

// Need returns the settings that the function requires, besides a table. A
// function needs peppers to verify tokens, or to seal the heads that it writes. It
// needs the deployment to publish events or to answer them, and to name it.
func (j Job) Need() (need Need) {
	if j.Guarded || j.Command || j.Checks {
		need |= Peppers
	}
	if j.Carries {
		need |= Bus
	}
	if j.Carries || j.Events || j.Named {
		need |= Deployment
	}
	return need
}
