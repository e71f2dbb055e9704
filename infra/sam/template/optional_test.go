package template_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"apitoken/functions/httpapi/machine"
	"apitoken/infra/sam/template"
)

const (
	certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d-0000-1111-2222-333344445555"
	webACL      = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/api_tokens-1/0a1b2c3d-0000-1111-2222-333344445555"
)

// with returns the resources as they are deployed with these parameters.
func with(t *testing.T, all object, parameters map[string]string) object {
	t.Helper()
	deployed, err := template.Deployed(all, parameters)
	if err != nil {
		t.Fatal(err)
	}
	return deployed["Resources"].(object)
}

// TestOptionalResourcesAreOffUnlessTheirParameterIsSet.
func TestOptionalResourcesAreOffUnlessTheirParameterIsSet(t *testing.T) {
	all := read(t)
	off := with(t, all, nil)
	for _, c := range []struct {
		parameters map[string]string
		resources  []string
	}{
		{map[string]string{"DomainName": "tokens.example.com", "CertificateArn": certificate}, []string{"Domain", "DomainMapping"}},
		{map[string]string{"WebAclArn": webACL}, []string{"Firewall"}},
		{map[string]string{"BusAccounts": "111122223333"}, []string{"BusAccountsPolicy"}},
		{map[string]string{"BusOrganization": "o-a1b2c3d4e5"}, []string{"BusOrganizationPolicy"}},
	} {
		on := with(t, all, c.parameters)
		if len(on) != len(off)+len(c.resources) {
			t.Errorf("%v: got %d more resources, want %v", c.parameters, len(on)-len(off), c.resources)
		}
		for _, name := range c.resources {
			if off[name] != nil || on[name] == nil {
				t.Errorf("%s: deployed by default %t, with %v %t", name, off[name] != nil, c.parameters, on[name] != nil)
			}
		}
		for name := range c.parameters {
			want(t, all, "", "Parameters", name, "Default")
		}
	}
}

// TestSignInIsOffUnlessItIsAskedFor: the function calls other services, and has secrets
// for them.
func TestSignInIsOffUnlessItIsAskedFor(t *testing.T) {
	const secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:oidc-AbCdEf"
	all := read(t)
	want(t, all, "false", "Parameters", "SignIn", "Default")
	off := with(t, all, nil)
	on := with(t, all, map[string]string{"SignIn": "true"})
	for _, name := range []string{"LoginRole", "LoginFunction"} {
		if off[name] != nil || on[name] == nil {
			t.Errorf("%s: deployed by default %t, with SignIn %t", name, off[name] != nil, on[name] != nil)
		}
	}
	if len(on) != len(off)+2 {
		t.Errorf("SignIn adds %d resources, want 2", len(on)-len(off))
	}
	variables := []string{"LoginFunction", "Properties", "Environment", "Variables"}
	for _, name := range []string{"OIDC_ISSUERS", "OIDC_SECRETS", "PUBLIC_URL"} {
		want(t, on, nil, append(variables, name)...)
	}
	full := with(t, all, map[string]string{
		"SignIn": "true", "OidcIssuers": "[]", "OidcSecrets": secret, "DomainName": "tokens.example.com", "CertificateArn": certificate,
	})
	want(t, full, "[]", append(variables, "OIDC_ISSUERS")...)
	want(t, full, sub("{{resolve:secretsmanager:${OidcSecrets}:SecretString:::}}"), append(variables, "OIDC_SECRETS")...)
	want(t, full, sub("https://${DomainName}"), append(variables, "PUBLIC_URL")...)
	want(t, all, list(object{
		"Assert": object{"Fn::Equals": list(ref("SignIn"), "true")}, "AssertDescription": "OidcIssuers needs SignIn.",
	}), "Rules", "IssuersNeedSignIn", "Assertions")
	want(t, all, object{"Fn::Not": list(object{"Fn::Equals": list(ref("OidcSecrets"), "")})}, "Rules", "SecretsNeedIssuers", "RuleCondition")
}

