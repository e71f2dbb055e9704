package template_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/item"
)

// widget is a part of the dashboard.
type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Region, Stat string
		Period              int
		Metrics             [][]any
	}
}

// metrics are the metrics that the widget shows.
func (w widget) metrics(t *testing.T) (all []watchedMetric) {
	t.Helper()
	for _, row := range w.Properties.Metrics {
		options, _ := row[len(row)-1].(object)
		if text, ok := options["expression"].(string); ok {
			all = append(all, searched(t, text))
			continue
		}
		if options != nil {
			row = row[:len(row)-1]
		}
		if w.Properties.Stat == "" && options["stat"] == nil {
			t.Errorf("%s: %v has no statistic", w.Properties.Title, row)
		}
		names := texts(row)
		if len(names) < 4 || len(names)%2 != 0 {
			t.Fatalf("%s: %v is not a namespace, a metric and its dimensions", w.Properties.Title, row)
		}
		var dimensions []string
		for pair := range slices.Chunk(names[2:], 2) {
			dimensions = append(dimensions, pair[0]+"="+resourceIn(pair[1]))
		}
		all = append(all, watchedMetric{names[0], names[1], strings.Join(dimensions, " ")})
	}
	return all
}

// searchForm is the form of the SEARCH expressions: all reasons of one function.
var searchForm = regexp.MustCompile(`^SEARCH\('\{(\w+),function,reason\} MetricName="(\w+)" function="\$\{(\w+)\}"', 'Sum', 300\)$`)

// searched is the metric that the expression finds, with any reason.
func searched(t *testing.T, text string) watchedMetric {
	t.Helper()
	m := searchForm.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("this test cannot read the expression %s", text)
	}
	return watchedMetric{m[1], m[2], "function=" + m[3] + " reason=*"}
}

// resourceIn is the variable that is the whole text.
func resourceIn(text string) string {
	name, _ := strings.CutPrefix(text, "${")
	return strings.TrimSuffix(name, "}")
}

func widgets(t *testing.T, all object) []widget {
	t.Helper()
	body, _ := at(all, "Resources", "Dashboard", "Properties", "DashboardBody", "Fn::Sub").(string)
	var dashboard struct{ Widgets []widget }
	if err := json.Unmarshal([]byte(body), &dashboard); err != nil {
		t.Fatalf("the body of the dashboard: %v", err)
	}
	return dashboard.Widgets
}

// TestTheDashboardShowsTheService: it is deployed without being asked for, and every
// widget has its place.
func TestTheDashboardShowsTheService(t *testing.T) {
	all := read(t)
	want(t, all, nil, "Resources", "Dashboard", "Condition")
	want(t, all, sub("${AWS::StackName}-${AWS::Region}"), "Resources", "Dashboard", "Properties", "DashboardName") // for all regions of an account
	wanted := []string{
		"Refusals by reason", "Latency of the authorizer (ms)", "Latency of the API (ms)", "Lag of the events (s; right: ms)", "Dead letters", "Faults",
	}
	var titles []string
	places := map[[2]int]string{}
	for _, w := range widgets(t, all) {
		titles = append(titles, w.Properties.Title)
		if w.Type != "metric" || w.Properties.Region != "${AWS::Region}" || w.Properties.Period != 300 || w.X+w.Width > 24 {
			t.Errorf("got the widget %+v, want a metric of this region in periods of 300 seconds, within 24 columns", w)
		}
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				if other := places[[2]int{x, y}]; other != "" {
					t.Fatalf("%s and %s are at the same place", other, w.Properties.Title)
				}
				places[[2]int{x, y}] = w.Properties.Title
			}
		}
	}
	if !slices.Equal(titles, wanted) {
		t.Errorf("got the widgets %q, want %q", titles, wanted)
	}
}

// metricsOfAWS has the dimensions of AWS's metrics, from the guides of the services.
var metricsOfAWS = map[string]string{
	"AWS/ApiGateway 5XXError": "ApiName Stage", "AWS/ApiGateway Latency": "ApiName Stage",
	"AWS/Lambda Duration": "FunctionName", "AWS/Lambda IteratorAge": "FunctionName", "AWS/Lambda Throttles": "FunctionName",
	"AWS/SQS ApproximateAgeOfOldestMessage": "QueueName", "AWS/SQS ApproximateNumberOfMessagesVisible": "QueueName",
}

