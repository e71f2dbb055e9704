package sam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	copiesARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/x"
	pepperARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:PepperOne-aB3dE5"
)

func TestUndeploySaysWhatStays(t *testing.T) {
	s := newScene(t)
	s.existing("CREATE_COMPLETE")
	s.write("after-delete", "")
	r := s.run("undeploy.sh", "")
	r.ended(t, false)
	r.says(t, "table tokens\n", "table copies\n", "secret arn:secret\n", "0.40 USD", "Without the peppers",
		"--table-name copies --no-deletion-protection-enabled\n  aws dynamodb wait table-exists --region eu-central-1 --table-name copies\n  aws dynamodb delete-table --region eu-central-1 --table-name copies\n",
		"aws secretsmanager delete-secret --region eu-central-1 --secret-id arn:secret\n")
	r.inOrder(t, "sam|delete|--stack-name|apitoken|--region|eu-central-1", "aws|dynamodb|delete-resource-policy|--region|eu-central-1|--resource-arn|"+copiesARN)
	if strings.Contains(r.stdout+r.stderr, "kms") {
		t.Errorf("the key does not stay:\n%v", r)
	}
}

// TestADeclinedDeletionChangesNothing: sam ends without an error then. The policy of the
// audit table must stay as long as the stack.
func TestADeclinedDeletionChangesNothing(t *testing.T) {
	s := newScene(t)
	s.existing("CREATE_COMPLETE")
	r := s.run("undeploy.sh", "n\n")
	r.ended(t, true)
	r.says(t, "Stack apitoken is still there")
	r.never(t, "aws|dynamodb|delete-resource-policy")
}

func TestUndeployAfterAFailedFirstDeployment(t *testing.T) {
	for name, row := range map[string]struct {
		resources string
		says      []string
	}{
		"tables without a pepper": {"AWS::DynamoDB::Table TokenTable tokens\n", []string{"table tokens\n", "There is no pepper, so these tables have no tokens"}},
		"nothing was made":        {"", []string{"Nothing stays"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.existing("ROLLBACK_COMPLETE")
			s.write("resources", row.resources)
			s.write("after-delete", "")
			r := s.run("undeploy.sh", "")
			r.ended(t, false)
			r.says(t, row.says...)
			r.inOrder(t, "sam|delete")
			if all := r.stdout + r.stderr; strings.Contains(all, "None") || strings.Contains(all, "delete-secret") {
				t.Errorf("it speaks of a secret that is not there:\n%v", r)
			}
		})
	}
}

func TestUndeployStopsWithoutAStackOrWhileItIsBusy(t *testing.T) {
	for status, want := range map[string]string{"": "There is no stack apitoken in eu-central-1", "UPDATE_IN_PROGRESS": "Wait until the operation is over"} {
		s := newScene(t)
		s.existing(status)
		r := s.run("undeploy.sh", "")
		r.ended(t, true)
		r.says(t, want)
		r.never(t, "sam|")
	}
	s := newScene(t)
	r := s.run("undeploy.sh", "")
	r.ended(t, true)
	r.says(t, "nothing was deployed from this folder")
}

// TestAFaultIsNotAMissingStack: without the right to describe a stack nothing may look deleted.
func TestAFaultIsNotAMissingStack(t *testing.T) {
	for _, script := range []string{"deploy.sh", "undeploy.sh", "outputs.sh"} {
		s := newScene(t)
		s.existing("CREATE_COMPLETE")
		s.write("fail-describe-stacks", "An error occurred (AccessDenied)")
		r := s.run(script, "")
		r.ended(t, true)
		r.says(t, "AccessDenied")
		r.never(t, "sam|")
	}
}

var restoreArgs = []string{"TokenTable=RESTORED", "AuditTable=RESTORED_COPIES", "PepperOne=" + pepperARN}

func TestRestoreImportsTheTablesAndThePepper(t *testing.T) {
	s := newScene(t)
	s.existing("")
	r := s.run("restore.sh", "", restoreArgs...)
	r.ended(t, false)
	r.says(t, "make deploy")
	const region = "|--region|eu-central-1"
	r.inOrder(t,
		"aws|dynamodb|wait|table-exists"+region+"|--table-name|RESTORED",
		"aws|dynamodb|update-table"+region+"|--table-name|RESTORED|--stream-specification|StreamEnabled=true,StreamViewType=NEW_IMAGE",
		"aws|dynamodb|update-time-to-live"+region+"|--table-name|RESTORED|--time-to-live-specification|Enabled=true,AttributeName=ttl",
		"aws|dynamodb|wait|table-exists"+region+"|--table-name|RESTORED",
		"aws|dynamodb|update-continuous-backups"+region+"|--table-name|RESTORED|",
		"aws|dynamodb|update-table"+region+"|--table-name|RESTORED|--deletion-protection-enabled",
		"aws|dynamodb|update-continuous-backups"+region+"|--table-name|RESTORED_COPIES|",
		"aws|dynamodb|update-table"+region+"|--table-name|RESTORED_COPIES|--deletion-protection-enabled",
		"aws|cloudformation|create-change-set"+region+"|--stack-name|apitoken|--change-set-name|restore|--change-set-type|IMPORT|--template-body|file://infra/sam/import.yaml|--resources-to-import|",
		"aws|cloudformation|wait|change-set-create-complete",
		"aws|cloudformation|execute-change-set",
		"aws|cloudformation|wait|stack-import-complete",
		"aws|dynamodb|get-resource-policy"+region+"|--resource-arn|"+copiesARN,
		"aws|dynamodb|delete-resource-policy"+region+"|--resource-arn|"+copiesARN,
	)
	call := r.calls[r.index("aws|cloudformation|create-change-set")]
	const want = `|[{"ResourceType":"AWS::SecretsManager::Secret","LogicalResourceId":"PepperOne","ResourceIdentifier":{"Id":"` + pepperARN + `"}},` +
		`{"ResourceType":"AWS::DynamoDB::Table","LogicalResourceId":"TokenTable","ResourceIdentifier":{"TableName":"RESTORED"}},` +
		`{"ResourceType":"AWS::DynamoDB::Table","LogicalResourceId":"AuditTable","ResourceIdentifier":{"TableName":"RESTORED_COPIES"}}]`
	if !strings.HasSuffix(call, want) {
		t.Errorf("got\n%s\nwant it to end with\n%s", call, want)
	}
}

