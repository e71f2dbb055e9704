package sam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const topic = "arn:aws:sns:eu-central-1:123456789012:alarms"

func TestTheFirstDeploymentAsksDeploysAndTests(t *testing.T) {
	s := newScene(t)
	s.write("after-deploy", "CREATE_COMPLETE")
	r := s.run("deploy.sh", "\neu-central-1\nACME\nacme\narn:aws:sns:us-east-1:123456789012:alarms\n"+topic+"\n")
	r.ended(t, false)
	r.says(t, "Name of the stack [apitoken]", "AWS region [eu-north-1]", "Secret scanners", "'ACME' is not possible; allowed: up to 16 of the letters a-z and digits",
		"'arn:aws:sns:us-east-1:123456789012:alarms' is not possible", "account 123456789012, region eu-central-1", "several minutes",
		"https://api.example/prod", "APITOKEN_TOKEN_FILE=")
	r.inOrder(t, "aws|sts|get-caller-identity", "make|-s|build", "sam|build|--build-in-source|--parameter-overrides|Arch=arm64",
		"sam|deploy|--config-env|default|--no-confirm-changeset", "apitoken|peppers|--stack|apitoken", "apitoken|bootstrap|--table|tokens|--out|tokens.token|--first",
		"curl|", "smoke.sh|https://api.example/prod|tokens.token")
	for _, line := range []string{
		`[default.deploy.parameters]`, `stack_name = "apitoken"`, `region = "eu-central-1"`, `capabilities = "CAPABILITY_IAM"`, `resolve_s3 = true`,
		`parameter_overrides = "Arch=\"arm64\" TokenPrefix=\"acme\" AlarmTopic=\"` + topic + `\""`,
	} {
		if !strings.Contains(s.read("samconfig.toml"), line+"\n") {
			t.Errorf("samconfig.toml lacks %s:\n%s", line, s.read("samconfig.toml"))
		}
	}
	if got := readScene(t, s, "bootstrap"); got != "1:pepper-of-the-stack acme\n" {
		t.Errorf("bootstrap got PEPPERS and TOKEN_PREFIX %q", got)
	}
}

