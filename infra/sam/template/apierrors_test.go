package template_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"apitoken/events/token"
	"apitoken/functions/httpapi/faces"
	"apitoken/functions/httpapi/machine"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/sam/template"
)

const (
	gatewayMetrics = "AWS/ApiGateway"
	lambdaMetrics  = "AWS/Lambda"
)

// The metrics of ApiErrors with the function vast. functions/wiring/api shows that
// every function counts its faults so.
var (
	faultsOfStack = watchedMetric{telemetry.Namespace, telemetry.Faults, telemetry.LogGroup + "=FunctionLogs"}
	answersOfAPI  = watchedMetric{gatewayMetrics, "5XXError", "ApiName=AWS::StackName Stage=prod"}
	answersOfVAST = watchedMetric{gatewayMetrics, "5XXError", "ApiName=AWS::StackName Method=POST Resource=/api/{proxy+} Stage=prod"}
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
		expected := without
		if c.vast {
			expected = with
		}
		alarm := at(deployed(t, c.vast), "Resources", "ApiErrorsAlarm", "Properties")
		want(t, alarm, 1, "EvaluationPeriods")
		want(t, alarm, nil, "DatapointsToAlarm")
		want(t, alarm, "GreaterThanThreshold", "ComparisonOperator")
		queries := objects(at(alarm, "Metrics"))
		if len(queries) != len(expected)+1 {
			t.Fatalf("%s: the alarm has %d metrics, want %+v", c.name, len(queries)-1, expected)
		}
		byID := map[string]float64{}
		for _, q := range queries[1:] {
			m := metricOf(t, at(q, "MetricStat", "Metric").(object), q["MetricStat"].(object))
			if !slices.Contains(expected, m.watchedMetric) || m.stat != "Sum" || m.period != 300 || q["ReturnData"] != false {
				t.Fatalf("%s: the alarm watches %+v, which this test does not expect", c.name, m)
			}
			byID[q["Id"].(string)] = c.sums[m.watchedMetric]
		}
		value := compute(t, queries[0]["Expression"].(string), byID)
		if got := value > float64(at(alarm, "Threshold").(int)); got != c.want {
			t.Errorf("%s: the value is %v, it fires: %t, want %t", c.name, value, got, c.want)
		}
	}
}

// deployed returns the template as it is deployed with the function vast or without it.
func deployed(t *testing.T, vast bool) object {
	t.Helper()
	all, err := template.Deployed(read(t), map[string]string{"Vast": strconv.FormatBool(vast)})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// compute computes metric math with FILL(id, 0), SUM([...]), MAX([...]), numbers and *.
// Without the brackets of its lists it has Go's syntax. A metric that is not in sums
// has no data. Each metric must be used.
func compute(t *testing.T, text string, sums map[string]float64) float64 {
	t.Helper()
	root, err := parser.ParseExpr(strings.NewReplacer("([", "(", "])", ")").Replace(text))
	if err != nil {
		t.Fatalf("this test cannot read %q: %v", text, err)
	}
	v, err := valueOf(root, sums)
	if err != nil {
		t.Fatalf("this test cannot read %q: %v", text, err)
	}
	for id := range sums {
		if strings.Count(text, "FILL("+id+", 0)") != 1 {
			t.Errorf("%q does not use %s once", text, id)
		}
	}
	return v
}

func valueOf(e ast.Expr, sums map[string]float64) (float64, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strconv.ParseFloat(e.Value, 64)
	case *ast.BinaryExpr:
		x, xerr := valueOf(e.X, sums)
		y, yerr := valueOf(e.Y, sums)
		if e.Op == gotoken.MUL {
			return x * y, errors.Join(xerr, yerr)
		}
		return 0, fmt.Errorf("%s is not allowed, write SUM([...]): a metric without any data would remove the other one", e.Op)
	case *ast.UnaryExpr:
		x, err := valueOf(e.X, sums)
		if e.Op == gotoken.SUB {
			return -x, err
		}
	case *ast.CallExpr:
		return valueOfCall(e, sums)
	}
	return 0, fmt.Errorf("%T is unknown; a metric must be in FILL(id, 0)", e)
}

func valueOfCall(e *ast.CallExpr, sums map[string]float64) (float64, error) {
	name := fmt.Sprint(e.Fun)
	if name == "FILL" {
		id, ok := e.Args[0].(*ast.Ident)
		if !ok {
			return 0, errors.New("FILL needs the id of a metric")
		}
		return sums[id.Name], nil
	}
	var all []float64
	for _, argument := range e.Args {
		v, err := valueOf(argument, sums)
		if err != nil {
			return 0, err
		}
		all = append(all, v)
	}
	switch name {
	case "SUM":
		sum := 0.0
		for _, v := range all {
			sum += v
		}
		return sum, nil
	case "MAX":
		return slices.Max(all), nil
	}
	return 0, fmt.Errorf("the function %s is unknown", name)
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
	settings := objects(at(deployed(t, true), "Resources", "Api", "Properties", "MethodSettings"))
	measured := slices.ContainsFunc(settings, func(s object) bool {
		return s["ResourcePath"] == "/~1api~1{proxy+}" && s["HttpMethod"] == "POST" && s["MetricsEnabled"] == true
	})
	if !measured {
		t.Errorf("POST of vast has no metrics of its own: the settings are %v", settings)
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
