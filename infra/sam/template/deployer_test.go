package template_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// handlers has the actions with which CloudFormation creates, reads, changes and deletes
// a resource of a type (the handlers in CloudFormation's schema of the type). Those that
// this template cannot need are left out, such as tags of the caller.
var handlers = map[string]string{
	"AWS::ApiGateway":                  "apigateway:GET apigateway:POST apigateway:PUT apigateway:PATCH apigateway:DELETE",
	"AWS::ApiGateway::BasePathMapping": "apigateway:GET apigateway:POST apigateway:PATCH apigateway:DELETE",
	"AWS::ApiGateway::DomainName":      "apigateway:GET apigateway:POST apigateway:PATCH apigateway:DELETE",
	"AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms cloudwatch:ListTagsForResource " +
		"cloudwatch:TagResource",
	"AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
	"AWS::DynamoDB::Table": "dynamodb:CreateTable dynamodb:DeleteTable dynamodb:DescribeTable dynamodb:UpdateTable " +
		"dynamodb:DescribeContinuousBackups dynamodb:UpdateContinuousBackups dynamodb:DescribeTimeToLive dynamodb:UpdateTimeToLive " +
		"dynamodb:DescribeContributorInsights dynamodb:DescribeKinesisStreamingDestination dynamodb:GetResourcePolicy " +
		"dynamodb:PutResourcePolicy dynamodb:DeleteResourcePolicy dynamodb:ListTagsOfResource dynamodb:TagResource",
	"AWS::Events::Archive":        "events:CreateArchive events:DeleteArchive events:DescribeArchive events:UpdateArchive",
	"AWS::Events::EventBus":       "events:CreateEventBus events:DeleteEventBus events:DescribeEventBus events:UpdateEventBus events:ListTagsForResource events:TagResource",
	"AWS::Events::EventBusPolicy": "events:DescribeEventBus events:PutPermission events:RemovePermission",
	"AWS::Events::Rule":           "events:PutRule events:DeleteRule events:DescribeRule events:PutTargets events:RemoveTargets events:ListTargetsByRule",
	"AWS::IAM::ManagedPolicy": "iam:CreatePolicy iam:DeletePolicy iam:GetPolicy iam:GetPolicyVersion iam:ListPolicyVersions " +
		"iam:ListEntitiesForPolicy iam:CreatePolicyVersion iam:DeletePolicyVersion iam:TagPolicy",
	"AWS::IAM::Policy": "iam:PutRolePolicy iam:DeleteRolePolicy iam:GetRolePolicy",
	"AWS::IAM::Role": "iam:CreateRole iam:DeleteRole iam:GetRole iam:UpdateAssumeRolePolicy iam:AttachRolePolicy iam:DetachRolePolicy " +
		"iam:ListAttachedRolePolicies iam:PutRolePolicy iam:DeleteRolePolicy iam:GetRolePolicy iam:ListRolePolicies iam:TagRole iam:PassRole",
	"AWS::KMS::Alias": "kms:CreateAlias kms:DeleteAlias kms:UpdateAlias kms:ListAliases",
	"AWS::KMS::Key": "kms:CreateKey kms:DescribeKey kms:EnableKeyRotation kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags " +
		"kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:TagResource kms:UpdateKeyDescription",
	"AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping lambda:DeleteEventSourceMapping lambda:GetEventSourceMapping " +
		"lambda:UpdateEventSourceMapping",
	// With KmsKeyArn the caller encrypts the environment, and Lambda gets a grant from the caller.
	"AWS::Lambda::Function": "lambda:CreateFunction lambda:DeleteFunction lambda:GetFunction lambda:GetFunctionCodeSigningConfig " +
		"lambda:GetFunctionConfiguration lambda:GetFunctionRecursionConfig lambda:GetRuntimeManagementConfig lambda:UpdateFunctionCode " +
		"lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency lambda:ListTags " +
		"lambda:TagResource iam:PassRole kms:CreateGrant kms:Decrypt kms:Encrypt s3:GetObject",
	"AWS::Lambda::Permission": "lambda:AddPermission lambda:RemovePermission lambda:GetPolicy",
	"AWS::Logs::LogGroup": "logs:CreateLogGroup logs:DeleteLogGroup logs:DescribeLogGroups logs:DescribeIndexPolicies " +
		"logs:GetDataProtectionPolicy logs:ListTagsForResource logs:PutRetentionPolicy logs:TagResource",
	// GetSecretValue is for the reference {{resolve:secretsmanager:...}}.
	"AWS::SecretsManager::Secret": "secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret " +
		"secretsmanager:GetRandomPassword secretsmanager:GetSecretValue secretsmanager:UpdateSecret secretsmanager:TagResource",
	"AWS::SQS::Queue": "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags sqs:SetQueueAttributes " +
		"sqs:TagQueue",
	"AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes sqs:GetQueueAttributes",
	"AWS::WAFv2::WebACLAssociation": "wafv2:AssociateWebACL wafv2:DisassociateWebACL wafv2:GetWebACL wafv2:GetWebACLForResource " +
		"apigateway:SetWebACL",
}

// madeBySAM has the types of the resources that SAM makes of a type.
var madeBySAM = map[string][]string{
	"AWS::Serverless::Api":      {"AWS::ApiGateway"},
	"AWS::Serverless::Function": {"AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule"},
}

