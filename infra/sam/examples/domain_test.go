package examples_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"apitoken/infra/sam/template"
)

// transformed returns template.yaml as CloudFormation gets it with these values of
// parameters.
func transformed(t *testing.T, values map[string]string) object {
	t.Helper()
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at(all, "Globals", "Function").(object)["CodeUri"] = "s3://bucket/code" // as after sam deploy
	for name, value := range values {
		at(all, "Parameters", name).(object)["Default"] = value
	}
	return transform(t, all)
}

// TestADomainSurvivesTheTransform: SAM resolves the name of the stage, and writes the
// switch of the default address into the definition of the API.
func TestADomainSurvivesTheTransform(t *testing.T) {
	off := transformed(t, nil)
	on := transformed(t, map[string]string{
		"DomainName": "tokens.example.com", "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b",
	})
	for name, out := range map[string]object{"off": off, "on": on} {
		servers := template.Objects(at(out, "Resources", "Api", "Properties", "Body", "servers"))
		if len(servers) != 1 || !reflect.DeepEqual(at(servers[0], "x-amazon-apigateway-endpoint-configuration", "disableExecuteApiEndpoint"), object{"Fn::If": []any{"HasDomain", true, false}}) {
			t.Errorf("%s: the definition of the API has the servers %v", name, servers)
		}
		stage, _ := at(out, "Resources", "DomainMapping", "Properties", "Stage", "Ref").(string)
		if at(out, "Resources", stage, "Type") != "AWS::ApiGateway::Stage" || at(out, "Resources", stage, "Properties", "RestApiId", "Ref") != "Api" {
			t.Errorf("%s: the domain leads to %q, want the stage of Api", name, stage)
		}
		if arn, _ := at(out, "Resources", "Firewall", "Properties", "ResourceArn", "Fn::Sub").(string); !strings.HasSuffix(arn, "/restapis/${Api}/stages/${"+stage+"}") {
			t.Errorf("%s: the firewall guards %q", name, arn)
		}
		if at(out, "Rules", "DomainNeedsCertificate", "Assertions") == nil {
			t.Errorf("%s: the rules were lost", name)
		}
	}
}

// TestAParameterOfTheAPIReachesItsStage: SAM names the deployment after the text of the
// API's definition. A condition in the text does not change with its parameter, so the
// deployment must be new each time. A stage without a new deployment keeps the old routes
// and the old switch of the default address.
func TestAParameterOfTheAPIReachesItsStage(t *testing.T) {
	out := transformed(t, nil)
	definition := text(t, at(out, "Resources", "Api", "Properties", "Body"))
	if !strings.Contains(definition, `{"Fn::If":["HasVast",`) {
		t.Errorf("the definition of the API has no condition HasVast, so this test is about nothing")
	}
	first := deploymentOf(t, out)
	time.Sleep(1100 * time.Millisecond) // SAM's name has the time in seconds
	if second := deploymentOf(t, transformed(t, map[string]string{"Vast": "true"})); first == second {
		t.Errorf("without and with Vast the stage has the deployment %s, so it would not serve Vast's routes", first)
	}
}

// deploymentOf returns the name of the deployment that the stage of Api serves.
func deploymentOf(t *testing.T, out object) string {
	t.Helper()
	stage, _ := at(out, "Resources", "DomainMapping", "Properties", "Stage", "Ref").(string)
	name, _ := at(out, "Resources", stage, "Properties", "DeploymentId", "Ref").(string)
	if at(out, "Resources", name, "Type") != "AWS::ApiGateway::Deployment" {
		t.Fatalf("the stage %s has the deployment %q", stage, name)
	}
	return name
}
