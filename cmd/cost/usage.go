package main

// Budgets. Tests of infra/dynamo check them.
const (
	createWriteUnits   = 18 // one transaction with its indexes and the reply for a repeat
	createReadUnits    = 2  // the head and the reply; the settings are read once in five seconds
	authorizeReadUnits = 1
)

// The numbers of template.yaml. Tests compare them with the template.
const (
	alarmMetrics  = 32                                    // an alarm with an expression has several
	scheduledRuns = frequentRuns + hourlyRuns + dailyRuns // of all functions with a schedule, in a month
)

// Assumptions. Where a number is unknown, a high one is assumed.
const (
	noteUseWriteUnits  = 1 // as if each authorization wrote its use; each token writes at most one in 15 minutes
	markSentWriteUnits = 2 // the record and its item in the index of unsent records
	auditWriteUnits    = 2 // the copy, of up to 2 KB
	auditReadUnits     = 1 // the copies of the events before and after this event
	reconcileReadUnits = 8 // one for each shard of the index of unsent records
	hoursOfMonth       = 730
	tracedOfRequests   = 0.05 // X-Ray's default rule: one request a second and 5 %
	functionMemoryGB   = 0.25
	authorizeSeconds   = 0.020 // one DynamoDB read and the network; not measured on AWS
	createSeconds      = 0.040 // a read and a transaction; not measured on AWS
	backgroundSeconds  = 0.050
	logGB              = 1.2e-6  // one line of this service and three of Lambda
	copiesLogGB        = 0.4e-6  // the further line of publish and of audit, see telemetry.LogToKeep
	metricsInUse       = 21      // each name with its dimensions counts; see functions/wiring/telemetry. Metrics of faults count only in their hours
	queuePollsOfMonth  = 650_000 // Lambda polls an empty queue with five long polls of 20 s
	reconcileRuns      = 12 * hoursOfMonth
	frequentRuns       = 2 * reconcileRuns // of reconcile and of the check for gaps
	hourlyRuns         = hoursOfMonth      // of expire
	expireReadUnits    = 8                 // two for each shard of the index of expiries, of a small deployment; each further 70 tokens that expire soon cost one
	dailyRuns          = hoursOfMonth / 24 // of verify
	verifyReadUnits    = 2 * 256           // the Scans of two small tables; each further 4 KB costs one half, and each event and view two
	verifySeconds      = 10                // of a small deployment; a large one takes up to 600
)

// authorization is one request to a guarded API.
var authorization = usage{
	"lambda_request":         1,
	"lambda_gb_second_arm64": authorizeSeconds * functionMemoryGB,
	"dynamodb_read_unit":     authorizeReadUnits,
	"dynamodb_write_unit":    noteUseWriteUnits,
	"logs_gb":                logGB,
	"xray_trace":             tracedOfRequests,
}

// creation is one new token: the authorization of the call, the call that creates
// the token, and the token's event with its copy.
var creation = sumOf(authorization, usage{
	"apigateway_rest_request": 1,
	"lambda_request":          1,
	"lambda_gb_second_arm64":  createSeconds * functionMemoryGB,
	"dynamodb_write_unit":     createWriteUnits,
	"dynamodb_read_unit":      createReadUnits,
	"logs_gb":                 logGB,
}, published)

// published is one event on its way to the audit table.
var published = usage{
	"lambda_request":         2,
	"lambda_gb_second_arm64": 2 * backgroundSeconds * functionMemoryGB,
	"eventbridge_event":      1,
	"sqs_request":            3,
	"dynamodb_write_unit":    markSentWriteUnits + auditWriteUnits,
	"dynamodb_read_unit":     auditReadUnits,
	"logs_gb":                2 * (logGB + copiesLogGB),
}

// fixed is the monthly usage of an idle deployment.
var fixed = usage{
	"secret_month":           1,
	"kms_key_month":          1,
	"alarm_metric_month":     alarmMetrics,
	"metric_month":           metricsInUse,
	"sqs_request":            queuePollsOfMonth,
	"dynamodb_gb_month_pitr": 1,
	"lambda_request":         scheduledRuns,
	"lambda_gb_second_arm64": ((frequentRuns+hourlyRuns)*backgroundSeconds + dailyRuns*verifySeconds) * functionMemoryGB,
	"dynamodb_read_unit":     reconcileRuns*reconcileReadUnits + hourlyRuns*expireReadUnits + dailyRuns*verifyReadUnits,
}
