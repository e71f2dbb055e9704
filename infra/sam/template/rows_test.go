package template_test

import (
	"slices"
	"testing"

	"apitoken/functions/payloads"
	"apitoken/functions/wiring/telemetry"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/dynamo/item"
)

// contracts has a row for each alarm of the template.
func contracts(t *testing.T) map[string]contract {
	schedule := payloads.Read(t, "schedule")
	good, reused := newToken(t), newReplacedToken(t)
	fresh, late := newRecord(t, 0), newRecord(t, lateAge)
	forged := fresh.message()
	forged.Hash[0] ^= 1

	scheduled := func(function string, a aws) scenario { return scenario{{function, schedule, a}} }
	publish := func(a aws) run { return run{"publish", fresh.inserted(t), a} }
	reconcile := run{"reconcile", schedule, aws{items: late.unsent}}
	keep := func(a aws, rs ...record) run { return run{"audit", queued(t, rs...), a} }
	authorize := func(k tokenSample, a aws) run { return run{"authorize", k.question(), a} }
	found := func(it item.Item) func(string, object) []item.Item {
		return func(string, object) []item.Item { return []item.Item{it} }
	}
	fails := func(actions ...string) func(string) bool {
		return func(action string) bool { return slices.Contains(actions, action) }
	}
	accepted := authorize(good, aws{items: found(good.view)})
	unauthorized := authorize(good, aws{}) // there is no such token
	undecided := authorize(good, everythingDead)

	return map[string]contract{
		"ApiErrors": {
			cause:   "API Gateway counts each answer of a function with a status 5xx, and each answer 5xx of its own",
			trouble: []scenario{{{"get", payloads.Read(t, "rest-get"), everythingDead}}},
			check: func(t *testing.T, _ object, rs []result) {
				if status, _ := rs[0].answer["statusCode"].(float64); status != 503 {
					t.Errorf("a dead table: got %v, want 503", rs[0].answer)
				}
				if n := rs[0].counted[watchedMetric{telemetry.Namespace, telemetry.Faults, telemetry.LogGroup + "=FunctionLogs"}]; n != 1 {
					t.Errorf("the faults of the stack: got %v, want 1, in %v", n, rs[0].counted)
				}
			},
		},
		"AuthorizeFaults": {trouble: []scenario{{undecided}}, calm: []scenario{{accepted}, {unauthorized}}},
		"AuthorizeErrors": {
			trouble: []scenario{{undecided}, {unauthorized, undecided}},
			calm:    []scenario{{accepted}, {unauthorized}, {unauthorized, unauthorized, accepted}},
		},
		"AuthorizeThrottles": {
			cause: "Lambda counts each call that it rejects because of the function's or the account's concurrency",
			check: func(t *testing.T, all object, _ []result) {
				want(t, all, object{"Fn::If": list("HasAuthorizerConcurrency", ref("AuthorizerConcurrency"), ref("AWS::NoValue"))},
					"Resources", "AuthorizeFunction", "Properties", "ReservedConcurrentExecutions") // the description says to raise this parameter
			},
		},
		"UsesNotStored": {
			trouble: []scenario{{authorize(good, aws{items: found(good.view), dead: fails("UpdateItem")})}},
			calm:    []scenario{{accepted}},
		},
		"NoticesNotStored": {
			trouble: []scenario{{authorize(reused, aws{items: found(reused.view), dead: fails("PutItem")})}},
			calm:    []scenario{{authorize(reused, aws{items: found(reused.view)})}},
		},
		"Damaged": {
			trouble: []scenario{
				{authorize(good, aws{items: found(item.ViewKey(good.id))})},
				{{"get", payloads.Read(t, "rest-get"), aws{items: found(item.ViewKey("JhxND7ci"))}}},
			},
			calm: []scenario{{accepted}, {undecided}},
		},
		"PublishErrors": {
			trouble: []scenario{{publish(everythingDead)}, {publish(aws{dead: fails("PutEvents")})}, {{"publish", []byte(`"no batch"`), aws{}}}},
			calm:    []scenario{{publish(aws{})}},
		},
		"PublishLag": {
			cause:   "Lambda counts the age of the oldest record that it has not delivered, and delivers again from the number in the answer",
			trouble: []scenario{{publish(everythingDead)}},
			check:   func(t *testing.T, _ object, rs []result) { wantFailure(t, rs[0], streamNumber) },
		},
		"PublishDeadLetters": {
			cause:   "SQS counts the messages of a queue. Lambda sends one for a batch that failed in all of its retries",
			trouble: []scenario{{publish(everythingDead)}},
			check: func(t *testing.T, all object, rs []result) {
				wantFailure(t, rs[0], streamNumber)
				want(t, all, getAtt("PublishDeadLetters.Arn"), "Resources", "PublishFunction", "Properties", "Events", "Stream", "Properties", "DestinationConfig", "OnFailure", "Destination")
			},
		},
		"ReconcileErrors": {
			trouble: []scenario{scheduled("reconcile", everythingDead), scheduled("reconcile", aws{items: late.unsent, dead: fails("PutEvents")})},
			calm:    []scenario{{reconcile}, scheduled("reconcile", aws{})},
		},
		"ReconcileStopped": {trouble: []scenario{{}}, calm: []scenario{scheduled("reconcile", aws{})}},
		"ExpireErrors":     {trouble: []scenario{scheduled("expire", everythingDead)}, calm: []scenario{scheduled("expire", aws{})}},
		"ExpireStopped":    {trouble: []scenario{{}}, calm: []scenario{scheduled("expire", aws{})}},
		"BusFailures": {
			cause: "EventBridge counts each event that it cannot give to a target of the rule",
			check: func(t *testing.T, all object, _ []result) {
				// The attribute Arn ends with /BUS/RULE, because the bus has a name.
				name := object{"Fn::Select": list(2, object{"Fn::Split": list("/", getAtt("AuditRule.Arn"))})}
				want(t, all, list(object{"Name": "EventBusName", "Value": ref("Bus")}, object{"Name": "RuleName", "Value": name}), "Resources", "BusFailuresAlarm", "Properties", "Dimensions")
				want(t, all, ref("Bus"), "Resources", "AuditRule", "Properties", "EventBusName")
			},
		},
		"AuditErrors": {
			trouble: []scenario{{keep(everythingDead, fresh)}, scheduled("audit", everythingDead)},
			calm:    []scenario{{keep(aws{}, fresh)}, scheduled("audit", aws{})},
		},
		"AuditStopped": {trouble: []scenario{{}}, calm: []scenario{scheduled("audit", aws{})}},
		"AuditQueueAge": {
			cause:   "SQS counts the age of the oldest message. A message stays in the queue if the answer names it",
			trouble: []scenario{{keep(everythingDead, fresh)}},
			check: func(t *testing.T, all object, rs []result) {
				wantFailure(t, rs[0], fresh.ID())
				visible := at(all, "Resources", "AuditQueue", "Properties", "VisibilityTimeout").(int)
				want(t, all, visible*5, "Resources", "AuditQueueAgeAlarm", "Properties", "Threshold") // after as many seconds it is a dead letter
				want(t, all, 5, "Resources", "AuditQueue", "Properties", "RedrivePolicy", "maxReceiveCount")
			},
		},
		"NotKept": {
			trouble: []scenario{
				{publish(aws{})},
				{reconcile},
				{publish(aws{}), keep(everythingDead, fresh)},
				{publish(aws{}), reconcile, keep(aws{}, late)},
			},
			calm: []scenario{
				{publish(aws{}), keep(aws{}, fresh)},
				{publish(aws{}), reconcile, keep(aws{}, fresh), keep(aws{}, late)},
				{publish(aws{}), publish(aws{}), keep(aws{}, fresh, fresh)}, // delivery is at least once
				{publish(everythingDead)},
			},
		},
		"AuditDeadLetters": {
			cause:   "SQS counts the messages of a queue. It moves a message there that it delivered five times",
			trouble: []scenario{{keep(everythingDead, fresh)}},
			check: func(t *testing.T, all object, rs []result) {
				wantFailure(t, rs[0], fresh.ID())
				want(t, all, getAtt("AuditDeadLetters.Arn"), "Resources", "AuditQueue", "Properties", "RedrivePolicy", "deadLetterTargetArn")
			},
		},
		"AuditMismatch": {
			trouble: []scenario{{keep(aws{}, record{Message: &forged})}},
			calm:    []scenario{{keep(aws{}, fresh)}, {keep(everythingDead, fresh)}},
		},
		"AuditGap": {
			trouble: []scenario{scheduled("audit", aws{items: waits})},
			calm:    []scenario{scheduled("audit", aws{}), scheduled("audit", everythingDead)},
		},
		"VerifyMismatch": {
			trouble: []scenario{scheduled("verify", aws{items: damagedView})},
			calm:    []scenario{scheduled("verify", aws{}), scheduled("verify", everythingDead)},
		},
		"Unverified":    {trouble: []scenario{scheduled("verify", everythingDead)}, calm: []scenario{scheduled("verify", aws{})}},
		"VerifyErrors":  {trouble: []scenario{scheduled("verify", everythingDead)}, calm: []scenario{scheduled("verify", aws{})}},
		"VerifyStopped": {trouble: []scenario{{}}, calm: []scenario{scheduled("verify", aws{})}},
	}
}

// waits is an audit table in which an event waits for the one before it.
func waits(_ string, in object) []item.Item {
	if at(in, "ExpressionAttributeValues", ":pk", "S") != copies.WaitPK {
		return nil
	}
	return []item.Item{item.Key(copies.WaitPK, item.Time(hourAgo())+"#user/ann#7")}
}

// damagedView is a token table with a view that cannot be decoded, and an empty audit
// table.
func damagedView(action string, in object) []item.Item {
	view := item.ViewKey("JhxND7ci")
	switch {
	case action == "Scan" && in["TableName"] == "T" && in["Segment"] == 0.0,
		action == "Query" && at(in, "ExpressionAttributeValues", ":pk", "S") == item.Partition(view):
		return []item.Item{view}
	}
	return nil
}

// wantFailure: the answer names the one record or message that failed.
func wantFailure(t *testing.T, r result, id string) {
	t.Helper()
	want(t, r.answer, list(object{"itemIdentifier": id}), "batchItemFailures")
	if r.failed {
		t.Error("the function reported an error, want an answer for a part of the batch")
	}
}
