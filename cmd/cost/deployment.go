package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"apitoken/infra/sam/template"
)

// deployment is what a deployed template switches on, as far as it has a price.
type deployment struct {
	processor     string // of the functions
	functions     map[string]function
	traced        bool    // X-Ray records requests
	accessLog     bool    // of an API
	firewall      bool    // a web ACL inspects the requests of the API
	logDays       int     // the retention of the log lines
	archiveDays   int     // the retention of the archive of events; 0: there is none
	alarmMetrics  int     // an alarm of several metrics counts once for each
	metrics       float64 // custom metrics, as if each was sent in every hour
	methodMetrics int     // metrics of single methods of the APIs
	dashboards    int
	secrets, keys int
	tablesWithKey int  // tables that are encrypted with a key for which KMS charges
	pointInTime   bool // point-in-time recovery
	queues        int  // that a function polls
}

// function is a function of the template, by its name without "Function".
type function struct {
	memoryGB  float64
	encrypted bool    // its environment, with a key
	runs      float64 // of its schedule, in a month
}

// free are the types of resources that cost nothing, or whose cost counts with their
// use.
var free = []string{
	"ApiGateway::BasePathMapping", "ApiGateway::DomainName", "ApiGateway::Account",
	"Events::EventBus", "Events::EventBusPolicy", "Events::Rule", "IAM::ManagedPolicy", "IAM::Policy", "IAM::Role", "KMS::Alias",
	"Lambda::Permission", "SQS::Queue", "SQS::QueuePolicy",
}

// metricsOfMethod are Count, Latency, IntegrationLatency, 4XXError and 5XXError.
const metricsOfMethod = 5

// read reads the template, with values of its parameters.
func read(path string, parameters map[string]string) (deployment, error) {
	all, err := template.Read(path)
	if err != nil {
		return deployment{}, err
	}
	return deploymentOf(all, parameters)
}