// resourceOfDimension has the type of the resource whose name is the dimension, and the
// attribute with the name.
var resourceOfDimension = map[string]struct{ kind, attribute string }{
	"FunctionName": {"AWS::Serverless::Function", ""}, "function": {"AWS::Serverless::Function", ""},
	"QueueName": {"AWS::SQS::Queue", "QueueName"}, telemetry.LogGroup: {"AWS::Logs::LogGroup", ""},
}

// TestTheDashboardNamesMetricsAndResourcesThatExist: CloudWatch shows an empty line for
// any other metric.
func TestTheDashboardNamesMetricsAndResourcesThatExist(t *testing.T) {
	all := read(t)
	for _, w := range widgets(t, all) {
		for _, m := range w.metrics(t) {
			var names []string
			for d := range strings.FieldsSeq(m.dimensions) {
				name, value, _ := strings.Cut(d, "=")
				names = append(names, name)
				checkDimension(t, all, name, value)
			}
			if expected := metricsOfAWS[m.namespace+" "+m.name]; m.namespace != telemetry.Namespace && strings.Join(names, " ") != expected {
				t.Errorf("%+v: got the dimensions %q, want %q", m, names, expected)
			}
		}
	}
}

func checkDimension(t *testing.T, all object, name, value string) {
	t.Helper()
	switch name {
	case "reason":
		return
	case "ApiName": // the property Name of Api
		want(t, all, ref(value), "Resources", "Api", "Properties", "Name")
		return
	case "Stage":
		want(t, all, ref(value), "Resources", "Api", "Properties", "StageName")
		return
	}
	resource, attribute, _ := strings.Cut(value, ".")
	expected := resourceOfDimension[name]
	if at(all, "Resources", resource, "Type") != expected.kind || attribute != expected.attribute || at(all, "Resources", resource, "Condition") != nil {
		t.Errorf("the dimension %s=%s: want an unconditional resource of the type %q and its attribute %q", name, value, expected.kind, expected.attribute)
	}
}

// TestTheFunctionsCountWhatTheDashboardShows runs the functions. It finds each metric of
// ours on the dashboard in their logs, with the same dimensions.
func TestTheFunctionsCountWhatTheDashboardShows(t *testing.T) {
	skipIfShort(t)
	good, fresh, late := newToken(t), newRecord(t, 0), newRecord(t, lateAge)
	damaged := aws{items: func(string, object) []item.Item { return []item.Item{item.ViewKey(good.id)} }}
	counted := map[watchedMetric]bool{}
	runs := []run{
		{"authorize", good.question(), aws{}}, {"authorize", good.question(), everythingDead}, {"authorize", good.question(), damaged},
		{"self", whoAmI(t), aws{}},
		{"publish", fresh.inserted(t), aws{}},
		{"reconcile", payloads.Read(t, "schedule"), aws{items: late.unsent}},
	}
	var names []string
	for _, r := range runs {
		names = append(names, r.function)
	}
	slices.Sort(names)
	dir := buildFunctions(t, slices.Compact(names)...)
	for _, r := range runs {
		for m := range r.invoke(t, dir).counted {
			if i := strings.Index(m.dimensions, " reason="); i >= 0 {
				m.dimensions = m.dimensions[:i] + " reason=*"
			}
			counted[m] = true
		}
	}
	for _, w := range widgets(t, read(t)) {
		for _, m := range w.metrics(t) {
			if m.namespace == telemetry.Namespace && !counted[m] {
				t.Errorf("%s shows %+v, which no run counted", w.Properties.Title, m)
			}
		}
	}
	if t.Failed() {
		t.Logf("counted: %v", counted)
	}
}

// whoAmI is the call without a token, which self refuses itself.
func whoAmI(t *testing.T) []byte {
	t.Helper()
	var call object
	if err := json.Unmarshal(payloads.Read(t, "rest-get"), &call); err != nil {
		t.Fatal(err)
	}
	const path = "/v1/session/who-am-i"
	call["resource"], call["path"], call["pathParameters"] = path, path, nil
	call["headers"], call["multiValueHeaders"] = object{}, object{}
	call["requestContext"].(object)["authorizer"] = nil
	b, err := json.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
