package template_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/cmd/readme/readmetest"
	"apitoken/events"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/api"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestTheTableIsTheOneThatTheStoreDescribes compares all properties, in both
// directions: `apitoken table create` makes a table without the template.
func TestTheTableIsTheOneThatTheStoreDescribes(t *testing.T) {
	d, ttl, recovery := dynamo.Table("any"), dynamo.TimeToLive("any"), dynamo.Recovery("any")
	described := object{
		"BillingMode":                      string(d.BillingMode),
		"AttributeDefinitions":             []any{},
		"KeySchema":                        schema(d.KeySchema),
		"GlobalSecondaryIndexes":           []any{},
		"TimeToLiveSpecification":          object{"AttributeName": *ttl.TimeToLiveSpecification.AttributeName, "Enabled": *ttl.TimeToLiveSpecification.Enabled},
		"StreamSpecification":              object{"StreamViewType": string(d.StreamSpecification.StreamViewType)},
		"PointInTimeRecoverySpecification": object{"PointInTimeRecoveryEnabled": *recovery.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled},
		"SSESpecification":                 object{"SSEEnabled": *d.SSESpecification.Enabled},
		"DeletionProtectionEnabled":        *d.DeletionProtectionEnabled,
	}
	for _, a := range d.AttributeDefinitions {
		described["AttributeDefinitions"] = append(described["AttributeDefinitions"].([]any),
			object{"AttributeName": *a.AttributeName, "AttributeType": string(a.AttributeType)})
	}
	for _, i := range d.GlobalSecondaryIndexes {
		projection := object{"ProjectionType": string(i.Projection.ProjectionType)}
		if i.Projection.NonKeyAttributes != nil {
			projection["NonKeyAttributes"] = anys(i.Projection.NonKeyAttributes)
		}
		described["GlobalSecondaryIndexes"] = append(described["GlobalSecondaryIndexes"].([]any),
			object{"IndexName": *i.IndexName, "KeySchema": schema(i.KeySchema), "Projection": projection})
	}
	all := read(t)
	table := at(all, "Resources", "TokenTable", "Properties").(object)
	want(t, all, "true", "Parameters", "DeletionProtection", "Default")
	want(t, table, ref("DeletionProtection"), "DeletionProtectionEnabled")
	table["DeletionProtectionEnabled"] = true // the default of the parameter
	for name := range table {
		if _, has := described[name]; !has {
			t.Errorf("infra/dynamo does not describe the property %s", name)
		}
	}
	for name, value := range described {
		want(t, table, value, name)
	}
}

// TestTheDescriptionHasNothingMore names each member of the description that the test
// above compares. A new member would be in no deployed stack.
func TestTheDescriptionHasNothingMore(t *testing.T) {
	d, ttl, recovery := dynamo.Table("any"), dynamo.TimeToLive("any"), dynamo.Recovery("any")
	expectMembers(t, d, "TableName", "BillingMode", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "StreamSpecification",
		"SSESpecification", "DeletionProtectionEnabled")
	for _, i := range d.GlobalSecondaryIndexes {
		expectMembers(t, &i, "IndexName", "KeySchema", "Projection")
	}
	expectMembers(t, d.StreamSpecification, "StreamEnabled", "StreamViewType")
	expectMembers(t, d.SSESpecification, "Enabled")
	expectMembers(t, ttl.TimeToLiveSpecification, "AttributeName", "Enabled")
	expectMembers(t, recovery.PointInTimeRecoverySpecification, "PointInTimeRecoveryEnabled")
}

func expectMembers(t *testing.T, pointer any, names ...string) {
	t.Helper()
	v := reflect.ValueOf(pointer).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if isSet := !v.Field(i).IsZero(); isSet != slices.Contains(names, name) {
			t.Errorf("%T.%s: set is %v", pointer, name, isSet)
		}
	}
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