func deploymentOf(all template.Object, parameters map[string]string) (deployment, error) {
	deployed, err := template.Deployed(all, parameters)
	if err != nil {
		return deployment{}, err
	}
	d := deployment{functions: map[string]function{}}
	watched := watchedMetrics{}
	globals := template.At(deployed, "Globals", "Function")
	d.processor = textOf(first(template.At(globals, "Architectures")))
	d.traced = template.At(globals, "Tracing") == "Active"
	methods, detailed := map[string]int{}, map[string]bool{}
	for name, r := range template.At(deployed, "Resources").(template.Object) {
		properties := template.At(r, "Properties")
		switch kind := strings.TrimPrefix(textOf(template.At(r, "Type")), "AWS::"); kind {
		case "Serverless::Function":
			if err := d.addFunction(name, globals, properties, methods); err != nil {
				return d, err
			}
		case "Serverless::Api":
			d.traced = d.traced || template.At(properties, "TracingEnabled") == true
			d.accessLog = d.accessLog || template.At(properties, "AccessLogSetting") != nil
			for _, setting := range template.Objects(template.At(properties, "MethodSettings")) {
				switch {
				case setting["MetricsEnabled"] != true:
				case setting["ResourcePath"] == "/*":
					detailed[name] = true
				default: // of a single method
					d.methodMetrics += metricsOfMethod
				}
			}
		case "DynamoDB::Table":
			if template.At(properties, "SSESpecification", "SSEEnabled") == true {
				d.tablesWithKey++
			}
			d.pointInTime = d.pointInTime || template.At(properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") == true
		case "CloudWatch::Alarm":
			d.alarmMetrics += watched.add(properties)
		case "WAFv2::WebACLAssociation":
			d.firewall = true
		case "CloudWatch::Dashboard":
			d.dashboards++
		case "SecretsManager::Secret":
			d.secrets++
		case "KMS::Key":
			d.keys++
		case "Logs::LogGroup":
			days := numberOf(template.At(properties, "RetentionInDays"))
			if days == 0 {
				return d, fmt.Errorf("the log group %s keeps lines for ever, because it has no RetentionInDays", name)
			}
			d.logDays = max(d.logDays, days)
		case "Events::Archive":
			days := numberOf(template.At(properties, "RetentionDays"))
			if days == 0 {
				return d, fmt.Errorf("the archive %s keeps events for ever, because it has no RetentionDays", name)
			}
			d.archiveDays = max(d.archiveDays, days)
		default:
			if !slices.Contains(free, kind) {
				return d, fmt.Errorf("the resource %s has the type AWS::%s, and the command does not know what that costs", name, kind)
			}
		}
	}
	for api, on := range detailed {
		if on {
			d.methodMetrics += metricsOfMethod * methods[api]
		}
	}
	d.metrics = watched.count()
	return d, nil
}

// addFunction adds a function, the queues that it polls, and the methods of APIs
// that it answers.
func (d *deployment) addFunction(name string, globals, properties any, methods map[string]int) error {
	of := func(member string) any {
		if own := template.At(properties, member); own != nil {
			return own
		}
		return template.At(globals, member)
	}
	f := function{memoryGB: float64(numberOf(of("MemorySize"))) / 1024, encrypted: of("KmsKeyArn") != nil}
	d.traced = d.traced || of("Tracing") == "Active"
	sources, _ := template.At(properties, "Events").(template.Object)
	for _, source := range sources {
		switch kind := template.At(source, "Type"); kind {
		case "Api":
			methods[textOf(template.At(source, "Properties", "RestApiId", "Ref"))]++
		case "SQS":
			d.queues++
		case "Schedule":
			runs, err := runsOfMonth(textOf(template.At(source, "Properties", "Schedule")))
			if err != nil {
				return fmt.Errorf("the function %s: %w", name, err)
			}
			f.runs += runs
		case "DynamoDB": // Lambda reads a change stream for no charge
		default:
			return fmt.Errorf("the function %s has an event of the type %v, and the command does not know what that costs", name, kind)
		}
	}
	d.functions[strings.TrimSuffix(name, "Function")] = f
	return nil
}

// runsOfMonth returns how often a schedule like rate(5 minutes) runs in a month. The
// rule itself is free.
func runsOfMonth(schedule string) (float64, error) {
	var n float64
	var unit string
	if _, err := fmt.Sscanf(schedule, "rate(%g %s", &n, &unit); err != nil || n <= 0 {
		return 0, fmt.Errorf("the schedule %q is not like rate(5 minutes)", schedule)
	}
	minutes := map[string]float64{"minute": 1, "hour": 60, "day": 24 * 60}[strings.TrimRight(unit, "s)")]
	if minutes == 0 {
		return 0, fmt.Errorf("the schedule %q has an unknown unit; known: minutes, hours, days", schedule)
	}
	return hoursOfMonth * 60 / (n * minutes), nil
}

// watchedMetrics are the custom metrics that alarms watch, by name.
type watchedMetrics map[string]map[string]bool

// add adds the metrics of an alarm, and returns the number of all its metrics.
func (w watchedMetrics) add(alarm any) (n int) {
	metrics := []any{alarm}
	if expressions := template.Objects(template.At(alarm, "Metrics")); len(expressions) > 0 {
		metrics = nil
		for _, e := range expressions {
			if m := template.At(e, "MetricStat", "Metric"); m != nil {
				metrics = append(metrics, m)
			}
		}
	}
	for _, m := range metrics {
		if template.At(m, "Namespace") != "apitoken" {
			continue
		}
		name := textOf(template.At(m, "MetricName"))
		if w[name] == nil {
			w[name] = map[string]bool{}
		}
		w[name][fmt.Sprint(template.At(m, "Dimensions"))] = true
	}
	return len(metrics)
}

// count returns the number of custom metrics: those that alarms watch, and the
// unwatched. A metric of faults counts for the part of the month in which it is sent.
func (w watchedMetrics) count() (n float64) {
	all := maps.Clone(unwatched)
	for name, dimensions := range w {
		all[name] = len(dimensions)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		part := 1.0
		if slices.Contains(ofFaults, name) {
			part = hoursOfFaults / float64(hoursOfMonth)
		}
		n += part * float64(all[name])
	}
	return n
}

func textOf(v any) string {
	text, _ := v.(string)
	return text
}

func numberOf(v any) int {
	n, _ := v.(int)
	return n
}

func first(v any) any {
	if l, ok := v.([]any); ok && len(l) > 0 {
		return l[0]
	}
	return nil
}
