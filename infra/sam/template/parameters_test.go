package template_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/cmd/readme/readmetest"
)

// TestTheREADMEHasEveryParameterWithItsDefault: a person with an account learns from
// this table what the template would otherwise decide.
func TestTheREADMEHasEveryParameterWithItsDefault(t *testing.T) {
	parameters := at(read(t), "Parameters").(object)
	readmetest.Compare(t, "parameter", readmetest.Names(t, "parameter"), slices.Collect(maps.Keys(parameters)))
	for name, row := range readmetest.Rows(t, "parameter") {
		expected := "none"
		if value := fmt.Sprint(at(parameters, name, "Default")); value != "" {
			expected = "`" + value + "`"
		}
		if len(row) != 3 || row[1] != expected || len(row[2]) < 20 {
			t.Errorf("README.md, parameter %s: got %q, want the default %s and when one wants it", name, row, expected)
		}
	}
}

// TestTheFormGroupsEveryParameter: the console of CloudFormation shows the groups.
func TestTheFormGroupsEveryParameter(t *testing.T) {
	all := read(t)
	var grouped []string
	for _, group := range objects(at(all, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups")) {
		grouped = append(grouped, texts(group["Parameters"])...)
	}
	slices.Sort(grouped)
	if parameters := slices.Sorted(maps.Keys(at(all, "Parameters").(object))); !slices.Equal(grouped, parameters) {
		t.Errorf("the groups have %v, the template has %v", grouped, parameters)
	}
}

// TestTheExampleIsOffUnlessItIsAskedFor: it is a public API without a limit of its own.
func TestTheExampleIsOffUnlessItIsAskedFor(t *testing.T) {
	want(t, read(t), "false", "Parameters", "Example", "Default")
}

// TestDeployAsksForWhatTheTemplateAccepts: an answer that the script accepts and
// CloudFormation refuses would stop the first deployment half way.
func TestDeployAsksForWhatTheTemplateAccepts(t *testing.T) {
	b, err := os.ReadFile(top + "infra/sam/deploy.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ question, good string }{
		"TokenPrefix": {"Token prefix, or nothing", "acme0123456789ab"},
		"AlarmTopic":  {"ARN of the alarm topic, or nothing", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:api_token-Alarms"},
	} {
		_, call, found := strings.Cut(string(b), `(question "`+row.question+`" "" `)
		if !found {
			t.Fatalf("deploy.sh does not ask for %s", name)
		}
		asked := strings.ReplaceAll(call[1:1+strings.IndexByte(call[1:], call[0])], "$region", "us-gov-west-1")
		accepted := at(read(t), "Parameters", name, "AllowedPattern").(string)
		for _, answer := range []string{"", row.good, row.good + "0", "ACME", "a_", "arn:aws:sns:us-gov-west-1:1:x", "a b"} {
			inScript := regexp.MustCompile("^(" + asked + ")$").MatchString(answer)
			inTemplate := regexp.MustCompile("^(" + accepted + ")$").MatchString(answer)
			if inScript && !inTemplate || (answer == "" || answer == row.good) && !inScript {
				t.Errorf("%s %q: deploy.sh accepts it: %t, the template: %t", name, answer, inScript, inTemplate)
			}
		}
	}
}