// TestADomainReplacesTheDefaultAddress: what guards the domain would otherwise be
// bypassed.
func TestADomainReplacesTheDefaultAddress(t *testing.T) {
	all := read(t)
	on := with(t, all, map[string]string{"DomainName": "tokens.example.com", "CertificateArn": certificate})
	want(t, on, object{
		"DomainName": "tokens.example.com", "RegionalCertificateArn": certificate,
		"EndpointConfiguration": object{"Types": list("REGIONAL")}, "SecurityPolicy": "TLS_1_2",
	}, "Domain", "Properties")
	want(t, on, object{"DomainName": ref("Domain"), "RestApiId": ref("Api"), "Stage": ref("Api.Stage")}, "DomainMapping", "Properties") // no base path
	want(t, on, true, "Api", "Properties", "DisableExecuteApiEndpoint")

	for _, name := range []string{"AboutFunction", "OauthFunction", "SelfFunction"} {
		want(t, on, sub("https://${DomainName}"), name, "Properties", "Environment", "Variables", "PUBLIC_URL")
	}
	challenge := []string{"Api", "Properties", "GatewayResponses", "UNAUTHORIZED", "ResponseParameters", "Headers", "WWW-Authenticate"}
	want(t, on, sub(`'Bearer realm="apitoken", resource_metadata="https://${DomainName}`+machine.MetadataPath+`", Basic realm="apitoken"'`), challenge...)

	off := with(t, all, nil)
	want(t, off, false, "Api", "Properties", "DisableExecuteApiEndpoint")
	want(t, off, nil, "OauthFunction", "Properties", "Environment", "Variables", "PUBLIC_URL") // on the default address the first segment of a path is the stage
	want(t, off, `'Bearer realm="apitoken", Basic realm="apitoken"'`, challenge...)

	want(t, all, object{"Fn::If": list("HasDomain", sub("https://${DomainName}"),
		sub("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${StageName}"))}, "Outputs", "ApiUrl", "Value")
	for output, attribute := range map[string]string{"DomainTarget": "RegionalDomainName", "DomainZone": "RegionalHostedZoneId"} {
		want(t, all, "HasDomain", "Outputs", output, "Condition")
		want(t, all, getAtt("Domain."+attribute), "Outputs", output, "Value")
	}
	empty := func(name string) object { return object{"Fn::Equals": list(ref(name), "")} }
	rule := func(given, needed string) object {
		return object{
			"RuleCondition": object{"Fn::Not": list(empty(given))},
			"Assertions": list(object{
				"Assert": object{"Fn::Not": list(empty(needed))}, "AssertDescription": given + " needs " + needed + ".",
			}),
		}
	}
	want(t, all, rule("DomainName", "CertificateArn"), "Rules", "DomainNeedsCertificate")
	want(t, all, rule("CertificateArn", "DomainName"), "Rules", "CertificateNeedsDomain")
}

// TestThePageIsDeployedOnlyIfAsked, and only with a domain, because its cookie is for
// all paths of a host, and with the calls that open sessions.
func TestThePageIsDeployedOnlyIfAsked(t *testing.T) {
	all := read(t)
	want(t, all, "false", "Parameters", "Page", "Default")
	want(t, all, object{
		"RuleCondition": object{"Fn::Equals": list(ref("Page"), "true")},
		"Assertions": list(object{
			"Assert": object{"Fn::Not": list(object{"Fn::Equals": list(ref("DomainName"), "")})}, "AssertDescription": "Page needs DomainName.",
		}, object{"Assert": object{"Fn::Equals": list(ref("SignIn"), "true")}, "AssertDescription": "Page needs SignIn."}),
	}, "Rules", "PageNeedsDomainAndSignIn")
	domain := map[string]string{"DomainName": "tokens.example.com", "CertificateArn": certificate}
	off := with(t, all, domain)
	domain["Page"] = "true"
	on := with(t, all, domain)
	for _, name := range []string{"PageFunction", "PageRole"} {
		if off[name] != nil || on[name] == nil {
			t.Errorf("%s: deployed by default %t, with Page %t", name, off[name] != nil, on[name] != nil)
		}
	}
	for _, name := range referred(off) {
		if name == "PageFunction" || name == "PageRole" {
			t.Errorf("without Page a resource refers to %s", name)
		}
	}
	want(t, on, sub("https://${DomainName}"), "PageFunction", "Properties", "Environment", "Variables", "PUBLIC_URL")
}