func readScene(t *testing.T, s *scene, name string) string {
	t.Helper()
	rel, err := filepath.Rel(s.top, filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return s.read(rel)
}

func TestALaterDeploymentAsksNothing(t *testing.T) {
	s := newScene(t)
	s.existing("UPDATE_COMPLETE")
	s.write("has-admin", "")
	s.write(filepath.Join(s.top, "tokens.token"), "the token of the first deployment")
	s.env = []string{"ARCH=arm64", "STACK=apitoken"}
	r := s.run("deploy.sh", "")
	r.ended(t, false)
	r.inOrder(t, "sam|build", "sam|deploy", "apitoken|bootstrap", "smoke.sh|https://api.example/prod")
	for _, call := range r.calls {
		if strings.HasPrefix(call, "smoke.sh") && call != "smoke.sh|https://api.example/prod" {
			t.Errorf("the smoke test of a later deployment uses a token that it did not make: %s", call)
		}
	}
	if s.read("samconfig.toml") != deployed {
		t.Errorf("samconfig.toml was changed:\n%s", s.read("samconfig.toml"))
	}
}

// TestNothingIsFetchedWithoutCredentials: the SAM CLI and Go's modules are hundreds of
// megabytes.
func TestNothingIsFetchedWithoutCredentials(t *testing.T) {
	for _, script := range []string{"deploy.sh", "undeploy.sh", "outputs.sh", "restore.sh"} {
		s := newScene(t)
		s.existing("CREATE_COMPLETE")
		s.write("fail-get-caller-identity", "Unable to locate credentials")
		if err := os.Remove(filepath.Join(s.dir, "bin/sam")); err != nil { // so that it would be fetched
			t.Fatal(err)
		}
		r := s.run(script, "", "TokenTable=tokens", "AuditTable=copies", "PepperOne=arn:aws:secretsmanager:eu-central-1:123456789012:secret:x")
		r.ended(t, true)
		r.says(t, "there are no valid AWS credentials", "aws sso login")
		if len(r.calls) != 1 || r.index("aws|sts|get-caller-identity") != 0 {
			t.Errorf("%s: want one call:\n%v", script, r)
		}
	}
}

func TestSAMIsFetchedOnlyIfItIsMissing(t *testing.T) {
	s := newScene(t)
	s.existing("UPDATE_COMPLETE")
	r := s.run("deploy.sh", "")
	r.ended(t, false)
	r.never(t, "engines.sh")
	if err := os.Remove(filepath.Join(s.dir, "bin/sam")); err != nil {
		t.Fatal(err)
	}
	r = s.run("deploy.sh", "")
	r.ended(t, false)
	r.says(t, "60 MB to download, 340 MB on the disk")
	r.inOrder(t, "aws|sts|get-caller-identity", "aws|cloudformation|describe-stacks", "engines.sh|tool|sam", "sam|build")
}

func TestDeploySaysWhatToDoWithAStackThatCannotBeUpdated(t *testing.T) {
	for status, want := range map[string]string{
		"ROLLBACK_COMPLETE":                   "run 'make undeploy'",
		"ROLLBACK_FAILED":                     "run 'make undeploy'",
		"CREATE_FAILED":                       "run 'make undeploy'",
		"DELETE_FAILED":                       "run 'make undeploy' again",
		"UPDATE_FAILED":                       "rollback-stack --region eu-central-1 --stack-name apitoken",
		"UPDATE_ROLLBACK_FAILED":              "continue-update-rollback --region eu-central-1 --stack-name apitoken",
		"IMPORT_ROLLBACK_COMPLETE":            "run restore.sh again",
		"CREATE_IN_PROGRESS":                  "Wait until the operation is over",
		"ROLLBACK_IN_PROGRESS":                "Wait until the operation is over",
		"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "Wait until the operation is over",
		"DELETE_IN_PROGRESS":                  "Wait until the operation is over",
		"SOMETHING_NEW":                       "Look at the stack in the console",
	} {
		t.Run(status, func(t *testing.T) {
			s := newScene(t)
			s.existing(status)
			r := s.run("deploy.sh", "")
			r.ended(t, true)
			r.says(t, want, status)
			if !strings.HasSuffix(status, "_IN_PROGRESS") {
				r.says(t, "the quota is reached") // the reason, and not its consequences
				if strings.Contains(r.stderr, "cancelled") {
					t.Errorf("a cancelled resource is no reason:\n%v", r)
				}
			}
			r.never(t, "sam|", "make|", "apitoken|")
		})
	}
}

func TestDeployUpdatesAStackThatCanBeUpdated(t *testing.T) {
	for _, status := range []string{"", "REVIEW_IN_PROGRESS", "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"} {
		t.Run(status, func(t *testing.T) {
			s := newScene(t)
			s.existing(status)
			r := s.run("deploy.sh", "")
			r.ended(t, false)
			r.inOrder(t, "sam|build", "sam|deploy")
		})
	}
}

func TestAFailedDeploymentSaysTheReasonAndTheNextStep(t *testing.T) {
	for after, want := range map[string]string{
		"ROLLBACK_COMPLETE":        "run 'make undeploy'",
		"UPDATE_ROLLBACK_COMPLETE": "The stack is as it was before",
		"UPDATE_ROLLBACK_FAILED":   "continue-update-rollback",
		"":                         "Nothing was created",
	} {
		t.Run(after, func(t *testing.T) {
			s := newScene(t)
			s.existing("")
			s.write("after-deploy", after)
			s.write("fail-deploy", "")
			r := s.run("deploy.sh", "")
			r.ended(t, true)
			r.says(t, "The deployment failed", want)
			if after != "" {
				r.says(t, "Bus\tthe quota is reached")
			}
			r.never(t, "apitoken|", "smoke.sh|")
		})
	}
}

func TestDeployStopsIfACommandFails(t *testing.T) {
	for fail, never := range map[string]string{"-s": "sam|", "build": "sam|deploy", "peppers": "apitoken|bootstrap", "bootstrap": "smoke.sh|"} {
		s := newScene(t)
		s.existing("UPDATE_COMPLETE")
		s.write("fail-"+fail, "")
		r := s.run("deploy.sh", "")
		r.ended(t, true)
		r.never(t, never)
	}
	s := newScene(t)
	s.existing("UPDATE_COMPLETE")
	s.write("fail-https://api.example/prod", "")
	r := s.run("deploy.sh", "")
	r.ended(t, true)
	r.says(t, "The stack is deployed, but the smoke test failed")
}

// TestDeployNamesTheMissingRecordOfADomain: the functions are not to blame, and waiting
// does not help.
func TestDeployNamesTheMissingRecordOfADomain(t *testing.T) {
	s := newScene(t)
	s.existing("UPDATE_COMPLETE")
	s.write("no-dns", "")
	s.write("domain-target", "d-1a2b.execute-api.eu-central-1.amazonaws.com\n")
	r := s.run("deploy.sh", "")
	r.ended(t, true)
	r.says(t, "The stack is deployed, but api.example has no DNS record. Make one that points to d-1a2b.execute-api.eu-central-1.amazonaws.com")
	r.never(t, "smoke.sh|")
}

// TestAFailureInACommandSubstitutionStops: by default bash goes on there.
func TestAFailureInACommandSubstitutionStops(t *testing.T) {
	s := newScene(t)
	s.write(filepath.Join(s.top, "infra/sam/probe.sh"), `set -euo pipefail
cd "$(dirname "$0")/../.."
. infra/sam/stack.sh
two() { false; echo two; }
text=$(two)
echo "went on with $text"
`)
	if r := s.run("probe.sh", ""); !r.failed || strings.Contains(r.stdout, "went on") {
		t.Errorf("the script went on:\n%v", r)
	}
}

func TestDeployRefusesVariablesThatWouldBeIgnored(t *testing.T) {
	for variable, want := range map[string]string{
		"ARCH=x86_64":       "ARCH=x86_64 is given, but samconfig.toml has Arch=arm64",
		"STACK=other":       "STACK=other is given, but samconfig.toml has stack_name=apitoken",
		"CONFIG_ENV=a b":    "CONFIG_ENV is 'a b'; allowed: letters a-z, digits, - and _",
		"CONFIG_ENV=../etc": "CONFIG_ENV is '../etc'",
	} {
		s := newScene(t)
		s.existing("UPDATE_COMPLETE")
		s.env = []string{variable}
		r := s.run("deploy.sh", "")
		r.ended(t, true)
		r.says(t, want)
		r.never(t, "sam|", "make|")
	}
	s := newScene(t)
	s.env = []string{"ARCH=mips"}
	r := s.run("deploy.sh", "")
	r.ended(t, true)
	r.says(t, "ARCH is 'mips'; allowed: arm64, x86_64")
}

// TestASecondStageHasItsOwnSection: the settings of the first one stay.
func TestASecondStageHasItsOwnSection(t *testing.T) {
	s := newScene(t)
	s.existing("")
	s.env = []string{"CONFIG_ENV=staging", "STACK=apitoken-staging", "ARCH=x86_64"}
	r := s.run("deploy.sh", "\nus-west-2\n\n\n")
	r.ended(t, false)
	r.inOrder(t, "sam|build|--build-in-source|--parameter-overrides|Arch=x86_64", "sam|deploy|--config-env|staging", "apitoken|peppers|--stack|apitoken-staging")
	got := s.read("samconfig.toml")
	if !strings.HasPrefix(got, deployed) || !strings.Contains(got, "\n[staging.deploy.parameters]\nstack_name = \"apitoken-staging\"\nregion = \"us-west-2\"\n") {
		t.Errorf("samconfig.toml:\n%s", got)
	}
	for env, want := range map[string]string{"": "aws|cloudformation|describe-stacks|--region|eu-central-1|--stack-name|apitoken|", "staging": "aws|cloudformation|describe-stacks|--region|us-west-2|--stack-name|apitoken-staging|"} {
		s.env = []string{"CONFIG_ENV=" + env}
		s.write("status", "CREATE_COMPLETE")
		r := s.run("outputs.sh", "")
		r.ended(t, false)
		r.inOrder(t, want, want)
	}
}

// TestTheFirstDeploymentTouchesNoOtherStack: it would replace the resources of that one.
func TestTheFirstDeploymentTouchesNoOtherStack(t *testing.T) {
	s := newScene(t)
	s.write("status", "UPDATE_COMPLETE")
	r := s.run("deploy.sh", "shop\neu-central-1\n")
	r.ended(t, true)
	r.says(t, "There is a stack shop in eu-central-1 already", "samconfig.toml")
	r.never(t, "sam|", "make|")
	if got := s.read("samconfig.toml"); got != "" {
		t.Errorf("samconfig.toml was written:\n%s", got)
	}
}

func TestDeployStopsWithoutAnswers(t *testing.T) {
	s := newScene(t)
	r := s.run("deploy.sh", "apitoken\neu-central-1\n")
	r.ended(t, true)
	r.says(t, "there is no answer: standard input has ended")
	r.never(t, "sam|", "make|")
	if got := s.read("samconfig.toml"); got != "" {
		t.Errorf("samconfig.toml was written:\n%s", got)
	}
}

func TestOutputsArePrinted(t *testing.T) {
	s := newScene(t)
	s.existing("CREATE_COMPLETE")
	r := s.run("outputs.sh", "")
	r.ended(t, false)
	if r.stdout != "ApiUrl\thttps://api.example/prod\nBusName\tapitoken\n" {
		t.Errorf("got %q", r.stdout)
	}
	s.write("status", "")
	r = s.run("outputs.sh", "")
	r.ended(t, true)
	r.says(t, "There is no stack apitoken in eu-central-1")
}