func TestResourcesThatCannotBeMadeAgainAreRetained(t *testing.T) {
	template := read(t)
	for name, r := range resources(t, template, "DynamoDB::Table") {
		// Not RetainExceptOnCreate: the rollback of a first deployment would fail at the deletion protection.
		want(t, object{name: r}, "Retain", name, "DeletionPolicy")
		want(t, object{name: r}, "Retain", name, "UpdateReplacePolicy")
	}
	for name, r := range resources(t, template, "SecretsManager::Secret") {
		want(t, object{name: r}, "RetainExceptOnCreate", name, "DeletionPolicy")
		want(t, object{name: r}, "Retain", name, "UpdateReplacePolicy")
	}
	for name, r := range resources(t, template, "DynamoDB::Table") {
		properties := at(r, "Properties")
		want(t, properties, nil, "TableName") // a retained table with a fixed name would make the next deployment fail
		want(t, properties, "PAY_PER_REQUEST", "BillingMode")
		want(t, properties, true, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")
		want(t, properties, object{"SSEEnabled": false}, "SSESpecification") // without it, an update of a table that had it fails
		want(t, properties, ref("DeletionProtection"), "DeletionProtectionEnabled")
		if name == "AuditTable" {
			want(t, properties, nil, "TimeToLiveSpecification") // copies never expire
		}
	}
	want(t, template, "true", "Parameters", "DeletionProtection", "Default")
}

// TestTheConfigurationKeyGoesWithTheStack: it encrypts only the environments of the
// functions, which go too. A retained key would cost 1 USD a month for nothing. Its
// deletion can be cancelled for some days.
func TestTheConfigurationKeyGoesWithTheStack(t *testing.T) {
	all := read(t)
	key := at(all, "Resources", "ConfigKey")
	want(t, key, "Delete", "DeletionPolicy")
	want(t, key, "Delete", "UpdateReplacePolicy")
	if days, _ := at(key, "Properties", "PendingWindowInDays").(int); days < 7 || days > 30 {
		t.Errorf("PendingWindowInDays: got %d, want 7 to 30", days)
	}
	for name, f := range functions(t, all) {
		if k := at(f, "Properties", "KmsKeyArn"); k != nil && !reflect.DeepEqual(k, getAtt("ConfigKey.Arn")) {
			t.Errorf("%s has another key: %v", name, k)
		}
	}
	want(t, all, object{"AliasName": sub("alias/${AWS::StackName}-config"), "TargetKeyId": ref("ConfigKey")}, "Resources", "ConfigKeyAlias", "Properties")
}

func TestEveryFunctionIsDeployed(t *testing.T) {
	all := read(t)
	mains, err := filepath.Glob(top + "functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var built, jobs []string
	for _, main := range mains {
		built = append(built, filepath.Base(filepath.Dir(main)))
	}
	for _, job := range api.Jobs() {
		jobs = append(jobs, job.Function)
	}
	deployed := functions(t, all)
	sameFunctions(t, deployed, built, "functions/*/main.go")
	sameFunctions(t, deployed, jobs, "the jobs of wiring/api")
	for name, f := range deployed {
		want(t, f, object{"BuildMethod": "makefile"}, "Metadata")
		p := at(f, "Properties")
		want(t, p, "provided.al2023", "Runtime")
		want(t, p, "bootstrap", "Handler")
		want(t, p, list(ref("Arch")), "Architectures")
		want(t, p, ref("Tracing"), "Tracing")
		want(t, p, ref("FunctionLogs"), "LoggingConfig", "LogGroup")
		role := template.Logical(name, "Role")
		want(t, p, getAtt(role+".Arn"), "Role")
		want(t, all, "AWS::IAM::Role", "Resources", role, "Type")
		if at(p, "Description") == nil {
			t.Errorf("%s has no description", name)
		}
	}
	want(t, all, ref("LogRetentionDays"), "Resources", "FunctionLogs", "Properties", "RetentionInDays")
	makefile, err := os.ReadFile(top + "Makefile")
	if err != nil {
		t.Fatal(err)
	}
	arch := regexp.MustCompile(`(?m)^ARCH\s*\?=\s*(\S+)$`).FindSubmatch(makefile)
	if arch == nil || string(arch[1]) != at(all, "Parameters", "Arch", "Default") {
		t.Errorf("the Makefile's ARCH is not the template's Arch: %s", arch)
	}
}

// sameFunctions names each function that is only in the template or only in the
// other source.
func sameFunctions(t *testing.T, deployed map[string]object, names []string, source string) {
	t.Helper()
	for _, name := range names {
		if deployed[name] == nil {
			t.Errorf("%s is in %s, but template.yaml has no %s", name, source, template.Logical(name, "Function"))
		}
	}
	for name, f := range deployed {
		if !slices.Contains(names, name) {
			t.Errorf("template.yaml has %s, but %s is not in %s", f["logical"], name, source)
		}
	}
}

// variable is an environment variable: the functions that have it, its value in
// the template, and a sample of the deployed value.
type variable struct {
	of     func(wiring.Job) bool
	value  any
	sample string
}

func variables(all object) map[string]variable {
	answer := at(all, "Parameters", "AuthorizerAnswer", "Default").(string)
	return map[string]variable{
		"TOKEN_TABLE":          {readsTheLog, ref("TokenTable"), "T"},
		"AUDIT_TABLE":          {usesCopies, ref("AuditTable"), "A"},
		"EVENT_BUS":            {carries, ref("Bus"), "B"},
		"DEPLOYMENT":           {publishes, object{"Fn::Select": list(2, object{"Fn::Split": list("/", ref("AWS::StackId"))})}, "51af3dc0-da77-11e4-872e-1234567db123"},
		"PUBLIC_URL":           {knowsAddress, object{"Fn::If": list("HasDomain", sub("https://${DomainName}"), ref("AWS::NoValue"))}, "https://tokens.example.com"},
		"OIDC_ISSUERS":         {opensSessions, object{"Fn::If": list("HasOidcIssuers", ref("OidcIssuers"), ref("AWS::NoValue"))}, ""},
		"OIDC_SECRETS":         {opensSessions, object{"Fn::If": list("HasOidcSecrets", sub("{{resolve:secretsmanager:${OidcSecrets}:SecretString:::}}"), ref("AWS::NoValue"))}, ""},
		"TOKEN_PREFIX":         {mints, ref("TokenPrefix"), ""},
		"AUTHORIZE_IN_HANDLER": {authorized, ref("AuthorizeInHandler"), "false"},
		"AUTHORIZER_ANSWER":    {authorizes, ref("AuthorizerAnswer"), answer},
		"PEPPERS":              {hasPeppers, sub("1:{{resolve:secretsmanager:${PepperOne}:SecretString:::}}"), "1:" + strings.Repeat("QUJD", 11)},
	}
}

func TestEveryFunctionHasTheSettingsThatItReads(t *testing.T) {
	all := read(t)
	known := variables(all)
	eachFunction(t, all, func(t *testing.T, job wiring.Job, f object) {
		own, _ := at(f, "Properties", "Environment", "Variables").(object)
		for name := range own {
			if _, read := known[name]; !read {
				t.Errorf("it has the variable %s, which no code reads", name)
			}
		}
		for name, v := range known {
			var value any
			if v.of(job) {
				value = v.value
			}
			want(t, own, value, name)
		}
		getenv := func(name string) string {
			if own[name] == nil {
				return ""
			}
			return known[name].sample
		}
		if _, err := wiring.Read(getenv, job.Need()); err != nil && readsTheLog(job) { // the others read their environment themselves
			t.Errorf("the function would not start: %v", err)
		}
	})
}

func TestPeppersReachOnlyFunctionsThatVerifyOrWrite(t *testing.T) {
	template := read(t)
	eachFunction(t, template, func(t *testing.T, job wiring.Job, f object) {
		has := at(f, "Properties", "Environment", "Variables", "PEPPERS") != nil
		if has != hasPeppers(job) {
			t.Errorf("it has peppers: got %t, want %t", has, hasPeppers(job))
		}
		var key any
		if has {
			key = getAtt("ConfigKey.Arn")
		}
		want(t, f, key, "Properties", "KmsKeyArn")
		if decrypts := slices.Contains(roleOf(t, template, f).policies, "PepperPolicy"); decrypts != has {
			t.Errorf("it may decrypt peppers: got %t, want %t", decrypts, has)
		}
	})
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
			t.Errorf("parameter %s: a pepper may not be a parameter, because CloudFormation shows parameters: %v", name, p)
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
			"ResourcePath": "/*", "HttpMethod": "*", "LoggingLevel": "OFF", "DataTraceEnabled": false, "CachingEnabled": false, "MetricsEnabled": false,
			"ThrottlingRateLimit": ref("RequestsPerSecond"), "ThrottlingBurstLimit": ref("RequestBurst"),
		}, object{"Fn::If": list("HasVast", object{
			"ResourcePath": "/~1api~1{proxy+}", "HttpMethod": "POST", "LoggingLevel": "OFF", "DataTraceEnabled": false, "CachingEnabled": false, "MetricsEnabled": true,
			"ThrottlingRateLimit": ref("RequestsPerSecond"), "ThrottlingBurstLimit": ref("RequestBurst"),
		}, ref("AWS::NoValue"))}), "MethodSettings")
		want(t, p, object{"Fn::If": list("HasTracing", true, false)}, "TracingEnabled")
	}
	want(t, template, object{"Fn::Equals": list(ref("Tracing"), "Active")}, "Conditions", "HasTracing")
	want(t, template, "PassThrough", "Parameters", "Tracing", "Default") // traces cost more than the rest of an authorization
	if raw := at(template, "Resources"); len(ofType(raw, "AWS::ApiGateway::GatewayResponse")) > 0 {
		t.Error("gateway responses that are resources are lost with the next deployment of the API's definition")
	}
}