// TestTheFirewallGuardsTheStageOfTheAPI.
func TestTheFirewallGuardsTheStageOfTheAPI(t *testing.T) {
	want(t, with(t, read(t), map[string]string{"WebAclArn": webACL}), object{
		"ResourceArn": sub("arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Api.Stage}"),
		"WebACLArn":   webACL,
	}, "Firewall", "Properties")
}

// TestOtherAccountsGetEventsAndSendNone: the audit copy would take forged events. An
// account may change its own rules only.
func TestOtherAccountsGetEventsAndSendNone(t *testing.T) {
	on := with(t, read(t), map[string]string{"BusAccounts": "111122223333,444455556666", "BusOrganization": "o-a1b2c3d4e5"})
	own := object{"events:creatorAccount": "${aws:PrincipalAccount}"} // a variable of IAM, not of Fn::Sub
	for name, c := range map[string]struct{ principal, condition any }{
		"BusAccountsPolicy": {object{"AWS": object{"Fn::Split": list(",", "111122223333,444455556666")}}, object{"StringEqualsIfExists": own}},
		"BusOrganizationPolicy": {"*", object{
			"StringEquals": object{"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, "StringEqualsIfExists": own,
		}},
	} {
		p := at(on, name, "Properties")
		want(t, p, ref("Bus"), "EventBusName")
		want(t, p, "Allow", "Statement", "Effect")
		want(t, p, c.principal, "Statement", "Principal")
		want(t, p, c.condition, "Statement", "Condition")
		want(t, p, sub("arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Bus}/*"), "Statement", "Resource")
		actions := strings.Join(texts(at(p, "Statement", "Action")), " ")
		if actions != "events:PutRule events:DeleteRule events:DescribeRule events:DisableRule events:EnableRule events:PutTargets events:RemoveTargets events:ListTargetsByRule" {
			t.Errorf("%s allows %s", name, actions)
		}
	}
	want(t, on, ref("BusAccountsPolicy"), "BusOrganizationPolicy", "Metadata", "After") // else EventBridge may lose one of them
	uuid := object{"Fn::Select": list(2, object{"Fn::Split": list("/", ref("AWS::StackId"))})}
	seen := map[string]bool{}
	for _, name := range []string{"BusAccountsPolicy", "BusOrganizationPolicy"} {
		id := at(on, name, "Properties", "StatementId")
		sub, _ := at(id, "Fn::Sub").([]any)
		if len(sub) != 2 || !reflect.DeepEqual(sub[1], object{"Id": uuid}) || !strings.Contains(fmt.Sprint(sub[0]), "${Id}") {
			t.Errorf("%s has the id %v, which another stack of the account may have too", name, id)
			continue
		}
		text := strings.ReplaceAll(sub[0].(string), "${Id}", "0a1b2c3d-0000-1111-2222-333344445555")
		if len(text) > 64 || seen[text] {
			t.Errorf("%s has the id %q; want at most 64 characters, and another one for each policy", name, text)
		}
		seen[text] = true
	}
}

// TestAWrongValueIsRefusedBeforeTheDeployment: CloudFormation compares the pattern with
// the whole value.
func TestAWrongValueIsRefusedBeforeTheDeployment(t *testing.T) {
	all := read(t)
	for name, c := range map[string]struct{ good, bad []string }{
		"DomainName":     {[]string{"tokens.example.com", "a.b", "x-1.example.co.uk"}, []string{"example", "*.example.com", "Tokens.example.com", "a..b", "-a.example.com", "https://a.example.com", "a.example.com."}},
		"CertificateArn": {[]string{certificate}, []string{"0a1b", strings.Replace(certificate, "acm", "iam", 1), strings.Replace(certificate, "123456789012", "1", 1)}},
		"WebAclArn":      {[]string{webACL}, []string{strings.Replace(webACL, "regional", "global", 1), strings.Replace(webACL, "wafv2", "waf-regional", 1)}},
		"OidcSecrets": {[]string{"arn:aws:secretsmanager:eu-central-1:123456789012:secret:oidc/apitoken-AbCdEf"},
			[]string{"oidc", "s3cret", `{"work":"s3cret"}`, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a}b"}},
		"BusAccounts":     {[]string{"111122223333", "111122223333,444455556666"}, []string{"1111", "111122223333,", "111122223333, 444455556666", "*", "o-a1b2c3d4e5"}},
		"BusOrganization": {[]string{"o-a1b2c3d4e5"}, []string{"o-short", "111122223333", "*", "ou-a1b2-c3d4e5f6"}},
	} {
		pattern := regexp.MustCompile("^(?:" + at(all, "Parameters", name, "AllowedPattern").(string) + ")$")
		for _, value := range append(c.good, "") {
			if !pattern.MatchString(value) {
				t.Errorf("%s: %q is refused", name, value)
			}
		}
		for _, value := range c.bad {
			if pattern.MatchString(value) {
				t.Errorf("%s: %q is accepted", name, value)
			}
		}
		if text, _ := at(all, "Parameters", name, "ConstraintDescription").(string); !strings.Contains(text, "or empty") {
			t.Errorf("%s: CloudFormation shows the pattern alone, want a ConstraintDescription: %q", name, text)
		}
	}
}

// TestThePageSaysHowToAddAnAlias, with names that the template has.
func TestThePageSaysHowToAddAnAlias(t *testing.T) {
	b, err := os.ReadFile(top + "infra/sam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := read(t)
	for _, text := range []string{"`AutoPublishAlias: live`", "`AutoPublishAliasAllProperties: true`", "`!Ref AuthorizeFunction.Alias` in place of `!GetAtt AuthorizeFunction.Arn` in `Api` and `ExampleApi`."} {
		if !strings.Contains(string(b), text) {
			t.Errorf("infra/sam/README.md lacks %s", text)
		}
	}
	want(t, all, getAtt("AuthorizeFunction.Arn"), "Resources", "Api", "Properties", "Auth", "Authorizers", "TokenAuthorizer", "FunctionArn")
	want(t, all, getAtt("AuthorizeFunction.Arn"), "Resources", "ExampleApi", "Properties", "Auth", "Authorizers", "TokenAuthorizer", "FunctionArn")
	want(t, all, getAtt("AuthorizeFunction.Arn"), "Outputs", "AuthorizerArn", "Value")
	want(t, all, "AWS::CloudWatch::Alarm", "Resources", "AuthorizeFaultsAlarm", "Type")
}

// TestASwitchedRouteIsDeployed: SAM makes a new deployment of an API only if the text of
// its definition changes. A route of a function with a condition appears and disappears
// without such a change.
func TestASwitchedRouteIsDeployed(t *testing.T) {
	all, switched := read(t), 0
	for name, f := range resources(t, all, "Serverless::Function") {
		events, _ := at(f, "Properties", "Events").(object)
		for event, e := range events {
			api, isAPI := at(e, "Properties", "RestApiId", "Ref").(string)
			if !isAPI || at(f, "Condition") == at(all, "Resources", api, "Condition") {
				continue
			}
			switched++
			if at(all, "Resources", api, "Properties", "AlwaysDeploy") != true {
				t.Errorf("the event %s of %s depends on %v, and %s has no AlwaysDeploy, so its stage keeps the old routes", event, name, at(f, "Condition"), api)
			}
		}
	}
	if switched == 0 {
		t.Error("no event has a condition")
	}
}
