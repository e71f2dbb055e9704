package template_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/dynamo/copies"
)

// role is what a function may do.
type role struct {
	logical    string
	policies   []any // its managed policies, without those that hang on a condition
	statements []object
}

// roleOf gives a function's role, with the statements of its managed policies.
func roleOf(t *testing.T, template, f object) role {
	t.Helper()
	logical, _, _ := strings.Cut(attOf(at(f, "Properties", "Role")), ".")
	p := at(template, "Resources", logical, "Properties")
	if p == nil {
		t.Fatalf("there is no role %s", logical)
	}
	r := role{logical: logical}
	for _, policy := range objects(at(p, "ManagedPolicyArns")) {
		if at(policy, "Ref") == nil {
			continue
		}
		r.policies = append(r.policies, policy)
		r.statements = append(r.statements, objects(at(template, "Resources", at(policy, "Ref").(string), "Properties", "PolicyDocument", "Statement"))...)
	}
	for _, policy := range objects(at(p, "Policies")) {
		r.statements = append(r.statements, objects(at(policy, "PolicyDocument", "Statement"))...)
	}
	return r
}

// may says whether some statement allows the action on the resource.
func (r role) may(action string, resource any) bool {
	return slices.ContainsFunc(r.statements, func(s object) bool {
		return slices.Contains(texts(s["Action"]), action) && reflect.DeepEqual(s["Resource"], resource)
	})
}

// unscoped are the statements on all resources, since their actions know none.
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
			t.Errorf("%s, statement %q: action %q names no single action", function, sid, action)
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
		t.Errorf("%s, statement %q: resource %v is not one of this stack", function, sid, s["Resource"])
	}
}

// reserved lists actions that only some functions may do.
var reserved = []struct {
	action   string
	resource any
	only     []string
	reason   string
}{
	{"dynamodb:PutItem", getAtt("TokenTable.Arn"), []string{"create", "revoke"}, "only commands write the log"},
	{"dynamodb:UpdateItem", getAtt("TokenTable.Arn"), []string{"authorize", "introspect", "publish", "reconcile"}, "only uses and the outbox are updated"},
	{"dynamodb:DeleteItem", getAtt("TokenTable.Arn"), nil, "nothing of the log is deleted but by its time to live"},
	{"dynamodb:Scan", getAtt("TokenTable.Arn"), nil, "no call may depend on the table's size"},
	{"dynamodb:PutItem", getAtt("AuditTable.Arn"), []string{"audit"}, "a copy vouches for the log only if nobody else can write it"},
	{"dynamodb:DeleteItem", getAtt("AuditTable.Arn"), []string{"audit"}, "a copy vouches for the log only if nobody else can write it"},
	{"dynamodb:Query", getAtt("AuditTable.Arn"), []string{"audit"}, "nobody else has a use for the copies"},
	{"events:PutEvents", getAtt("Bus.Arn"), []string{"publish", "reconcile"}, "events go out through the change stream alone"},
	{"kms:Decrypt", getAtt("ConfigKey.Arn"), []string{"authorize", "create", "get", "history", "introspect", "list", "revoke"}, "peppers are for whoever verifies"},
}

func TestReservedActionsStayWithTheirFunctions(t *testing.T) {
	template := read(t)
	all := functions(t, template)
	for _, row := range reserved {
		var got []string
		for _, name := range sorted(all) {
			if roleOf(t, template, all[name]).may(row.action, row.resource) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, row.only) {
			t.Errorf("%s on %v: got %v, want %v: %s", row.action, row.resource, got, row.only, row.reason)
		}
	}
	for _, s := range roleOf(t, template, all["audit"]).statements {
		if arn := attOf(s["Resource"]); strings.HasPrefix(arn, "TokenTable") {
			t.Errorf("audit may %v the log that it vouches for", s["Action"])
		}
	}
}

// A copy that could be deleted would vouch for nothing. The audit function
// deletes only what it awaited, in a partition that holds no copies.
func TestNobodyMayDeleteACopy(t *testing.T) {
	template := read(t)
	for name, f := range functions(t, template) {
		for _, s := range roleOf(t, template, f).statements {
			if !reflect.DeepEqual(s["Resource"], getAtt("AuditTable.Arn")) || !slices.Contains(texts(s["Action"]), "dynamodb:DeleteItem") {
				continue
			}
			if got := texts(s["Action"]); len(got) != 1 {
				t.Errorf("%s, statement %q: %v share the condition for deleting", name, s["Sid"], got)
			}
			want(t, s, object{"ForAllValues:StringEquals": object{"dynamodb:LeadingKeys": list(copies.WaitPK)}}, "Condition")
		}
	}
}

// Where an emulator ignores authorizers, the handlers check tokens themselves
// and need what the authorizer needs, and only there.
func TestHandlersThatAuthorizeMayDoSo(t *testing.T) {
	template := read(t)
	guard := object{"Fn::If": list("AuthorizesInHandler", ref("GuardPolicy"), ref("AWS::NoValue"))}
	for name, f := range functions(t, template) {
		if at(f, "Properties", "Environment", "Variables", "AUTHORIZE_IN_HANDLER") == nil {
			continue
		}
		r := roleOf(t, template, f)
		conditional := slices.ContainsFunc(objects(at(template, "Resources", r.logical, "Properties", "ManagedPolicyArns")), func(p object) bool { return reflect.DeepEqual(p, guard) })
		if always := r.may("dynamodb:ConditionCheckItem", getAtt("TokenTable.Arn")); always == conditional {
			t.Errorf("%s may check tokens: always %v, where it authorizes %v", name, always, conditional)
		}
	}
	want(t, template, "false", "Parameters", "AuthorizeInHandler", "Default")
}
