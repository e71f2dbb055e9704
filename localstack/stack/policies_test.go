package stack_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"apitoken/localstack/engines"
)

// statement is one statement of a deployed policy.
type statement struct {
	Sid       string
	Effect    string
	Action    any
	Resource  any
	Condition any `json:",omitempty"`
}

// document is the JSON document of a policy.
type document struct {
	Version   string
	Statement []statement
}

// policy is a policy of a role: an inline one, or a managed one with its ARN.
type policy struct {
	name string
	arn  string
	document
}

// policies returns the role's policies as they were deployed.
func (s *stack) policies(t *testing.T, role string) []policy {
	t.Helper()
	return append(s.inlinePolicies(t, role), s.managedPolicies(t, role)...)
}

func (s *stack) inlinePolicies(t *testing.T, role string) (all []policy) {
	t.Helper()
	var own struct {
		Names []string `xml:"ListRolePoliciesResult>PolicyNames>member"`
	}
	s.root.MustQuery(t, "iam", "ListRolePolicies", map[string]string{"RoleName": role}, &own)
	for _, name := range own.Names {
		if name == addedPolicy {
			continue
		}
		var got struct {
			Text string `xml:"GetRolePolicyResult>PolicyDocument"`
		}
		s.root.MustQuery(t, "iam", "GetRolePolicy", map[string]string{"RoleName": role, "PolicyName": name}, &got)
		all = append(all, policy{name: name, document: parseDocument(t, got.Text)})
	}
	return all
}

func (s *stack) managedPolicies(t *testing.T, role string) (all []policy) {
	t.Helper()
	var attached struct {
		ARNs []string `xml:"ListAttachedRolePoliciesResult>AttachedPolicies>member>PolicyArn"`
	}
	s.root.MustQuery(t, "iam", "ListAttachedRolePolicies", map[string]string{"RoleName": role}, &attached)
	for _, arn := range attached.ARNs {
		var p struct {
			Version string `xml:"GetPolicyResult>Policy>DefaultVersionId"`
		}
		s.root.MustQuery(t, "iam", "GetPolicy", map[string]string{"PolicyArn": arn}, &p)
		var got struct {
			Text string `xml:"GetPolicyVersionResult>PolicyVersion>Document"`
		}
		s.root.MustQuery(t, "iam", "GetPolicyVersion", map[string]string{"PolicyArn": arn, "VersionId": p.Version}, &got)
		all = append(all, policy{name: "replacement", arn: arn, document: parseDocument(t, got.Text)})
	}
	return all
}

// parseDocument reads a document, which may be URL-encoded.
func parseDocument(t *testing.T, text string) (d document) {
	t.Helper()
	if decoded, err := url.QueryUnescape(text); err == nil && strings.HasPrefix(decoded, "{") {
		text = decoded
	}
	engines.Decode(t, []byte(text), &d)
	return d
}

// removeStatement replaces the policy by one without the statement, or without
// only the given actions of it. The result undoes this. A managed policy is
// detached, and an inline policy takes its place.
func (s *stack) removeStatement(t *testing.T, role string, p policy, sid string, only ...string) (restore func()) {
	t.Helper()
	rest := withoutStatement(p.document, sid, only)
	if p.arn == "" {
		s.putPolicy(t, role, p.name, rest)
		return func() { s.putPolicy(t, role, p.name, p.document) }
	}
	managed := map[string]string{"RoleName": role, "PolicyArn": p.arn}
	s.putPolicy(t, role, p.name, rest)
	s.root.MustQuery(t, "iam", "DetachRolePolicy", managed, nil)
	return func() {
		s.root.MustQuery(t, "iam", "AttachRolePolicy", managed, nil)
		s.root.MustQuery(t, "iam", "DeleteRolePolicy", map[string]string{"RoleName": role, "PolicyName": p.name}, nil)
	}
}

func withoutStatement(d document, sid string, only []string) document {
	rest := document{Version: d.Version}
	for _, st := range d.Statement {
		if st.Sid == sid {
			all, several := st.Action.([]any)
			if !several || len(only) == 0 {
				continue
			}
			st.Action = slices.DeleteFunc(slices.Clone(all), func(a any) bool { return slices.Contains(only, a.(string)) })
		}
		rest.Statement = append(rest.Statement, st)
	}
	return rest
}

func (s *stack) putPolicy(t *testing.T, role, name string, d document) {
	t.Helper()
	if len(d.Statement) == 0 { // a policy needs at least one statement
		d.Statement = []statement{{Sid: "Nothing", Effect: "Allow", Action: "sts:GetCallerIdentity", Resource: "*"}}
	}
	s.root.MustQuery(t, "iam", "PutRolePolicy", map[string]string{
		"RoleName": role, "PolicyName": name, "PolicyDocument": string(engines.Encode(t, d)),
	}, nil)
}

// trustAccount lets the account assume a function's role, so that a test can
// make the calls that Lambda makes for the function.
const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::` +
	engines.Account + `:root"},"Action":"sts:AssumeRole"}]}`

// assumeRole returns a client with the permissions of a role.
func (s *stack) assumeRole(t *testing.T, role string) engines.Client {
	t.Helper()
	s.root.MustQuery(t, "iam", "UpdateAssumeRolePolicy", map[string]string{"RoleName": role, "PolicyDocument": trustAccount}, nil)
	var out struct {
		Key    string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	arn := "arn:aws:iam::" + engines.Account + ":role/" + role
	s.root.MustQuery(t, "sts", "AssumeRole", map[string]string{"RoleArn": arn, "RoleSessionName": "test"}, &out)
	return engines.Client{URL: s.root.URL, Credentials: aws.Credentials{AccessKeyID: out.Key, SecretAccessKey: out.Secret, SessionToken: out.Token}}
}
