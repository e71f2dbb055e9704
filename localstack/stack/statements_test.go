package stack_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/wiring/api"
	"apitoken/infra/sam/template"
)

// statement is one of a deployed policy.
type statement struct {
	Sid       string
	Effect    string
	Action    any
	Resource  any
	Condition any `json:",omitempty"`
}

type document struct {
	Version   string
	Statement []statement
}

// policy is one of a role, its own or a managed one.
type policy struct {
	name string
	arn  string // of a managed policy
	document
}

// policies are all of a role, as they were deployed.
func (s *stack) policies(t *testing.T, role string) (all []policy) {
	t.Helper()
	var own struct {
		Names []string `xml:"ListRolePoliciesResult>PolicyNames>member"`
	}
	s.root.query(t, "iam", "ListRolePolicies", map[string]string{"RoleName": role}, &own)
	for _, name := range own.Names {
		if name == patched {
			continue
		}
		var got struct {
			Text string `xml:"GetRolePolicyResult>PolicyDocument"`
		}
		s.root.query(t, "iam", "GetRolePolicy", map[string]string{"RoleName": role, "PolicyName": name}, &got)
		all = append(all, policy{name: name, document: parse(t, got.Text)})
	}
	var attached struct {
		ARNs []string `xml:"ListAttachedRolePoliciesResult>AttachedPolicies>member>PolicyArn"`
	}
	s.root.query(t, "iam", "ListAttachedRolePolicies", map[string]string{"RoleName": role}, &attached)
	for _, arn := range attached.ARNs {
		var p struct {
			Version string `xml:"GetPolicyResult>Policy>DefaultVersionId"`
		}
		s.root.query(t, "iam", "GetPolicy", map[string]string{"PolicyArn": arn}, &p)
		var got struct {
			Text string `xml:"GetPolicyVersionResult>PolicyVersion>Document"`
		}
		s.root.query(t, "iam", "GetPolicyVersion", map[string]string{"PolicyArn": arn, "VersionId": p.Version}, &got)
		all = append(all, policy{name: "swapped", arn: arn, document: parse(t, got.Text)})
	}
	return all
}

func parse(t *testing.T, text string) (d document) {
	t.Helper()
	if decoded, err := url.QueryUnescape(text); err == nil && strings.HasPrefix(decoded, "{") {
		text = decoded
	}
	decode(t, []byte(text), &d)
	return d
}

// without swaps the policy for one that lacks the statement, or only the given
// actions of it, until restored.
func (s *stack) without(t *testing.T, role string, p policy, sid string, only ...string) (restore func()) {
	t.Helper()
	rest := document{Version: p.Version}
	for _, st := range p.Statement {
		if all, several := st.Action.([]any); st.Sid == sid && several && len(only) > 0 {
			st.Action = slices.DeleteFunc(slices.Clone(all), func(a any) bool { return slices.Contains(only, a.(string)) })
		} else if st.Sid == sid {
			continue
		}
		rest.Statement = append(rest.Statement, st)
	}
	if p.arn == "" {
		s.put(t, role, p.name, rest)
		return func() { s.put(t, role, p.name, p.document) }
	}
	managed := map[string]string{"RoleName": role, "PolicyArn": p.arn}
	s.put(t, role, p.name, rest)
	s.root.query(t, "iam", "DetachRolePolicy", managed, nil)
	return func() {
		s.root.query(t, "iam", "AttachRolePolicy", managed, nil)
		s.root.query(t, "iam", "DeleteRolePolicy", map[string]string{"RoleName": role, "PolicyName": p.name}, nil)
	}
}

