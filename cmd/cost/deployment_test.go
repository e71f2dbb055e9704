package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/sam/template"
)

const (
	templatePath = "../../template.yaml"
	webACL       = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/w/1a2b"
)

func object(t *testing.T) template.Object {
	t.Helper()
	all, err := template.Read(templatePath)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// monthly returns the usage of a month with both kinds of calls.
func monthly(t *testing.T, all template.Object, parameters map[string]string) usage {
	t.Helper()
	d, err := deploymentOf(all, parameters)
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := d.fixed()
	if err != nil {
		t.Fatal(err)
	}
	return sumOf(d.authorizations(1_000_000), d.creations(10_000), fixed)
}

// setting sets a member of a resource's properties.
func setting(resource string, value any, path ...string) func(template.Object) {
	return func(all template.Object) {
		o := template.At(all, "Resources", resource, "Properties").(template.Object)
		for _, name := range path[:len(path)-1] {
			o = o[name].(template.Object)
		}
		o[path[len(path)-1]] = value
	}
}

// adding adds a resource.
func adding(kind string, properties template.Object) func(template.Object) {
	return func(all template.Object) {
		all["Resources"].(template.Object)["Added"] = template.Object{"Type": "AWS::" + kind, "Properties": properties}
	}
}

func metric(namespace, name string) template.Object {
	return template.Object{"Namespace": namespace, "MetricName": name}
}

// methodsOf returns the number of methods of the service's API.
func methodsOf(all template.Object) (n float64) {
	for _, r := range all["Resources"].(template.Object) {
		sources, _ := template.At(r, "Properties", "Events").(template.Object)
		for _, source := range sources {
			if template.At(source, "Properties", "RestApiId", "Ref") == "Api" {
				n++
			}
		}
	}
	return n
}

// TestEverySwitchOfTheTemplateChangesTheBill: a switch that is thrown in the
// template alone changes what the command counts.
func TestEverySwitchOfTheTemplateChangesTheBill(t *testing.T) {
	before := monthly(t, object(t), nil)
	none := func(template.Object) {}
	settings := func(all template.Object) template.Object {
		return template.Objects(template.At(all, "Resources", "Api", "Properties", "MethodSettings"))[0]
	}
	for _, c := range []struct {
		name       string
		parameters map[string]string
		change     func(template.Object)
		item       string
		least      float64 // how much more is counted, at least; negative: how much less
	}{
		{"Tracing", map[string]string{"Tracing": "Active"}, none, "xray_trace", 880_000},
		{"tracing of functions", nil, func(all template.Object) {
			all["Globals"].(template.Object)["Function"].(template.Object)["Tracing"] = "Active"
		}, "xray_trace", 880_000},
		{"tracing of one function", nil, setting("AuthorizeFunction", "Active", "Tracing"), "xray_trace", 880_000},
		{"tracing of the API", nil, setting("Api", true, "TracingEnabled"), "xray_trace", 880_000},
		{"metrics of methods", nil, func(all template.Object) { settings(all)["MetricsEnabled"] = true }, "metric_month", 5 * methodsOf(deployed(t))},
		{"Vast", map[string]string{"Vast": "true"}, none, "metric_month", 5},
		{"metrics of the alarm with Vast", map[string]string{"Vast": "true"}, none, "alarm_metric_month", 4},
		{"encryption of the log", nil, setting("TokenTable", true, "SSESpecification", "SSEEnabled"), "kms_request", 8_760},
		{"encryption of the copies", nil, setting("AuditTable", true, "SSESpecification", "SSEEnabled"), "kms_request", 8_760},
		{"LogRetentionDays", map[string]string{"LogRetentionDays": "180"}, none, "logs_gb_month", 4.5},
		{"retention", nil, setting("FunctionLogs", 30, "RetentionInDays"), "logs_gb_month", -3},
		{"access log", nil, setting("Api", template.Object{}, "AccessLogSetting"), "logs_gb", 0.004},
		{"ArchiveDays", map[string]string{"ArchiveDays": "0"}, none, "archive_gb", -0.01},
		{"archive", nil, setting("Archive", 4000, "RetentionDays"), "archive_gb_month", 2},
		{"an alarm", nil, adding("CloudWatch::Alarm", metric("AWS/SQS", "M")), "alarm_metric_month", 1},
		{"an alarm of a metric of ours", nil, adding("CloudWatch::Alarm", metric("apitoken", "M")), "metric_month", 1},
		{"an alarm of an expression", nil, adding("CloudWatch::Alarm", template.Object{"Metrics": []any{
			template.Object{"Expression": "a+b"},
			template.Object{"MetricStat": template.Object{"Metric": metric("AWS/SQS", "A")}},
			template.Object{"MetricStat": template.Object{"Metric": metric("apitoken", "B")}},
		}}), "alarm_metric_month", 2},
		{"a metric in an expression", nil, adding("CloudWatch::Alarm", template.Object{"Metrics": []any{
			template.Object{"MetricStat": template.Object{"Metric": metric("apitoken", "B")}},
		}}), "metric_month", 1},
		{"an alarm of a metric of faults", nil, adding("CloudWatch::Alarm", metric("apitoken", "Faults")), "metric_month", 0.0328},
		{"a dashboard", nil, adding("CloudWatch::Dashboard", nil), "dashboard_month", 1},
		{"WebAclArn", map[string]string{"WebAclArn": webACL}, none, "waf_request", 10_000},
		{"a secret", nil, adding("SecretsManager::Secret", nil), "secret_month", 1},
		{"a key", nil, adding("KMS::Key", nil), "kms_key_month", 1},
		{"encryption of an environment", nil, setting("AuthorizeFunction", nil, "KmsKeyArn"), "kms_request", -10_000},
		{"a schedule", nil, setting("ExpireFunction", "rate(1 minute)", "Events", "Clock", "Properties", "Schedule"), "lambda_request", 43_000},
		{"memory", nil, setting("AuthorizeFunction", 512, "MemorySize"), "lambda_gb_second_arm64", 5_000},
		{"Arch", map[string]string{"Arch": "x86_64"}, none, "lambda_gb_second_x86_64", 5_000},
		{"recovery", nil, func(all template.Object) {
			setting("TokenTable", false, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")(all)
			setting("AuditTable", false, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")(all)
		}, "dynamodb_pitr_gb_month", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := object(t)
			c.change(changed)
			more := monthly(t, changed, c.parameters)[c.item] - before[c.item]
			if c.least > 0 && more < c.least || c.least < 0 && more > c.least {
				t.Errorf("%s: got %+g, want at least %+g", c.item, more, c.least)
			}
		})
	}
}

// TestWhatTheCommandDoesNotKnowIsAnError, and not free.
func TestWhatTheCommandDoesNotKnowIsAnError(t *testing.T) {
	for _, c := range []struct {
		change func(template.Object)
		want   string
	}{
		{adding("Kinesis::Stream", nil), "the resource Added has the type AWS::Kinesis::Stream, and"},
		{setting("ExpireFunction", "cron(0 * * * ? *)", "Events", "Clock", "Properties", "Schedule"), `the function ExpireFunction: the schedule "cron(0 * * * ? *)" is not`},
		{setting("ExpireFunction", "rate(1 fortnight)", "Events", "Clock", "Properties", "Schedule"), "an unknown unit; known: minutes, hours, days"},
		{setting("ExpireFunction", "ScheduleV2", "Events", "Clock", "Type"), "an event of the type ScheduleV2"},
		{setting("FunctionLogs", nil, "RetentionInDays"), "the log group FunctionLogs keeps lines for ever"},
		{setting("Archive", nil, "RetentionDays"), "the archive Archive keeps events for ever"},
		{setting("GetFunction", template.Object{"Clock": template.Object{"Type": "Schedule", "Properties": template.Object{"Schedule": "rate(1 day)"}}}, "Events"), "usage.go does not say what a run of GetFunction uses"},
	} {
		all := object(t)
		c.change(all)
		d, err := deploymentOf(all, nil)
		if err == nil {
			_, err = d.fixed()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestEveryMetricOfTheServiceIsCounted: each metric that the code sends is watched by
// an alarm or listed.
func TestEveryMetricOfTheServiceIsCounted(t *testing.T) {
	source, err := os.ReadFile("../../functions/wiring/telemetry/metric.go")
	if err != nil {
		t.Fatal(err)
	}
	watched := watchedMetrics{}
	for _, r := range object(t)["Resources"].(template.Object) {
		if template.At(r, "Type") == "AWS::CloudWatch::Alarm" {
			watched.add(template.At(r, "Properties"))
		}
	}
	sent := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z]\w+)\s+= "([A-Z]\w+)"`).FindAllStringSubmatch(string(source), -1) {
		sent[m[2]] = true
		if watched[m[2]] == nil && unwatched[m[2]] == 0 {
			t.Errorf("usage.go has no number for the metric %s, which no alarm watches", m[2])
		}
	}
	for _, name := range slices.AppendSeq(slices.Clone(ofFaults), maps.Keys(unwatched)) {
		if !sent[name] {
			t.Errorf("usage.go counts the metric %s, which the code does not send", name)
		}
	}
}

// deployed returns the template as it is deployed with the default parameters.
func deployed(t *testing.T) template.Object {
	t.Helper()
	all, err := template.Deployed(object(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
