package template_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/wiring"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/sam/template"
)

// role is what a function may do.
type role struct {
	logical    string
	policies   []string // its managed policies, without those that depend on a condition
	statements []object
}

// roleOf returns a function's role, with the statements of its managed policies.
func roleOf(t *testing.T, all, f object) role {
	t.Helper()
	logical, _, _ := strings.Cut(attOf(at(f, "Properties", "Role")), ".")
	if at(all, "Resources", logical, "Properties") == nil {
		t.Fatalf("%s has no role: template.yaml has no resource %q", f["logical"], logical)
	}
	return role{logical: logical, policies: template.Policies(all, logical), statements: template.Statements(all, logical)}
}

// may reports whether a statement allows the action on the resource.
func (r role) may(action string, resource any) bool {
	return slices.ContainsFunc(r.statements, func(s object) bool {
		return slices.Contains(texts(s["Action"]), action) && reflect.DeepEqual(s["Resource"], resource)
	})
}

// unscoped has the statements on all resources, because IAM cannot limit their
// actions to a resource.
var unscoped = map[string][]string{
	"Traces":      {"xray:PutTraceSegments", "xray:PutTelemetryRecords"},
	"FindStreams": {"dynamodb:ListStreams"},
}

func TestRolesNameWhatTheyMayDo(t *testing.T) {
	template := read(t)
	owner := map[string]string{}
	for name, f := range functions(t, template) {
		r := roleOf(t, template, f)
		if owner[r.logical] != "" {
			t.Errorf("%s and %s share %s", name, owner[r.logical], r.logical)
		}
		owner[r.logical] = name
		want(t, template, object{"Version": "2012-10-17", "Statement": list(object{
			"Effect": "Allow", "Principal": object{"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
		})}, "Resources", r.logical, "Properties", "AssumeRolePolicyDocument")
		if !r.may("logs:PutLogEvents", getAtt("FunctionLogs.Arn")) || !r.may("xray:PutTraceSegments", "*") {
			t.Errorf("%s cannot write its log or its traces", name)
		}
		for _, s := range r.statements {
			checkStatement(t, name, s)
		}
	}
}

func checkStatement(t *testing.T, function string, s object) {
	t.Helper()
	sid, _ := s["Sid"].(string)
	want(t, s, "Allow", "Effect")
	for _, action := range texts(s["Action"]) {
		if action == "" || strings.Contains(action, "*") {
			t.Errorf("%s, statement %q: action %q is not a single action", function, sid, action)
		}
	}
	if s["Resource"] == "*" {
		if got := texts(s["Action"]); !slices.Equal(got, unscoped[sid]) {
			t.Errorf("%s, statement %q allows %v on every resource", function, sid, got)
		}
		return
	}
	arn := attOf(s["Resource"])
	if text, ok := at(s, "Resource", "Fn::Sub").(string); ok {
		arn = text
	}
	if arn == "" || strings.Contains(arn, "*") {
		t.Errorf("%s, statement %q: resource %v is not a resource of this stack", function, sid, s["Resource"])
	}
}

// right is an action and the functions that need it.
type right struct {
	action   string
	resource any
	of       func(wiring.Job) bool
	reason   string
}

// reserved lists actions that no other function may do.
var reserved = []right{
	{"dynamodb:PutItem", getAtt("TokenTable.Arn"), puts, "only commands write the log, and a check puts only the notice TokenReused"},
	{"dynamodb:UpdateItem", getAtt("TokenTable.Arn"), updates, "only uses, the outbox and the notes about warnings are updated"},
	{"dynamodb:ConditionCheckItem", getAtt("TokenTable.Arn"), checks, "the first use of a token also checks that there is such a token"},
	{"dynamodb:GetItem", getAtt("TokenTable.Arn"), replays, "heads, views and records are queried; only commands that hand out a secret read replies"},
	{"dynamodb:DeleteItem", getAtt("TokenTable.Arn"), none, "only the time to live deletes items of the log"},
	{"dynamodb:Scan", getAtt("TokenTable.Arn"), scans, "no call may depend on the table's size; only the daily comparison reads all keys, and the events of all users are read in pages"},
	{"dynamodb:Scan", getAtt("AuditTable.Arn"), verifies, "no call may depend on the table's size; only the daily comparison reads all keys"},
	{"dynamodb:PutItem", getAtt("AuditTable.Arn"), keepsCopies, "a copy is evidence about the log only if no other function can write copies"},
	{"dynamodb:DeleteItem", getAtt("AuditTable.Arn"), keepsCopies, "a copy is evidence about the log only if no other function can write copies"},
	{"dynamodb:Query", getAtt("AuditTable.Arn"), usesCopies, "no other function has a use for the copies"},
	{"events:PutEvents", getAtt("Bus.Arn"), carries, "events go out through the change stream alone"},
	{"kms:Decrypt", getAtt("ConfigKey.Arn"), hasPeppers, "peppers are for functions that verify or write"},
}

// needed lists actions that other functions may need too.
var needed = []right{
	{"dynamodb:Query", getAtt("TokenTable.Arn"), answers, "every call reads a head: an owner's, the settings', or one that shows that the table answers"},
	{"dynamodb:Query", getAtt("TokenTable.Arn"), readsStreams, "a check reads the token; a command finds out what became of a commit that was not answered"},
}

func TestFunctionsMayDoWhatTheirJobNeeds(t *testing.T) {
	all := read(t)
	eachFunction(t, all, func(t *testing.T, job wiring.Job, f object) {
		r := roleOf(t, all, f)
		for _, row := range reserved {
			if got, want := r.may(row.action, row.resource), row.of(job); got != want {
				t.Errorf("%s may %s on %v: got %t, want %t: %s", r.logical, row.action, row.resource, got, want, row.reason)
			}
		}
		for _, row := range needed {
			if row.of(job) && !r.may(row.action, row.resource) {
				t.Errorf("%s may not %s on %v: %s", r.logical, row.action, row.resource, row.reason)
			}
		}
		for _, s := range r.statements {
			if arn := attOf(s["Resource"]); !readsTheLog(job) && strings.HasPrefix(arn, "TokenTable") {
				t.Errorf("%s may %v the log, which it has no use for", r.logical, s["Action"])
			}
		}
	})
}

// TestNoFunctionMayDeleteACopy: a copy that can be deleted is no evidence. The
// audit function deletes only its waits, in a partition without copies.
func TestNoFunctionMayDeleteACopy(t *testing.T) {
	template := read(t)
	for name, f := range functions(t, template) {
		for _, s := range roleOf(t, template, f).statements {
			if !reflect.DeepEqual(s["Resource"], getAtt("AuditTable.Arn")) || !slices.Contains(texts(s["Action"]), "dynamodb:DeleteItem") {
				continue
			}
			if got := texts(s["Action"]); len(got) != 1 {
				t.Errorf("%s, statement %q: %v share the condition for deletes", name, s["Sid"], got)
			}
			want(t, s, object{
				"ForAllValues:StringEquals": object{"dynamodb:LeadingKeys": list(copies.WaitPK)}, "Null": object{"dynamodb:LeadingKeys": "false"},
			}, "Condition")
		}
	}
}

// TestHandlersThatAuthorizeMayDoSo: on an emulator that ignores authorizers, the
// handlers check tokens themselves. Only there they need the authorizer's rights.
func TestHandlersThatAuthorizeMayDoSo(t *testing.T) {
	all := read(t)
	guard := object{"Fn::If": list("AuthorizesInHandler", ref("GuardPolicy"), ref("AWS::NoValue"))}
	eachFunction(t, all, func(t *testing.T, job wiring.Job, f object) {
		r := roleOf(t, all, f)
		if always := slices.Contains(r.policies, "GuardPolicy"); always != job.Checks {
			t.Errorf("%s may always check tokens: got %t, want %t", r.logical, always, job.Checks)
		}
		conditional := slices.ContainsFunc(objects(at(all, "Resources", r.logical, "Properties", "ManagedPolicyArns")), func(p object) bool { return reflect.DeepEqual(p, guard) })
		if where := job.Guarded && !job.Checks; conditional != where {
			t.Errorf("%s may check tokens where it authorizes: got %t, want %t", r.logical, conditional, where)
		}
	})
	want(t, all, "false", "Parameters", "AuthorizeInHandler", "Default")
}
