package template_test

import (
	"net/http"
	"slices"
	"testing"

	"apitoken/events/token"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring/telemetry"
)

const (
	gatewayMetrics = "AWS/ApiGateway"
	lambdaMetrics  = "AWS/Lambda"
)

// The metrics of ApiErrors with the function vast. functions/wiring/api shows that
// every function counts its faults so.
var (
	faultsOfStack = watchedMetric{telemetry.Namespace, telemetry.Faults, telemetry.LogGroup + "=FunctionLogs"}
	answersOfAPI  = watchedMetric{gatewayMetrics, "5XXError", "ApiName=AWS::StackName Stage=StageName"}
	answersOfVAST = watchedMetric{gatewayMetrics, "5XXError", "ApiName=AWS::StackName Method=POST Resource=/api/{proxy+} Stage=StageName"}
	crashesOfVAST = watchedMetric{lambdaMetrics, "Errors", "FunctionName=VastFunction"}
	throttledVAST = watchedMetric{lambdaMetrics, "Throttles", "FunctionName=VastFunction"}
)

// TestApiErrorsWatchesFaultsAndNotRefusals: more than five faults of the functions or
// failures of the gateway in five minutes fire the alarm. VAST's 503 at the token limit
// never does.
func TestApiErrorsWatchesFaultsAndNotRefusals(t *testing.T) {
	type sums = map[watchedMetric]float64
	without, with := []watchedMetric{answersOfAPI}, []watchedMetric{faultsOfStack, answersOfAPI, answersOfVAST, crashesOfVAST, throttledVAST}
	for _, c := range []struct {
		name string
		vast bool
		sums sums
		want bool
	}{
		{"without vast, nothing", false, sums{}, false},
		{"without vast, five answers", false, sums{answersOfAPI: 5}, false},
		{"without vast, six answers", false, sums{answersOfAPI: 6}, true},

		{"nothing", true, sums{}, false},
		{"a thousand creates at the limit", true, sums{answersOfAPI: 1000, answersOfVAST: 1000}, false},
		{"five faults in other calls", true, sums{answersOfAPI: 5, faultsOfStack: 5}, false},
		{"six faults in other calls", true, sums{answersOfAPI: 6, faultsOfStack: 6}, true},
		{"faults whose answers the gateway counted earlier", true, sums{faultsOfStack: 6}, true},
		{"faults whose log lines are late", true, sums{answersOfAPI: 6}, true},
		{"six faults in VAST's creates among many at the limit", true, sums{answersOfAPI: 1006, answersOfVAST: 1006, faultsOfStack: 6}, true},
		{"the gateway fails in other calls, among creates at the limit", true, sums{answersOfAPI: 1006, answersOfVAST: 1000}, true},
		{"three faults and three failures of the gateway", true, sums{answersOfAPI: 6, faultsOfStack: 3}, true},
		{"two faults and three failures of the gateway", true, sums{answersOfAPI: 5, faultsOfStack: 2}, false},
		{"VAST's creates crash", true, sums{answersOfAPI: 6, answersOfVAST: 6, crashesOfVAST: 6}, true},
		{"VAST's creates find no instance", true, sums{answersOfAPI: 6, answersOfVAST: 6, throttledVAST: 6}, true},
		{"three crashes and three faults in VAST's creates", true, sums{answersOfAPI: 6, answersOfVAST: 6, crashesOfVAST: 3, faultsOfStack: 3}, true},
	} {
		a := alarms(t, deployed(t, c.vast))["ApiErrorsAlarm"]
		expected := without
		if c.vast {
			expected = with
		}
		byID := map[string]float64{}
		for _, m := range a.metrics {
			if !slices.Contains(expected, m.watchedMetric) || m.stat != "Sum" || m.period != 300 {
				t.Fatalf("%s: the alarm watches %+v, which this test does not expect", c.name, m)
			}
			byID[m.id] = c.sums[m.watchedMetric]
		}
		if len(a.metrics) != len(expected) {
			t.Fatalf("%s: the alarm has the metrics %+v, want %+v", c.name, a.metrics, expected)
		}
		if got := a.fires(t, byID); got != c.want || a.periods != 1 || a.needed != 1 {
			t.Errorf("%s: fires %t, want %t", c.name, got, c.want)
		}
	}
}

// TestOnlyAPOSTOfVASTAnswers5xxWithoutAFault: ApiErrors leaves out the answers of these
// calls, which must be the template's path and method, with a metric of their own.
func TestOnlyAPOSTOfVASTAnswers5xxWithoutAFault(t *testing.T) {
	for _, f := range faces.All() {
		for _, code := range machine.Codes() {
			p := machine.NewProblem(code, "No.")
			if p.Status >= 500 || f.Form(p).Status < 500 {
				continue
			}
			if f.Under != "/api/" || code != token.CodeLimitReached {
				t.Errorf("the face of %s answers %s with 5xx, and the alarm ApiErrors counts it as a failure", f.Calls[0].Function, code)
			}
		}
		for _, c := range f.Calls {
			if f.Under == "/api/" && c.Mints && c.Method != http.MethodPost {
				t.Errorf("%s %s may meet the token limit, and ApiErrors leaves out only POST", c.Method, c.Path)
			}
		}
	}
	all := read(t)
	post := at(all, "Resources", "VastFunction", "Properties", "Events", "Post", "Properties")
	want(t, post, "post", "Method")
	want(t, post, "/api/{proxy+}", "Path")
	for _, s := range objects(at(all, "Resources", "Api", "Properties", "MethodSettings")) {
		want(t, s, true, "MetricsEnabled") // otherwise a method has no metrics of its own
	}
}

// TestVastIsDeployedOnlyIfAsked, with its role and its alarm's metrics.
func TestVastIsDeployedOnlyIfAsked(t *testing.T) {
	all := read(t)
	want(t, all, "false", "Parameters", "Vast", "Default")
	want(t, all, list("true", "false"), "Parameters", "Vast", "AllowedValues")
	want(t, all, object{"Fn::Equals": list(ref("Vast"), "true")}, "Conditions", "HasVast")
	for _, name := range []string{"VastFunction", "VastRole"} {
		want(t, deployed(t, false), nil, "Resources", name)
		if at(deployed(t, true), "Resources", name) == nil {
			t.Errorf("with Vast the stack has no %s", name)
		}
	}
	for _, name := range referred(at(deployed(t, false), "Resources")) {
		if name == "VastFunction" || name == "VastRole" {
			t.Errorf("without Vast a resource refers to %s", name)
		}
	}
}

// referred returns the names that the template refers to with Ref or GetAtt.
func referred(v any) (names []string) {
	switch v := v.(type) {
	case object:
		if name, ok := v["Ref"].(string); ok {
			names = append(names, name)
		}
		names = append(names, texts(v["Fn::GetAtt"])...)
		for _, member := range v {
			names = append(names, referred(member)...)
		}
	case []any:
		for _, element := range v {
			names = append(names, referred(element)...)
		}
	}
	return names
}