func TestRestoreLeavesATableWithoutPolicyAlone(t *testing.T) {
	s := newScene(t)
	s.existing("")
	s.write("fail-get-resource-policy", "An error occurred (PolicyNotFoundException)")
	r := s.run("restore.sh", "", restoreArgs...)
	r.ended(t, false)
	r.never(t, "aws|dynamodb|delete-resource-policy")
	s.write("fail-get-resource-policy", "An error occurred (AccessDeniedException)")
	r = s.run("restore.sh", "", restoreArgs...)
	r.ended(t, true)
	r.says(t, "AccessDeniedException")
}

func TestARefusedImportCanBeRepeated(t *testing.T) {
	s := newScene(t)
	s.existing("")
	s.write("bin/aws", `#!/usr/bin/env bash
[[ "$*" != *"wait change-set-create-complete"* ]] || exit 255
exec "$SCENE/bin/real-aws" "$@"
`)
	s.copy("testdata/stub/aws", filepath.Join(s.dir, "bin/real-aws"))
	r := s.run("restore.sh", "", restoreArgs...)
	r.ended(t, true)
	r.says(t, "CloudFormation refuses the import: there is no such table")
	r.inOrder(t, "real-aws|cloudformation|describe-change-set", "real-aws|cloudformation|delete-stack")
	r.never(t, "real-aws|cloudformation|execute-change-set")
}

func TestRestoreChecksItsArguments(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"none":            {nil, "PepperOne is missing; wanted: NAME=VALUE once for each of PepperOne TokenTable AuditTable"},
		"one is missing":  {restoreArgs[:2], "PepperOne is missing"},
		"an unknown one":  {append([]string{"Bus=x"}, restoreArgs...), "got 4 arguments"},
		"one twice":       {append([]string{"TokenTable=x1x"}, restoreArgs...), "TokenTable is 'x1x\nRESTORED'"},
		"no table's name": {[]string{"TokenTable=a b", restoreArgs[1], restoreArgs[2]}, "TokenTable is 'a b'; wanted: the name of a table"},
		"no secret":       {[]string{restoreArgs[0], restoreArgs[1], "PepperOne=1=arn:secret"}, "PepperOne is '1=arn:secret'; wanted: the ARN of a secret"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.existing("")
			r := s.run("restore.sh", "", row.args...)
			r.ended(t, true)
			r.says(t, row.want)
			r.never(t, "aws|")
		})
	}
}

func TestRestoreNeedsANewStack(t *testing.T) {
	s := newScene(t)
	s.existing("CREATE_COMPLETE")
	r := s.run("restore.sh", "", restoreArgs...)
	r.ended(t, true)
	r.says(t, "There is a stack apitoken in eu-central-1", "make undeploy")
	r.never(t, "aws|dynamodb", "aws|cloudformation|create-change-set")
}

// TestAnInterruptedRestoreGoesOn: before the import, and after it.
func TestAnInterruptedRestoreGoesOn(t *testing.T) {
	s := newScene(t)
	s.existing("REVIEW_IN_PROGRESS")
	r := s.run("restore.sh", "", restoreArgs...)
	r.ended(t, false)
	r.inOrder(t, "aws|cloudformation|delete-stack|--region|eu-central-1|--stack-name|apitoken", "aws|cloudformation|wait|stack-delete-complete", "aws|cloudformation|create-change-set")

	s = newScene(t)
	s.existing("IMPORT_COMPLETE")
	s.write("resources", "AWS::DynamoDB::Table TokenTable RESTORED\nAWS::DynamoDB::Table AuditTable RESTORED_COPIES\n")
	r = s.run("restore.sh", "", restoreArgs...)
	r.ended(t, false)
	r.inOrder(t, "aws|dynamodb|delete-resource-policy")
	r.never(t, "aws|cloudformation|create-change-set", "aws|cloudformation|delete-stack")

	s.write("resources", "AWS::DynamoDB::Table TokenTable OTHER\nAWS::DynamoDB::Table AuditTable RESTORED_COPIES\n")
	r = s.run("restore.sh", "", restoreArgs...)
	r.ended(t, true)
	r.says(t, "was imported from other resources")
	r.never(t, "aws|dynamodb")
}

// TestScriptsCanBeRun: the Makefile and the README start them by name.
func TestScriptsCanBeRun(t *testing.T) {
	for _, name := range []string{"deploy.sh", "undeploy.sh", "outputs.sh", "restore.sh"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s: %v, mode %v", name, err, info.Mode())
		}
	}
}
