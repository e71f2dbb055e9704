package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Budgets. Tests of infra/dynamo check them, and a test of functions/authorize
// checks lineBytes.
const (
	createWriteUnits   = 18 // one transaction with its indexes and the reply for a repeat
	createReadUnits    = 2  // the head and the reply; the settings are read once in five seconds
	authorizeReadUnits = 1
	lineBytes          = 800 // the log line of one request
)

// Assumptions. Where a number is unknown, a high one is assumed.
const (
	noteUseWriteUnits  = 1 // as if each authorization wrote its use; each token writes at most one in 15 minutes
	markSentWriteUnits = 2 // the record and its item in the index of unsent records
	auditWriteUnits    = 2 // the copy, of up to 2 KB
	auditReadUnits     = 1 // the copies of the events before and after this event
	eventGB            = 2e-6

	authorizeSeconds  = 0.020 // one DynamoDB read and the network; not measured on AWS
	createSeconds     = 0.040 // a read and a transaction; not measured on AWS
	backgroundSeconds = 0.050

	newSandboxes = 0.01 // of all requests; each reads the environment, with the key
	startSeconds = 0.2  // Lambda charges for the start too

	platformBytes   = 800 // the two or three log lines of Lambda for an invocation, with the 26 bytes that CloudWatch adds to each line
	accessLineBytes = 500 // of an access log
	copiesBytes     = 400 // the further line of publish and of audit about an event, see telemetry.LogToKeep

	storedGB          = 1       // in all tables
	queuePollsOfMonth = 650_000 // Lambda polls an empty queue with five long polls of 20 s

	hoursOfMonth = 730
	daysOfMonth  = hoursOfMonth / 24.0

	// DynamoDB caches the key of a table for each caller. One request to KMS in five
	// minutes is assumed for each function.
	keyRequestsOfCaller = hoursOfMonth * 12
)

// scheduled is what one run of a function with a schedule uses.
var scheduled = map[string]struct {
	seconds   float64
	readUnits float64
}{
	"Reconcile": {backgroundSeconds, 8}, // one for each shard of the index of unsent records
	"Expire":    {backgroundSeconds, 8}, // two for each shard of the index of expiries, of a small deployment; each further 70 tokens that expire soon cost one
	"Audit":     {backgroundSeconds, 1}, // the notes about missing events
	"Verify":    {10, 2 * 256},          // the Scans of two small tables; each further 4 KB costs one half, and each event and view two. A large deployment takes up to 600 seconds
}

// unwatched are the metrics that no alarm needs to watch, with the number of
// functions and reasons that send each.
var unwatched = map[string]int{
	"Created": 1, "Authorized": 1, "LimitReached": 1, "Conflicts": 1, "Published": 1, "Unpublished": 1, "Lag": 2,
	"Refused":       8, // authorize, and seven reasons
	"UsesNotStored": 1, "NoticesNotStored": 1,
}

// ofFaults are the metrics that only faults send. CloudWatch charges for a metric in
// the hours in which it is sent: these count in hoursOfFaults, all others in every
// hour of the month.
var ofFaults = []string{
	"Faults", "Damaged", "AuditMismatch", "AuditGap", "Unverified", "Unpublished", "UsesNotStored", "NoticesNotStored",
}

const hoursOfFaults = 24

// authorizations is n requests to guarded APIs in a month, spread evenly.
func (d deployment) authorizations(n float64) usage {
	return sumOf(d.authorization().times(n), d.traces(n))
}

// authorization is one such request without its trace.
func (d deployment) authorization() usage {
	return sumOf(d.invocation("Authorize", authorizeSeconds, newSandboxes), usage{
		"dynamodb_read_unit":  authorizeReadUnits,
		"dynamodb_write_unit": noteUseWriteUnits,
	})
}