// tools has what sam and `apitoken bootstrap` call.
const tools = "cloudformation:CreateChangeSet cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet cloudformation:DeleteChangeSet " +
	"cloudformation:DescribeStacks cloudformation:DescribeStackEvents cloudformation:GetTemplate cloudformation:GetTemplateSummary " +
	"cloudformation:CreateStack cloudformation:DeleteStack " +
	"cloudformation:ListChangeSets " + // of `sam delete` after a first deployment that made only a change set
	"s3:CreateBucket s3:GetBucketLocation s3:GetBucketPolicy s3:ListBucket s3:PutBucketPolicy s3:PutBucketPublicAccessBlock s3:PutBucketTagging " +
	"s3:PutBucketVersioning s3:PutEncryptionConfiguration s3:GetObject s3:PutObject s3:DeleteObject " +
	"dynamodb:Query dynamodb:PutItem secretsmanager:GetSecretValue"

// awsCommand matches a command of the AWS CLI in a script.
var awsCommand = regexp.MustCompile(`\baws (cloudformation|dynamodb|secretsmanager) (wait )?([a-z-]+)`)

// waitActions has the actions of `aws SERVICE wait NAME`.
var waitActions = map[string]string{
	"table-exists": "DescribeTable", "change-set-create-complete": "DescribeChangeSet", "stack-import-complete": "DescribeStacks",
	"stack-delete-complete": "DescribeStacks",
}

// scriptActions returns the actions of the commands in the scripts, with the script.
func scriptActions(t *testing.T) map[string]string {
	t.Helper()
	scripts, err := filepath.Glob(top + "infra/sam/*.sh")
	if err != nil || len(scripts) < 5 {
		t.Fatalf("got the scripts %v, %v", scripts, err)
	}
	actions := map[string]string{}
	for _, script := range scripts {
		b, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range awsCommand.FindAllStringSubmatch(string(b), -1) {
			action := ""
			for word := range strings.SplitSeq(m[3], "-") {
				action += strings.ToUpper(word[:1]) + word[1:]
			}
			if m[2] != "" {
				if action = waitActions[m[3]]; action == "" {
					t.Fatalf("%s: this test does not know what %q calls", script, m[0])
				}
			}
			actions[m[1]+":"+action] = filepath.Base(script)
		}
	}
	return actions
}

// TestTheDeployersPolicyIsWhatADeploymentNeeds: a role for CI fails half way if a right
// is missing, and a right that nothing needs is a danger.
func TestTheDeployersPolicyIsWhatADeploymentNeeds(t *testing.T) {
	needed := map[string]string{}
	need := func(actions, by string) {
		for action := range strings.FieldsSeq(actions) {
			needed[action] = by
		}
	}
	need(tools, "sam or apitoken bootstrap")
	for action, script := range scriptActions(t) {
		need(action, script)
	}
	for name, r := range at(read(t), "Resources").(object) {
		kind := at(r, "Type").(string)
		for _, k := range append([]string{kind}, madeBySAM[kind]...) {
			if handlers[k] == "" && madeBySAM[k] == nil {
				t.Errorf("%s: this test does not know the actions for the type %s", name, k)
			}
			need(handlers[k], k)
		}
	}
	allowed := deployerActions(t)
	for action, by := range needed {
		if !slices.Contains(allowed, action) {
			t.Errorf("deployer.json lacks %s, which %s needs", action, by)
		}
	}
	for _, action := range allowed {
		if needed[action] == "" {
			t.Errorf("deployer.json allows %s, which nothing needs", action)
		}
	}
}

// everyResource has the statements whose actions IAM cannot limit to names that are
// known before the resource exists.
var everyResource = []string{"WithoutNames"}

// deployerActions returns the actions of deployer.json. It checks that the statements
// are for this stack only, and that the policy is not larger than a managed policy.
func deployerActions(t *testing.T) (all []string) {
	t.Helper()
	b, err := os.ReadFile(top + "infra/sam/deployer.json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []object
	}
	if err := json.Unmarshal(b, &policy); err != nil {
		t.Fatal(err)
	}
	for _, s := range policy.Statement {
		sid := s["Sid"].(string)
		want(t, s, "Allow", "Effect")
		for _, r := range texts(s["Resource"]) {
			if (r == "*") != slices.Contains(everyResource, sid) {
				t.Errorf("statement %s is about the resource %q", sid, r)
			}
		}
		for _, action := range texts(s["Action"]) {
			if strings.Contains(action, "*") {
				t.Errorf("statement %s allows %s", sid, action)
			}
			if slices.Contains(all, action) {
				t.Errorf("two statements allow %s", action)
			}
			if action == "iam:PassRole" {
				want(t, s, object{"StringEquals": object{"iam:PassedToService": "lambda.amazonaws.com"}}, "Condition")
			}
			all = append(all, action)
		}
	}
	compact, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	real := strings.NewReplacer("ACCOUNT", "123456789012", "REGION", "ap-southeast-1", "STACK", "apitoken-production").Replace(string(compact))
	if len(real) > 6144 {
		t.Errorf("the policy has %d characters, want at most 6144, IAM's limit for a managed policy", len(real))
	}
	return all
}