func (s *stack) put(t *testing.T, role, name string, d document) {
	t.Helper()
	named := map[string]string{"RoleName": role, "PolicyName": name}
	if len(d.Statement) == 0 {
		d.Statement = []statement{{Sid: "Nothing", Effect: "Allow", Action: "sts:GetCallerIdentity", Resource: "*"}} // a policy needs one
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	named["PolicyDocument"] = string(b)
	s.root.query(t, "iam", "PutRolePolicy", named, nil)
}

// exercise makes the call that a statement is for, and says "" if it worked.
type exercise func(t *testing.T) (trouble string)

// notShown are statements that cannot be exercised here.
var notShown = map[string]string{
	"Traces":     "MiniStack has no X-Ray",
	"Logs":       "MiniStack writes the functions' logs itself, and checks these calls against an ARN that AWS does not have",
	"ReadStream": "MiniStack reads streams itself, and checks these calls against no resource",
}

// patched is the policy that makes up for a fault of MiniStack.
const patched = "MiniStack"

// patch lets whoever puts events look at the bus as well. The template's
// statement does on AWS; MiniStack takes the bus's name for that of a rule.
func (s *stack) patch(t *testing.T) {
	t.Helper()
	for _, job := range api.Jobs() {
		if job.Carries {
			s.put(t, s.ids[template.Logical(job.Function, "Role")], patched, document{"2012-10-17", []statement{{
				Sid: "LookAtTheBus", Effect: "Allow", Action: "events:DescribeEventBus", Resource: "arn:aws:events:" + region + ":000000000000:rule/default/" + s.ids["Bus"],
			}}})
		}
	}
}

// TestEveryStatementHasItsExercise needs no engine, so a statement of a new
// function is missed before anything is deployed.
func TestEveryStatementHasItsExercise(t *testing.T) {
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	exercises := (&stack{admin: badToken}).exercises()
	for logical, r := range template.At(all, "Resources").(object) {
		if template.At(r, "Type") != "AWS::IAM::Role" {
			continue
		}
		for _, st := range template.Statements(all, logical) {
			sid, _ := st["Sid"].(string)
			name := strings.TrimSuffix(logical, "Role") + " " + sid
			if exercises[name] == nil && notShown[sid] == "" {
				t.Errorf("%s: nothing exercises this statement", name)
			}
			delete(exercises, name)
		}
	}
	for name := range exercises {
		t.Errorf("%s: there is no such statement", name)
	}
}

// statements goes through every statement of every role: with it the call
// works, and with a policy that lacks it and nothing else the call is denied.
func (s *stack) statements(t *testing.T) {
	all := s.exercises()
	roles := slices.DeleteFunc(slices.Sorted(maps.Keys(s.ids)), func(logical string) bool { return !strings.HasSuffix(logical, "Role") })
	for _, logical := range roles {
		role, function := s.ids[logical], strings.TrimSuffix(logical, "Role")
		for _, p := range s.policies(t, role) {
			for _, st := range p.Statement {
				if reason := notShown[st.Sid]; reason != "" {
					t.Logf("%s %s: NOT SHOWN: %s", function, st.Sid, reason)
					continue
				}
				run := all[function+" "+st.Sid]
				if run == nil {
					t.Errorf("%s %s: nothing exercises this statement", function, st.Sid)
					continue
				}
				delete(all, function+" "+st.Sid)
				t.Run(function+" "+st.Sid, func(t *testing.T) { s.needed(t, role, p, st, run) })
			}
		}
	}
	for name := range all {
		t.Errorf("%s: there is no such statement", name)
	}
}

func (s *stack) needed(t *testing.T, role string, p policy, st statement, run exercise) {
	if trouble := run(t); trouble != "" {
		t.Fatalf("with the statement: %s", trouble)
	}
	restore := s.without(t, role, p, st.Sid)
	trouble := run(t)
	restore()
	if trouble == "" {
		t.Errorf("without the statement that allows %v on %v all works as well", st.Action, st.Resource)
		return
	}
	t.Logf("without it: %.160s", trouble)
	for _, action := range actions(st) {
		restore := s.without(t, role, p, st.Sid, action)
		trouble := run(t)
		restore()
		if trouble == "" {
			t.Errorf("without %s all works as well", action)
		}
	}
	if trouble := run(t); trouble != "" {
		t.Errorf("with the statement again: %s", trouble)
	}
}

// actions are those of a statement that are tried one by one: where it has
// several, and MiniStack can tell them apart.
func actions(st statement) (each []string) {
	all, several := st.Action.([]any)
	if !several || st.Sid == "PutEvents" || st.Sid == "TakeMessages" {
		return nil // see patch; and nothing here takes a message out of Lambda's hands to delete it
	}
	for _, action := range all {
		each = append(each, action.(string))
	}
	return each
}
