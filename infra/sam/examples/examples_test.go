// Package examples_test transforms the templates of this folder as CloudFormation
// does, with the pinned SAM translator. They show how another stack guards its API
// with the authorizer. It transforms template.yaml too. The files for CDK and Terraform are documentation only.
package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"apitoken/functions/payloads"
	"apitoken/infra/sam/template"
	"apitoken/localstack/engines"
)

const top = "../../../"

type object = template.Object

var at = template.At

// exported is the authorizer's ARN, as a template of another stack names it.
var exported = object{"Fn::ImportValue": object{"Fn::Sub": "${ApitokenStack}-authorizer"}}

// TestTheExamplesNameTheExport of template.yaml.
func TestTheExamplesNameTheExport(t *testing.T) {
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	name, _ := at(all, "Outputs", "AuthorizerArn", "Export", "Name", "Fn::Sub").(string)
	want := object{"Fn::ImportValue": object{"Fn::Sub": strings.Replace(name, "AWS::StackName", "ApitokenStack", 1)}}
	for _, file := range []string{"rest-api.yaml", "http-api.yaml"} {
		got := at(authorizerOf(t, read(t, file)), "FunctionArn")
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(got, exported) {
			t.Errorf("%s names the authorizer %v, template.yaml exports %v", file, got, want)
		}
	}
	for _, file := range []string{"cdk.ts", "terraform.tf"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(b); !strings.Contains(text, `"apitoken-authorizer"`) || !strings.Contains(text, "Documentation only: no test runs this file.") {
			t.Errorf("%s does not name the export of the stack apitoken, or does not say that it was not run", file)
		}
	}
}

// TestTheHTTPAPIExpectsTheDefaultAnswer of the authorizer. With the other form API
// Gateway answers 500 to every token.
func TestTheHTTPAPIExpectsTheDefaultAnswer(t *testing.T) {
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	simple := at(all, "Parameters", "AuthorizerAnswer", "Default") == "simple"
	if got := at(authorizerOf(t, read(t, "http-api.yaml")), "EnableSimpleResponses"); got != simple {
		t.Errorf("EnableSimpleResponses is %v, want %t", got, simple)
	}
}

// TestTheExamplesAreGuarded: each call asks the authorizer, without a cache, and API
// Gateway may invoke the authorizer.
func TestTheExamplesAreGuarded(t *testing.T) {
	for file, c := range map[string]struct{ identity, version any }{
		"rest-api.yaml": {"method.request.header.Authorization", nil},
		"http-api.yaml": {[]any{"$request.header.Authorization"}, "2.0"},
	} {
		t.Run(file, func(t *testing.T) {
			out := transform(t, read(t, file))
			body := at(out, "Resources", "Api", "Properties", "Body")
			routes := 0
			for path, methods := range at(body, "paths").(object) {
				for method, operation := range methods.(object) {
					routes++
					if got := at(operation, "security"); !reflect.DeepEqual(got, []any{object{"Token": []any{}}}) {
						t.Errorf("%s %s: its security is %v, want the authorizer Token", method, path, got)
					}
				}
			}
			if routes != 1 {
				t.Errorf("the API has %d routes, want 1", routes)
			}
			schemes := at(body, "components", "securitySchemes")
			if schemes == nil {
				schemes = at(body, "securityDefinitions")
			}
			authorizer := at(schemes, "Token", "x-amazon-apigateway-authorizer")
			if at(authorizer, "type") != "request" || at(authorizer, "authorizerResultTtlInSeconds") != 0.0 ||
				at(authorizer, "authorizerPayloadFormatVersion") != c.version || !reflect.DeepEqual(at(authorizer, "identitySource"), c.identity) {
				t.Errorf("its authorizer is %v", authorizer)
			}
			if simple, _ := at(authorizer, "enableSimpleResponses").(bool); simple {
				t.Error("the API expects simple answers, want policies")
			}
			if !strings.Contains(text(t, at(authorizer, "authorizerUri")), "-authorizer") {
				t.Errorf("its authorizer has the URI %v", at(authorizer, "authorizerUri"))
			}
			if got := permissions(t, out); got != 1 {
				t.Errorf("%d permissions allow to invoke the authorizer, want 1", got)
			}
		})
	}
}

