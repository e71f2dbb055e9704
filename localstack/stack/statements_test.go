package stack_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/wiring/api"
	"apitoken/infra/sam/template"
	"apitoken/localstack/engines"
)

// notShown are the statements that MiniStack cannot test, with the reason.
var notShown = map[string]string{
	"Traces":     "MiniStack has no X-Ray",
	"Logs":       "MiniStack writes the functions' logs itself, and checks these calls against an ARN that AWS does not have",
	"ReadStream": "MiniStack reads streams itself, and checks these calls against no resource",
}

// addedPolicy is the name of the policy that allowDescribeBus adds.
const addedPolicy = "MiniStack"

// allowDescribeBus works around a fault of MiniStack, which takes the bus's name
// for the name of a rule. On AWS the template's statement allows the same call.
func (s *stack) allowDescribeBus(t *testing.T) {
	t.Helper()
	for _, job := range api.Jobs() {
		if !job.Carries {
			continue
		}
		s.putPolicy(t, s.ids[template.Logical(job.Function, "Role")], addedPolicy, document{"2012-10-17", []statement{{
			Sid: "LookAtTheBus", Effect: "Allow", Action: "events:DescribeEventBus",
			Resource: "arn:aws:events:" + engines.Region + ":" + engines.Account + ":rule/default/" + s.ids["Bus"],
		}}})
	}
}

// This test needs no engine. So it finds a statement of a new function without
// an exercise before any deployment.
func TestEveryStatementHasItsExercise(t *testing.T) {
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	unused := (&stack{admin: unknownToken}).exercises()
	for logical, r := range template.At(all, "Resources").(object) {
		if template.At(r, "Type") != "AWS::IAM::Role" {
			continue
		}
		for _, st := range template.Statements(all, logical) {
			sid, _ := st["Sid"].(string)
			name := strings.TrimSuffix(logical, "Role") + " " + sid
			if unused[name] == nil && notShown[sid] == "" {
				t.Errorf("%s: no exercise for this statement", name)
			}
			delete(unused, name)
		}
	}
	for name := range unused {
		t.Errorf("%s: an exercise without its statement", name)
	}
}

// neededStatements tests every statement of every role. With the statement its
// exercise succeeds. Without this one statement the exercise is denied.
func (s *stack) neededStatements(t *testing.T) {
	unused := s.exercises()
	roles := slices.DeleteFunc(slices.Sorted(maps.Keys(s.ids)), func(logical string) bool { return !strings.HasSuffix(logical, "Role") })
	for _, logical := range roles {
		role, function := s.ids[logical], strings.TrimSuffix(logical, "Role")
		for _, p := range s.policies(t, role) {
			for _, st := range p.Statement {
				name := function + " " + st.Sid
				if reason := notShown[st.Sid]; reason != "" {
					t.Logf("%s: NOT SHOWN: %s", name, reason)
					continue
				}
				run := unused[name]
				if run == nil {
					t.Errorf("%s: no exercise for this statement", name)
					continue
				}
				delete(unused, name)
				t.Run(name, func(t *testing.T) { s.checkNeeded(t, role, p, st, run) })
			}
		}
	}
	for name := range unused {
		t.Errorf("%s: an exercise without its statement", name)
	}
}

func (s *stack) checkNeeded(t *testing.T, role string, p policy, st statement, run exercise) {
	if problem := run(t); problem != "" {
		t.Fatalf("with the statement: %s", problem)
	}
	problem := s.runWithout(t, role, p, st, run)
	if problem == "" {
		t.Errorf("the exercise succeeds without the statement that allows %v on %v", st.Action, st.Resource)
		return
	}
	t.Logf("without the statement: %.160s", problem)
	for _, action := range separableActions(st) {
		if problem := s.runWithout(t, role, p, st, run, action); problem == "" {
			t.Errorf("the exercise succeeds without %s", action)
		}
	}
	if problem := run(t); problem != "" {
		t.Errorf("with the statement again: %s", problem)
	}
}

// runWithout runs the exercise while the role lacks the statement, or only the
// given actions of it.
func (s *stack) runWithout(t *testing.T, role string, p policy, st statement, run exercise, only ...string) (problem string) {
	t.Helper()
	restore := s.removeStatement(t, role, p, st.Sid, only...)
	problem = run(t)
	restore()
	return problem
}

// separableActions returns the actions of a statement that a test can remove one
// by one. PutEvents is none: see allowDescribeBus. TakeMessages is none, because
// a test cannot take a message that Lambda has received, to delete it.
func separableActions(st statement) (actions []string) {
	all, several := st.Action.([]any)
	if !several || st.Sid == "PutEvents" || st.Sid == "TakeMessages" {
		return nil
	}
	for _, action := range all {
		actions = append(actions, action.(string))
	}
	return actions
}
