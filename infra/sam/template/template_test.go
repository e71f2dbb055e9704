package template_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestTheTableIsTheOneThatTheStoreDescribes(t *testing.T) {
	table := at(read(t), "Resources", "TokenTable", "Properties")
	d := dynamo.Table("any")
	want(t, table, string(d.BillingMode), "BillingMode")
	want(t, table, schema(d.KeySchema), "KeySchema")
	want(t, table, string(d.StreamSpecification.StreamViewType), "StreamSpecification", "StreamViewType")
	ttl := dynamo.TimeToLive("any").TimeToLiveSpecification
	want(t, table, object{"AttributeName": *ttl.AttributeName, "Enabled": *ttl.Enabled}, "TimeToLiveSpecification")
	var attributes []any
	for _, a := range d.AttributeDefinitions {
		attributes = append(attributes, object{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
	}
	want(t, table, attributes, "AttributeDefinitions")
	var indexes []any
	for _, i := range d.GlobalSecondaryIndexes {
		projection := object{"ProjectionType": string(i.Projection.ProjectionType)}
		if i.Projection.NonKeyAttributes != nil {
			projection["NonKeyAttributes"] = anys(i.Projection.NonKeyAttributes)
		}
		indexes = append(indexes, object{"IndexName": *i.IndexName, "KeySchema": schema(i.KeySchema), "Projection": projection})
	}
	want(t, table, indexes, "GlobalSecondaryIndexes")
}

func schema(keys []types.KeySchemaElement) (l []any) {
	for _, k := range keys {
		l = append(l, object{"AttributeName": *k.AttributeName, "KeyType": string(k.KeyType)})
	}
	return l
}

func anys(words []string) (l []any) {
	for _, w := range words {
		l = append(l, w)
	}
	return l
}

func TestWhatNobodyCouldBringBackIsKept(t *testing.T) {
	template := read(t)
	for _, kind := range []string{"DynamoDB::Table", "SecretsManager::Secret", "KMS::Key"} {
		for name, r := range resources(t, template, kind) {
			want(t, object{name: r}, "Retain", name, "DeletionPolicy")
			want(t, object{name: r}, "Retain", name, "UpdateReplacePolicy")
		}
	}
	for name, r := range resources(t, template, "DynamoDB::Table") {
		properties := at(r, "Properties")
		want(t, properties, nil, "TableName") // a retained table would stand in the way of the next deployment
		want(t, properties, "PAY_PER_REQUEST", "BillingMode")
		want(t, properties, true, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
		want(t, properties, true, "SSESpecification", "SSEEnabled")
		want(t, properties, ref("DeletionProtection"), "DeletionProtectionEnabled")
		if name == "AuditTable" {
			want(t, properties, nil, "TimeToLiveSpecification") // it never forgets
		}
	}
	want(t, template, "true", "Parameters", "DeletionProtection", "Default")
}

func TestEveryRouteHasItsFunction(t *testing.T) {
	var got []httpapi.Route
	for name, f := range functions(t, read(t)) {
		events, _ := at(f, "Properties", "Events").(object)
		for _, e := range events {
			if at(e, "Type") != "Api" {
				continue
			}
			want(t, e, ref("Api"), "Properties", "RestApiId")
			open := at(e, "Properties", "Auth") != nil
			if open {
				want(t, e, object{"Authorizer": "NONE"}, "Properties", "Auth")
			}
			got = append(got, httpapi.Route{
				Function: name, Method: strings.ToUpper(at(e, "Properties", "Method").(string)), Path: at(e, "Properties", "Path").(string), Open: open,
			})
		}
	}
	for _, r := range httpapi.Routes() {
		if !slices.Contains(got, r) {
			t.Errorf("template.yaml lacks %+v", r)
		}
	}
	for _, r := range got {
		if !slices.Contains(httpapi.Routes(), r) {
			t.Errorf("template.yaml has %+v, which is no route of the service", r)
		}
	}
}

func TestEveryFunctionIsDeployed(t *testing.T) {
	template := read(t)
	mains, err := filepath.Glob(top + "functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var built []string
	for _, main := range mains {
		built = append(built, filepath.Base(filepath.Dir(main)))
	}
	deployed := functions(t, template)
	if got := sorted(deployed); !slices.Equal(got, built) {
		t.Errorf("functions in template.yaml: got %v, want those with a main: %v", got, built)
	}
	for name, f := range deployed {
		want(t, f, object{"BuildMethod": "makefile"}, "Metadata")
		p := at(f, "Properties")
		want(t, p, "provided.al2023", "Runtime")
		want(t, p, "bootstrap", "Handler")
		want(t, p, list(ref("Arch")), "Architectures")
		want(t, p, "Active", "Tracing")
		want(t, p, ref("FunctionLogs"), "LoggingConfig", "LogGroup")
		if at(p, "Description") == nil {
			t.Errorf("%s has no description", name)
		}
	}
	want(t, template, ref("LogRetentionDays"), "Resources", "FunctionLogs", "Properties", "RetentionInDays")
	makefile, err := os.ReadFile(top + "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	arch := regexp.MustCompile(`(?m)^ARCH\s*\?=\s*(\S+)$`).FindSubmatch(makefile)
	if arch == nil || string(arch[1]) != at(template, "Parameters", "Arch", "Default") {
		t.Errorf("the Makefile's ARCH is not the template's Arch: %s", arch)
	}
}

// needs is what each kind of function cannot start without.
var needs = map[string]wiring.Need{
	"authorize": wiring.Peppers, "create": wiring.Peppers, "list": wiring.Peppers, "get": wiring.Peppers, "revoke": wiring.Peppers,
	"history": wiring.Peppers, "introspect": wiring.Peppers, "about": 0, "publish": wiring.Bus, "reconcile": wiring.Bus,
}

func TestEveryFunctionHasTheSettingsThatItReads(t *testing.T) {
	template := read(t)
	samples := map[string]string{
		"TOKEN_TABLE": "T", "AUDIT_TABLE": "A", "EVENT_BUS": "B", "TOKEN_PREFIX": "", "AUTHORIZE_IN_HANDLER": "false",
		"AUTHORIZER_ANSWER": at(template, "Parameters", "AuthorizerAnswer", "Default").(string), "PEPPERS": "1:" + strings.Repeat("QUJD", 11),
	}
	sources := map[string]any{
		"TOKEN_TABLE": ref("TokenTable"), "AUDIT_TABLE": ref("AuditTable"), "EVENT_BUS": ref("Bus"), "TOKEN_PREFIX": ref("TokenPrefix"),
		"AUTHORIZE_IN_HANDLER": ref("AuthorizeInHandler"), "AUTHORIZER_ANSWER": ref("AuthorizerAnswer"),
		"PEPPERS": sub("1:{{resolve:secretsmanager:${PepperOne}:SecretString:::}}"),
	}
	for name, f := range functions(t, template) {
		variables := at(f, "Properties", "Environment", "Variables").(object)
		for variable := range variables {
			if _, known := samples[variable]; !known {
				t.Errorf("%s has %s, which nothing reads", name, variable)
			}
			want(t, variables, sources[variable], variable)
		}
		need, known := needs[name]
		if !known {
			want(t, variables, ref("AuditTable"), "AUDIT_TABLE")
			continue
		}
		getenv := func(variable string) string {
			if variables[variable] == nil {
				return ""
			}
			return samples[variable]
		}
		if _, err := wiring.Read(getenv, need); err != nil {
			t.Errorf("%s would not start: %v", name, err)
		}
	}
}

func TestPeppersReachOnlyWhoeverVerifies(t *testing.T) {
	template := read(t)
	for name, f := range functions(t, template) {
		has := at(f, "Properties", "Environment", "Variables", "PEPPERS") != nil
		if verifies := needs[name]&wiring.Peppers != 0; has != verifies {
			t.Errorf("%s has peppers: %v, want %v", name, has, verifies)
		}
		var key any
		if has {
			key = getAtt("ConfigKey.Arn")
		}
		want(t, f, key, "Properties", "KmsKeyArn")
		if decrypts := slices.ContainsFunc(roleOf(t, template, f).policies, func(p any) bool { return reflect.DeepEqual(p, ref("PepperPolicy")) }); decrypts != has {
			t.Errorf("%s may decrypt peppers: %v, want %v", name, decrypts, has)
		}
	}
	for name, s := range resources(t, template, "SecretsManager::Secret") {
		generate := at(s, "Properties", "GenerateSecretString")
		want(t, generate, 44, "PasswordLength")
		excluded, _ := at(generate, "ExcludeCharacters").(string)
		for c := '!'; c <= '~'; c++ {
			if letter := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'; letter == strings.ContainsRune(excluded, c) {
				t.Errorf("%s: %q excluded: %v, want %v", name, c, !letter, letter)
			}
		}
	}
	for name, p := range at(template, "Parameters").(object) {
		if strings.Contains(strings.ToLower(name), "pepper") {
			t.Errorf("parameter %s: a pepper is no parameter, which CloudFormation shows: %v", name, p)
		}
	}
}

func TestTheAPIGuardsAndCachesNothing(t *testing.T) {
	template := read(t)
	for name, api := range resources(t, template, "Serverless::Api") {
		p := at(api, "Properties")
		want(t, p, object{
			"DefaultAuthorizer": "TokenAuthorizer",
			"Authorizers": object{"TokenAuthorizer": object{
				"FunctionArn": getAtt("AuthorizeFunction.Arn"), "FunctionPayloadType": "REQUEST",
				"Identity": object{"Headers": list("Authorization"), "ReauthorizeEvery": 0},
			}},
		}, "Auth")
		want(t, p, nil, "CacheClusterEnabled")
		if name != "Api" {
			continue
		}
		want(t, p, list(object{
			"ResourcePath": "/*", "HttpMethod": "*", "LoggingLevel": "OFF", "DataTraceEnabled": false, "CachingEnabled": false, "MetricsEnabled": true,
			"ThrottlingRateLimit": ref("RequestsPerSecond"), "ThrottlingBurstLimit": ref("RequestBurst"),
		}), "MethodSettings")
		want(t, p, nil, "AccessLogSetting") // one that names headers would log credentials
		want(t, p, true, "TracingEnabled")
	}
	if raw := at(template, "Resources"); len(ofType(raw, "AWS::ApiGateway::GatewayResponse")) > 0 {
		t.Error("gateway responses that are resources are lost with the next deployment of the API's definition")
	}
}

func ofType(all any, kind string) (names []string) {
	for name, r := range all.(object) {
		if at(r, "Type") == kind {
			names = append(names, name)
		}
	}
	return names
}

func TestStreamAndQueueSourcesAreBounded(t *testing.T) {
	template := read(t)
	stream := at(template, "Resources", "PublishFunction", "Properties", "Events", "Stream", "Properties")
	want(t, stream, getAtt("TokenTable.StreamArn"), "Stream")
	want(t, stream, "TRIM_HORIZON", "StartingPosition")
	want(t, stream, list("ReportBatchItemFailures"), "FunctionResponseTypes")
	want(t, stream, true, "BisectBatchOnFunctionError")
	want(t, stream, object{"Type": "SQS", "Destination": getAtt("PublishDeadLetters.Arn")}, "DestinationConfig", "OnFailure")
	want(t, stream, object{"Filters": list(object{"Pattern": `{"eventName":["INSERT"]}`})}, "FilterCriteria")
	if retries, _ := at(stream, "MaximumRetryAttempts").(int); retries < 1 || retries > 10 {
		t.Errorf("MaximumRetryAttempts: got %d; one poison record would hold its shard up", retries)
	}
	if age, _ := at(stream, "MaximumRecordAgeInSeconds").(int); age < 60 || age > 12*3600 {
		t.Errorf("MaximumRecordAgeInSeconds: got %d; the stream forgets after a day", age)
	}
	audit := at(template, "Resources", "AuditFunction", "Properties")
	want(t, audit, list("ReportBatchItemFailures"), "Events", "Queue", "Properties", "FunctionResponseTypes")
	queue := at(template, "Resources", "AuditQueue", "Properties")
	want(t, queue, getAtt("AuditDeadLetters.Arn"), "RedrivePolicy", "deadLetterTargetArn")
	if timeout, visible := at(audit, "Timeout").(int), at(queue, "VisibilityTimeout").(int); visible < 6*timeout {
		t.Errorf("the queue's visibility timeout is %d s, less than six times the function's %d s", visible, timeout)
	}
	for _, target := range objects(at(template, "Resources", "AuditRule", "Properties", "Targets")) {
		want(t, target, object{"Arn": getAtt("AuditDeadLetters.Arn")}, "DeadLetterConfig")
	}
	for name, q := range resources(t, template, "SQS::Queue") {
		want(t, object{name: q}, true, name, "Properties", "SqsManagedSseEnabled")
		want(t, object{name: q}, 1209600, name, "Properties", "MessageRetentionPeriod")
	}
	for _, name := range []string{"ReconcileFunction", "AuditFunction"} {
		want(t, template, "rate(5 minutes)", "Resources", name, "Properties", "Events", "Clock", "Properties", "Schedule")
	}
}

// A rule that matches nothing is no error anywhere: the copies would just stay
// away.
func TestTheAuditRuleMatchesWhatIsPublished(t *testing.T) {
	rule := at(read(t), "Resources", "AuditRule", "Properties")
	want(t, rule, object{"source": list(events.Source)}, "EventPattern")
	want(t, rule, ref("Bus"), "EventBusName")
	targets := objects(at(rule, "Targets"))
	if len(targets) != 1 {
		t.Fatalf("got %d targets, want the queue alone", len(targets))
	}
	want(t, targets[0], getAtt("AuditQueue.Arn"), "Arn")
}

func TestCallersHaveTheirAnswerBeforeTheGatewayGivesUp(t *testing.T) {
	for name, f := range functions(t, read(t)) {
		limit := 29 // seconds, for an integration
		switch name {
		case "authorize":
			limit = 10 // and of those the authorizer's share
		case "publish", "reconcile", "audit":
			continue
		}
		if timeout := at(f, "Properties", "Timeout").(int); timeout > limit {
			t.Errorf("%s may take %d s, want at most %d", name, timeout, limit)
		}
	}
}

func TestEveryTroubleHasItsAlarm(t *testing.T) {
	template := read(t)
	type metric struct{ namespace, name, of string }
	watched := map[metric]bool{}
	for name, a := range resources(t, template, "CloudWatch::Alarm") {
		p := at(a, "Properties")
		want(t, p, "notBreaching", "TreatMissingData")
		want(t, p, object{"Fn::If": list("HasAlarmTopic", list(ref("AlarmTopic")), ref("AWS::NoValue"))}, "AlarmActions")
		if at(p, "AlarmDescription") == nil {
			t.Errorf("%s says nothing to whoever is woken", name)
		}
		for _, d := range objects(at(p, "Dimensions")) {
			of, _ := at(d, "Value", "Ref").(string)
			if attribute := attOf(d["Value"]); attribute != "" {
				of = attribute
			}
			watched[metric{at(p, "Namespace").(string), at(p, "MetricName").(string), at(d, "Name").(string) + "=" + of}] = true
		}
	}
	for _, m := range []metric{
		{"AWS/ApiGateway", "5XXError", "ApiName=AWS::StackName"},
		{telemetry.Namespace, telemetry.Faults, "function=AuthorizeFunction"},
		{"AWS/Lambda", "Throttles", "FunctionName=AuthorizeFunction"},
		{"AWS/Lambda", "Errors", "FunctionName=PublishFunction"},
		{"AWS/Lambda", "IteratorAge", "FunctionName=PublishFunction"},
		{"AWS/Lambda", "Errors", "FunctionName=ReconcileFunction"},
		{"AWS/Lambda", "Errors", "FunctionName=AuditFunction"},
		{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName=PublishDeadLetters.QueueName"},
		{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName=AuditDeadLetters.QueueName"},
		{"AWS/Events", "FailedInvocations", "EventBusName=Bus"},
		{telemetry.Namespace, telemetry.AuditMismatch, "function=AuditFunction"},
		{telemetry.Namespace, telemetry.AuditGap, "function=AuditFunction"},
	} {
		if !watched[m] {
			t.Errorf("no alarm watches %+v", m)
		}
	}
	want(t, template, ref("AWS::StackName"), "Resources", "Api", "Properties", "Name") // which its alarm goes by
}

func TestTheRunbookKnowsEveryAlarm(t *testing.T) {
	readme, err := os.ReadFile(top + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for logical := range resources(t, read(t), "CloudWatch::Alarm") {
		if name := strings.TrimSuffix(logical, "Alarm"); !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("the README does not say what to do about %s", name)
		}
	}
}

func TestParametersExplainThemselves(t *testing.T) {
	template := read(t)
	for name, p := range at(template, "Parameters").(object) {
		if at(p, "Description") == nil || at(p, "Default") == nil {
			t.Errorf("parameter %s lacks a description or a default", name)
		}
	}
	for _, name := range []string{"ApiUrl", "ExampleUrl", "AuthorizerArn", "TokenTableName", "AuditTableName", "BusName", "PepperSecrets"} {
		if at(template, "Outputs", name, "Description") == nil {
			t.Errorf("output %s is missing or says nothing", name)
		}
	}
	for _, name := range []string{"AuthorizerArn", "BusName", "TokenTableName"} {
		if at(template, "Outputs", name, "Export") == nil {
			t.Errorf("output %s cannot be used by another stack", name)
		}
	}
}