// TestSwitchesOfThePermission: the README names them for APIs of other accounts, and
// for many APIs with one permission.
func TestSwitchesOfThePermission(t *testing.T) {
	rest := read(t, "rest-api.yaml")
	authorizerOf(t, rest)["DisableFunctionDefaultPermissions"] = true
	if got := permissions(t, transform(t, rest)); got != 0 {
		t.Errorf("a REST API with DisableFunctionDefaultPermissions has %d permissions", got)
	}
	http := read(t, "http-api.yaml")
	delete(authorizerOf(t, http), "EnableFunctionDefaultPermissions")
	if got := permissions(t, transform(t, http)); got != 0 {
		t.Errorf("an HTTP API without EnableFunctionDefaultPermissions has %d permissions", got)
	}
	http = read(t, "http-api.yaml")
	authorizerOf(t, http)["EnableSimpleResponses"] = true
	body := at(transform(t, http), "Resources", "Api", "Properties", "Body")
	if got := at(body, "components", "securitySchemes", "Token", "x-amazon-apigateway-authorizer", "enableSimpleResponses"); got != true {
		t.Errorf("an HTTP API with EnableSimpleResponses: got %v", got)
	}
}

// TestTheExamplesGreetTheOwner runs the code of their functions with the payload of a
// request.
func TestTheExamplesGreetTheOwner(t *testing.T) {
	const run = "import json, sys; code = sys.argv[1]; exec(code); print(handler(json.load(sys.stdin), None)['body'])"
	for file, payload := range map[string]string{"rest-api.yaml": "rest-get", "http-api.yaml": "http-get"} {
		code := at(read(t, file), "Resources", "Hello", "Properties", "InlineCode").(string)
		c := exec.CommandContext(t.Context(), python(t), "-c", run, code)
		c.Stdin = bytes.NewReader(payloads.Read(t, payload))
		if out, err := c.CombinedOutput(); err != nil || string(out) != `{"hello": "ann"}`+"\n" {
			t.Errorf("%s: got %s, %v", file, out, err)
		}
	}
}

func TestTheExamplesAreClean(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), engines.Tool(t, "cfn_lint"), "rest-api.yaml", "http-api.yaml").CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("cfn-lint: %v\n%s", err, out)
	}
}

func read(t *testing.T, file string) object {
	t.Helper()
	all, err := template.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func authorizerOf(t *testing.T, all object) object {
	t.Helper()
	a, ok := at(all, "Resources", "Api", "Properties", "Auth", "Authorizers", "Token").(object)
	if !ok {
		t.Fatal("the API has no authorizer Token")
	}
	return a
}

// permissions counts the permissions of API Gateway to invoke the authorizer.
func permissions(t *testing.T, out object) (n int) {
	t.Helper()
	for name, r := range at(out, "Resources").(object) {
		if at(r, "Type") != "AWS::Lambda::Permission" || at(r, "Properties", "FunctionName", "Fn::ImportValue") == nil {
			continue
		}
		n++
		p := at(r, "Properties")
		if at(p, "Action") != "lambda:InvokeFunction" || at(p, "Principal") != "apigateway.amazonaws.com" || !strings.Contains(text(t, at(p, "SourceArn")), "/authorizers/*") {
			t.Errorf("%s: got %v", name, p)
		}
	}
	return n
}

// transform returns a SAM template as CloudFormation gets it.
func transform(t *testing.T, all object) (out object) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "template.json")
	if err := os.WriteFile(file, []byte(text(t, all)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), python(t), "testdata/transform.py", file)
	c.Env = append(os.Environ(), "AWS_DEFAULT_REGION=us-east-1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	b, err := c.Output()
	if err != nil {
		t.Fatalf("transforming: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// python is the Python that has the translator.
func python(t *testing.T) string {
	t.Helper()
	return filepath.Join(filepath.Dir(engines.Tool(t, "sam")), "../venv/bin/python")
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
