package template_test

import (
	"testing"

	"apitoken/functions/wiring"
	"apitoken/functions/wiring/api"
	"apitoken/infra/sam/template"
)

// eachFunction runs a test for every function of the service, with what the
// function does and its resource.
func eachFunction(t *testing.T, all object, test func(t *testing.T, job wiring.Job, f object)) {
	t.Helper()
	deployed := functions(t, all)
	for _, job := range api.Jobs() {
		t.Run(job.Function, func(t *testing.T) {
			f := deployed[job.Function]
			if f == nil {
				t.Fatalf("template.yaml has no %s", template.Logical(job.Function, "Function"))
			}
			test(t, job, f)
		})
	}
}

// Which functions a variable, a right or an alarm is for.

func none(wiring.Job) bool            { return false }
func answers(j wiring.Job) bool       { return j.HTTP() }
func authorized(j wiring.Job) bool    { return j.Guarded && !j.Direct }
func commands(j wiring.Job) bool      { return j.Command }
func mints(j wiring.Job) bool         { return j.Mints }
func replays(j wiring.Job) bool       { return j.Replays }
func checks(j wiring.Job) bool        { return j.Checks }
func authorizes(j wiring.Job) bool    { return j.Authorizes }
func carries(j wiring.Job) bool       { return j.Carries }
func publishes(j wiring.Job) bool     { return j.Carries || j.Events || j.Named }
func knowsAddress(j wiring.Job) bool  { return j.Direct || j.Open || j.Pages }
func opensSessions(j wiring.Job) bool { return j.Open && j.Mints }
func keepsCopies(j wiring.Job) bool   { return j.Copies }
func usesCopies(j wiring.Job) bool    { return j.Copies || j.Verifies }
func verifies(j wiring.Job) bool      { return j.Verifies }
func scans(j wiring.Job) bool         { return j.Verifies || j.Walks }
func readsTheLog(j wiring.Job) bool   { return !j.Copies && !j.Pages }
func hasPeppers(j wiring.Job) bool    { return j.Need()&wiring.Peppers != 0 }
func background(j wiring.Job) bool    { return !j.HTTP() && !j.Authorizes && !j.Pages }
func puts(j wiring.Job) bool          { return commands(j) || checks(j) }
func updates(j wiring.Job) bool       { return j.Checks || j.Carries || j.Sweeps }
func readsStreams(j wiring.Job) bool  { return j.Command || j.Checks || j.Verifies }