// creations is n new tokens in a month: the authorization of each call, the call
// that creates the token, and the token's event with its copy. The call has one
// trace, and so has each of the functions that carry the event.
func (d deployment) creations(n float64) usage {
	one := sumOf(d.authorization(), d.invocation("Create", createSeconds, newSandboxes), usage{
		"apigateway_rest_request": 1,
		"dynamodb_write_unit":     createWriteUnits,
		"dynamodb_read_unit":      createReadUnits,
	}, d.published())
	if d.accessLog {
		one = sumOf(one, d.logs(accessLineBytes))
	}
	if d.firewall { // the web ACL and its rules, which the stack does not make, have monthly prices too
		one = sumOf(one, usage{"waf_request": 1})
	}
	return sumOf(one.times(n), d.traces(n).times(3))
}

// published is one event on its way to the audit table.
func (d deployment) published() usage {
	return sumOf(
		d.invocation("Publish", backgroundSeconds, newSandboxes), d.invocation("Audit", backgroundSeconds, newSandboxes),
		usage{
			"eventbridge_event":   1,
			"sqs_request":         3, // send, receive, delete
			"dynamodb_write_unit": markSentWriteUnits + auditWriteUnits,
			"dynamodb_read_unit":  auditReadUnits,
		},
		d.logs(copiesBytes),
		d.archived(),
	)
}

// archived is one event in the archive. The storage is that of a deployment that is
// older than ArchiveDays.
func (d deployment) archived() usage {
	if d.archiveDays == 0 {
		return nil
	}
	return usage{"archive_gb": eventGB, "archive_gb_month": eventGB * float64(d.archiveDays) / daysOfMonth}
}

// invocation is one run of a function, without what the function calls. starts is
// the part of the runs that need a new sandbox.
func (d deployment) invocation(name string, seconds, starts float64) usage {
	f := d.functions[name]
	u := usage{
		"lambda_request":                  1,
		"lambda_gb_second_" + d.processor: (seconds + starts*startSeconds) * f.memoryGB,
	}
	if f.encrypted {
		u["kms_request"] = starts
	}
	return sumOf(u, d.logs(lineBytes+platformBytes))
}

// logs is the log lines of one call, and their storage in a deployment that is older
// than the retention. CloudWatch charges for storage by the compressed size; no
// compression is assumed.
func (d deployment) logs(bytes float64) usage {
	return usage{"logs_gb": bytes * 1e-9, "logs_gb_month": bytes * 1e-9 * float64(d.logDays) / daysOfMonth}
}

// traces is what X-Ray records of n requests in a month, if it traces at all: the
// first request of each second, and 5 % of the rest. Lambda has no other rule. With
// requests at random times, a second has one or more with the probability 1-e^-rate.
func (d deployment) traces(n float64) usage {
	if !d.traced {
		return nil
	}
	const seconds = hoursOfMonth * 3600
	first := seconds * (1 - math.Exp(-n/seconds))
	return usage{"xray_trace": first + 0.05*(n-first)}
}

// fixed is the monthly usage of an idle deployment.
func (d deployment) fixed() (usage, error) {
	u := usage{
		"secret_month":       float64(d.secrets),
		"kms_key_month":      float64(d.keys), // one more for each of the first two yearly rotations
		"kms_request":        float64(d.tablesWithKey * len(d.functions) * keyRequestsOfCaller),
		"alarm_metric_month": float64(d.alarmMetrics),
		"metric_month":       d.metrics + float64(d.methodMetrics),
		"dashboard_month":    float64(d.dashboards),
		"sqs_request":        float64(d.queues * queuePollsOfMonth),
		"dynamodb_gb_month":  storedGB,
	}
	if d.pointInTime {
		u["dynamodb_pitr_gb_month"] = storedGB
	}
	for _, name := range slices.Sorted(maps.Keys(d.functions)) {
		f := d.functions[name]
		if f.runs == 0 {
			continue
		}
		run, ok := scheduled[name]
		if !ok {
			return nil, fmt.Errorf("usage.go does not say what a run of %sFunction uses", name)
		}
		one := sumOf(d.invocation(name, run.seconds, 1), usage{"dynamodb_read_unit": run.readUnits})
		u = sumOf(u, one.times(f.runs), d.traces(f.runs))
	}
	return u, nil
}