// contextVariable matches a variable of an access log.
var contextVariable = regexp.MustCompile(`\$context\.([A-Za-z.]+)`)

// TestTheAccessLogHasNoCredentials: headers have credentials, and a client may have
// written a token into a path. Without the parameter there is no log, because the
// account may lack the role for it.
func TestTheAccessLogHasNoCredentials(t *testing.T) {
	all := read(t)
	want(t, all, "false", "Parameters", "AccessLog", "Default")
	want(t, all, "HasAccessLog", "Resources", "AccessLogs", "Condition")
	branches, _ := at(all, "Resources", "Api", "Properties", "AccessLogSetting", "Fn::If").([]any)
	if len(branches) != 3 || branches[0] != "HasAccessLog" || !reflect.DeepEqual(branches[2], ref("AWS::NoValue")) {
		t.Fatalf("AccessLogSetting: got %v, want it only with HasAccessLog", branches)
	}
	want(t, branches[1], sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${AccessLogs}"), "DestinationArn")
	format := at(branches[1], "Format").(string)
	var line map[string]string
	if err := json.Unmarshal([]byte(format), &line); err != nil || len(line) < 5 {
		t.Errorf("the format is not an object of JSON: %v: %s", err, format)
	}
	allowed := []string{"requestId", "requestTimeEpoch", "identity.sourceIp", "httpMethod", "resourcePath", "status", "error.responseType", "authorizer.status", "responseLatency"}
	for _, v := range contextVariable.FindAllStringSubmatch(format, -1) {
		if !slices.Contains(allowed, v[1]) {
			t.Errorf("the access log has $context.%s; allowed: %v", v[1], allowed)
		}
	}
	if n := strings.Count(format, "$"); n != len(line) {
		t.Errorf("the format has %d variables in %d members", n, len(line))
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
	checkFilter(t, stream)
	if retries, _ := at(stream, "MaximumRetryAttempts").(int); retries < 1 || retries > 10 {
		t.Errorf("MaximumRetryAttempts: got %d; want 1 to 10, because one bad record would block its shard", retries)
	}
	if age, _ := at(stream, "MaximumRecordAgeInSeconds").(int); age < 60 || age > 12*3600 {
		t.Errorf("MaximumRecordAgeInSeconds: got %d; want 60 to 43200, because the stream deletes records after a day", age)
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
}

// checkFilter checks that the function gets records and notices, and nothing that it
// would skip: with the first use of each token it would be invoked for nothing.
func checkFilter(t *testing.T, stream any) {
	t.Helper()
	filters := objects(at(stream, "FilterCriteria", "Filters"))
	if len(filters) != 1 {
		t.Fatalf("got %d filters, want 1: Lambda takes what passes any of them", len(filters))
	}
	var pattern struct {
		EventName []string `json:"eventName"`
		DynamoDB  struct {
			Keys struct{ SK struct{ S []any } }
		} `json:"dynamodb"`
	}
	if err := json.Unmarshal([]byte(at(filters[0], "Pattern").(string)), &pattern); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pattern.EventName, []string{"INSERT"}) {
		t.Errorf("eventName: got %v, want INSERT: a deletion by the time to live must not be published", pattern.EventName)
	}
	passes := func(key item.Item) bool {
		sk := item.TextOf(key, item.SK)
		return slices.ContainsFunc(pattern.DynamoDB.Keys.SK.S, func(rule any) bool {
			if prefix, ok := at(rule, "prefix").(string); ok {
				return strings.HasPrefix(sk, prefix)
			}
			return rule == sk
		})
	}
	for _, key := range []item.Item{item.MessageKey("user/ann/7"), item.MessageKey("settings/1"), item.MessageKey("TokenExpiring/x")} {
		if !passes(key) {
			t.Errorf("the filter drops the message with the key %v", key)
		}
	}
	head, err := item.HeadKey(events.UserStream("ann"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []item.Item{head, item.ViewKey("JhxND7ci"), item.UseKey("JhxND7ci"), item.ReplyKey("x")} {
		if passes(key) {
			t.Errorf("the item with the key %v invokes the function", key)
		}
	}
}

// TestEveryFunctionIsCalled: no deployment fails because of a function without a
// caller. API Gateway calls the authorizer because the API's definition names it.
func TestEveryFunctionIsCalled(t *testing.T) {
	eachFunction(t, read(t), func(t *testing.T, job wiring.Job, f object) {
		events, _ := at(f, "Properties", "Events").(object)
		if len(events) == 0 && !job.Authorizes {
			t.Error("no event calls it")
		}
		var schedules, expected []any
		for _, e := range events {
			if at(e, "Type") == "Schedule" {
				schedules = append(schedules, at(e, "Properties", "Schedule"))
			}
		}
		if job.Every > 0 {
			expected = list(fmt.Sprintf("rate(%.0f minutes)", job.Every.Minutes()))
		}
		if !reflect.DeepEqual(schedules, expected) {
			t.Errorf("its schedules are %v, want %v", schedules, expected)
		}
	})
}

// TestTheAuditRuleMatchesPublishedEvents: no deployment fails because of a rule
// that matches no event. The copies would silently be missing.
func TestTheAuditRuleMatchesPublishedEvents(t *testing.T) {
	rule := at(read(t), "Resources", "AuditRule", "Properties")
	want(t, rule, object{"source": list(events.Source)}, "EventPattern")
	want(t, rule, ref("Bus"), "EventBusName")
	targets := objects(at(rule, "Targets"))
	if len(targets) != 1 {
		t.Fatalf("got %d targets, want the queue alone", len(targets))
	}
	want(t, targets[0], getAtt("AuditQueue.Arn"), "Arn")
}

func TestFunctionsAnswerBeforeTheGatewayTimesOut(t *testing.T) {
	eachFunction(t, read(t), func(t *testing.T, job wiring.Job, f object) {
		limit := 29 // seconds, for an integration
		switch {
		case job.Authorizes:
			limit = 10 // the part of those 29 seconds for the authorizer
		case background(job):
			return
		}
		if timeout := at(f, "Properties", "Timeout").(int); timeout > limit {
			t.Errorf("it may take %d s, want at most %d", timeout, limit)
		}
	})
}

// saysWhatToDo matches two or more sentences, with a later one that begins with what
// to do.
var saysWhatToDo = regexp.MustCompile(`^[A-Z][^.]+\. ([A-Z][^.]+\. )*(Look|Check|Find|Run|Raise|Remove|Keep) [^.]+\.$`)

func TestEveryTroubleHasAnAlarm(t *testing.T) {
	all := read(t)
	watched := map[watchedMetric]bool{}
	for name, a := range alarms(t, all) {
		want(t, a.properties, object{"Fn::If": list("HasAlarmTopic", list(ref("AlarmTopic")), ref("AWS::NoValue"))}, "AlarmActions")
		if text, _ := at(a.properties, "AlarmDescription").(string); !saysWhatToDo.MatchString(text) || len(text) > 1024 { // CloudWatch's limit
			t.Errorf("%s has the description %q; the person on call needs a sentence about what happened, and one about what to do", name, text)
		}
		for _, m := range a.metrics {
			watched[m.watchedMetric] = true
		}
	}
	troubles := []watchedMetric{
		{"AWS/ApiGateway", "5XXError", "ApiName=AWS::StackName Stage=StageName"}, // of all functions that answer calls
		{"AWS/Lambda", "IteratorAge", "FunctionName=PublishFunction"},
		{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName=PublishDeadLetters.QueueName"},
		{"AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName=AuditDeadLetters.QueueName"},
		{"AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName=AuditQueue.QueueName"},
		{"AWS/Events", "FailedInvocations", "EventBusName=Bus RuleName="},
		{telemetry.Namespace, telemetry.AuditMismatch, "function=AuditFunction"},
		{telemetry.Namespace, telemetry.AuditGap, "function=AuditFunction"},
		{telemetry.Namespace, telemetry.Kept, "function=AuditFunction"},
		{telemetry.Namespace, telemetry.AuditMismatch, "function=VerifyFunction"},
		{telemetry.Namespace, telemetry.Unverified, "function=VerifyFunction"},
		{telemetry.Namespace, telemetry.Damaged, telemetry.LogGroup + "=FunctionLogs"},
		{telemetry.Namespace, telemetry.UsesNotStored, telemetry.LogGroup + "=FunctionLogs"},
		{telemetry.Namespace, telemetry.NoticesNotStored, telemetry.LogGroup + "=FunctionLogs"},
	}
	for _, job := range api.Jobs() {
		f := template.Logical(job.Function, "Function")
		if authorizes(job) {
			troubles = append(troubles, watchedMetric{telemetry.Namespace, telemetry.Faults, "function=" + f}, watchedMetric{"AWS/Lambda", "Throttles", "FunctionName=" + f})
		}
		if background(job) || authorizes(job) {
			troubles = append(troubles, watchedMetric{"AWS/Lambda", "Errors", "FunctionName=" + f})
		}
		if carries(job) && job.Every == 0 || keepsCopies(job) || verifies(job) { // they fail without an error
			troubles = append(troubles, watchedMetric{telemetry.Namespace, telemetry.Faults, "function=" + f})
		}
		if carries(job) {
			troubles = append(troubles, watchedMetric{telemetry.Namespace, telemetry.ToKeep, "function=" + f})
		}
		if job.Every > 0 {
			troubles = append(troubles, watchedMetric{"AWS/Lambda", "Invocations", "FunctionName=" + f})
		}
	}
	for _, m := range troubles {
		if !watched[m] {
			t.Errorf("no alarm watches %+v", m)
		}
	}
	want(t, all, ref("AWS::StackName"), "Resources", "Api", "Properties", "Name")         // the alarm uses this name
	want(t, all, ref("FunctionLogs"), "Globals", "Function", "LoggingConfig", "LogGroup") // the dimension of the alarms
	want(t, all, nil, "Resources", "FunctionLogs", "Properties", "LogGroupName")          // CloudFormation makes a name of this stack's own
	want(t, all, "INFO", "Globals", "Function", "LoggingConfig", "ApplicationLogLevel")   // the level of the lines with metrics
}

// TestAlarmsTreatMissingDataAsTheyMust: only the alarms about schedules fire without
// data. Each of them waits for two runs, so that a late run or a late metric is no
// reason, and no longer than for three. A new one waits as long before it fires: its
// schedule has not run yet.
func TestAlarmsTreatMissingDataAsTheyMust(t *testing.T) {
	every := map[string]int{}
	for _, job := range api.Jobs() {
		every[template.Logical(job.Function, "Function")] = int(job.Every.Seconds())
	}
	for name, a := range alarms(t, read(t)) {
		missing, warmUp := "notBreaching", any(nil)
		if strings.HasSuffix(name, "StoppedAlarm") {
			missing = "breaching"
			warmUp = object{"WarmUpPeriodDurationInMinutes": a.periods * a.metrics[0].period / 60, "OnlyStartEvaluatingAfterWarmUpPeriodEnds": true}
			_, of, _ := strings.Cut(a.metrics[0].dimensions, "=")
			if window := a.periods * a.metrics[0].period; window < 2*every[of] || window > 3*every[of] || every[of] == 0 {
				t.Errorf("%s waits %d s for a run of %s, which runs every %d s", name, window, of, every[of])
			}
		}
		want(t, a.properties, missing, "TreatMissingData")
		want(t, a.properties, warmUp, "WarmUpConfiguration")
	}
}

func TestTheRunbookKnowsEveryAlarm(t *testing.T) {
	const header = "alarm"
	var names []string
	for logical := range resources(t, read(t), "CloudWatch::Alarm") {
		names = append(names, strings.TrimSuffix(logical, "Alarm"))
	}
	readmetest.Compare(t, header, readmetest.Names(t, header), names)
}

// TestTheRunbookStopsEveryFunctionThatChecksTokens: in a restored table revoked
// tokens are live again, until they are revoked there.
func TestTheRunbookStopsEveryFunctionThatChecksTokens(t *testing.T) {
	readme, err := os.ReadFile(top + "infra/sam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, restore, _ := strings.Cut(string(readme), "**Restore without reviving revoked tokens.**")
	step, _, found := strings.Cut(restore, "\n2. ")
	if !found || !strings.Contains(step, "put-function-concurrency") {
		t.Fatalf("the runbook has no step that stops functions before a restore: %q", step)
	}
	for _, job := range api.Jobs() {
		f := "`" + template.Logical(job.Function, "Function") + "`"
		if stops := strings.Contains(step, f); stops != (authorizes(job) || job.Direct || opensSessions(job)) {
			t.Errorf("the first step stops %s: got %t, want %t", f, stops, !stops)
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
	for _, name := range []string{"ApiUrl", "ExampleUrl", "AuthorizerArn", "TokenTableName", "AuditTableName", "BusName", "PepperSecrets", "AuditQueueArn", "AuditDeadLettersArn", "DashboardName", "DomainTarget", "DomainZone"} {
		if at(template, "Outputs", name, "Description") == nil {
			t.Errorf("output %s is missing or has no description", name)
		}
	}
	for _, name := range []string{"AuthorizerArn", "BusName", "TokenTableName"} {
		if at(template, "Outputs", name, "Export") == nil {
			t.Errorf("output %s cannot be used by another stack", name)
		}
	}
}
