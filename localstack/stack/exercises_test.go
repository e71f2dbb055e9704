package stack_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/functions/wiring"
	"apitoken/functions/wiring/api"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"
)

// exercises are all there are, by function and statement. Whatever a function
// does itself is asked of the function; what Lambda does in the function's name
// is called with the function's role. Making the list calls nothing.
func (s *stack) exercises() map[string]exercise {
	other, second := s.once("other"), s.once("second")
	tokens := "/v1/auth/access-tokens"
	all := map[string]exercise{
		"Authorize ReadToken": s.http("GET", "/v1/session/who-am-i", nil),
		"Authorize NoteLastUse": s.noted(func(t *testing.T, bearer string) answer {
			return s.api.ask(t, "GET", "/v1/session/who-am-i", bearer, nil)
		}),

		"Create ReadHeads":             s.create,
		"Create Commit":                s.create,
		"Create SettleUnknownOutcomes": s.as("CreateRole", calls{{"dynamodb", "DynamoDB_20120810.Query", s.aQuery()}}),

		"List ReadHeads":    func(t *testing.T) string { return s.http("GET", tokens+"?user="+other(t).User.Name, nil)(t) },
		"List ReadLastUses": s.http("GET", tokens, nil),
		"List ReadLists":    s.http("GET", tokens+"?state=revoked", nil),

		"Get ReadToken":    s.http("GET", tokens+"/"+s.admin[:8], nil),
		"Get ReadSettings": func(t *testing.T) string { return s.http("GET", tokens+"/"+other(t).ID, nil)(t) },

		"Revoke ReadHeads": s.revoke,
		"Revoke Commit":    s.revoke,
		"Revoke ReadTokenAndSettleUnknownOutcomes": s.revoke,

		"History ReadHistory":  s.http("GET", "/v1/users/admin/events", nil),
		"History ReadSettings": func(t *testing.T) string { return s.http("GET", "/v1/users/"+other(t).User.Name+"/events", nil)(t) },

		"Introspect ReadToken": s.http("POST", "/v1/auth/authorize", object{"token": s.admin}),
		"Introspect ReadSettings": func(t *testing.T) string {
			return s.http("POST", "/v1/auth/authorize", object{"token": second(t).BearerToken.Reveal()})(t)
		},
		"Introspect NoteLastUse": s.noted(func(t *testing.T, bearer string) answer {
			return s.api.ask(t, "POST", "/v1/auth/authorize", s.admin, object{"token": bearer})
		}),

		"About SeeThatTheTableAnswers": s.http("GET", "/healthz", nil),

		"Publish PutEvents":   s.publish,
		"Publish MarkSent":    s.publish,
		"Publish FindStreams": s.as("PublishRole", calls{{"dynamodb", "DynamoDBStreams_20120810.ListStreams", object{}}}),
		"Publish GiveUp":      s.as("PublishRole", calls{{"sqs", "AmazonSQS.SendMessage", object{"QueueUrl": s.ids["PublishDeadLetters"], "MessageBody": "{}"}}}),

		"Reconcile FindUnsent": s.reconcile,
		"Reconcile ReadUnsent": s.reconcile,
		"Reconcile PutEvents":  s.reconcile,
		"Reconcile MarkSent":   s.reconcile,

		"Audit KeepCopies":  s.keep,
		"Audit ForgetWaits": s.forget,
		"Audit TakeMessages": s.as("AuditRole", calls{
			{"sqs", "AmazonSQS.ReceiveMessage", object{"QueueUrl": s.ids["AuditQueue"]}},
			{"sqs", "AmazonSQS.GetQueueAttributes", object{"QueueUrl": s.ids["AuditQueue"], "AttributeNames": []string{"All"}}},
		}),
	}
	for _, job := range api.Jobs() {
		if job.Need()&wiring.Peppers != 0 {
			all[template.Logical(job.Function, " DecryptEnvironment")] = s.decrypt(template.Logical(job.Function, "Role"))
		}
	}
	return all
}

// once makes a token of another user when it is first asked for one.
func (s *stack) once(prefix string) func(t *testing.T) httpapi.Created {
	var made httpapi.Created
	return func(t *testing.T) httpapi.Created {
		t.Helper()
		if made.ID == "" {
			made = s.made(t, httpapi.CreateRequest{User: person(prefix)})
		}
		return made
	}
}

// http asks the API as the administrator.
func (s *stack) http(method, path string, body any) exercise {
	return func(t *testing.T) string {
		if a := s.api.ask(t, method, path, s.admin, body); a.status != http.StatusOK {
			return a.String()
		}
		return ""
	}
}

func (s *stack) create(t *testing.T) string {
	return s.http("POST", "/v1/auth/access-tokens/", httpapi.CreateRequest{User: person("made")})(t)
}

func (s *stack) revoke(t *testing.T) string {
	c := s.made(t, httpapi.CreateRequest{User: person("revoked")})
	return s.http("DELETE", "/v1/auth/access-tokens/"+c.ID, nil)(t)
}

// noted uses a new token and looks whether its use was noted. A use is dropped
// if noting it takes long, so a busy machine has several tries.
func (s *stack) noted(use func(t *testing.T, bearer string) answer) exercise {
	return func(t *testing.T) string {
		for range 5 {
			c := s.made(t, httpapi.CreateRequest{User: person("used")})
			if a := use(t, c.BearerToken.Reveal()); !a.ok() {
				return a.String()
			}
			e, err := s.api.as(s.admin).Get(t.Context(), c.ID)
			if err != nil {
				return err.Error()
			}
			if !e.LastUsed.IsZero() {
				return ""
			}
		}
		return "the call passes, but none of five uses was noted"
	}
}

// calls are made one after the other; each has to work.
type calls []struct {
	service, target string
	in              object
}

// as makes calls with a function's role, as Lambda does in its name.
func (s *stack) as(logical string, all calls) exercise {
	return func(t *testing.T) string {
		who := s.root.assume(t, s.ids[logical])
		var denied []string
		for _, c := range all {
			if a := who.call(t, c.service, c.target, c.in); !a.ok() {
				denied = append(denied, c.target+": "+a.String())
			}
		}
		if len(denied) > 0 && len(denied) < len(all) {
			t.Errorf("of one statement's calls only some were denied: %v", denied)
		}
		return strings.Join(denied, "; ")
	}
}

func (s *stack) aQuery() object {
	return object{
		"TableName": s.outputs["TokenTableName"], "KeyConditionExpression": "PK = :pk",
		"ExpressionAttributeValues": object{":pk": object{"S": "USER#admin"}},
	}
}

func (s *stack) decrypt(logical string) exercise {
	return func(t *testing.T) string {
		var out struct{ CiphertextBlob string }
		s.root.must(t, "kms", "TrentService.Encrypt", object{"KeyId": s.ids["ConfigKey"], "Plaintext": base64.StdEncoding.EncodeToString([]byte("environment"))}, &out)
		return s.as(logical, calls{{"kms", "TrentService.Decrypt", object{"KeyId": s.ids["ConfigKey"], "CiphertextBlob": out.CiphertextBlob}}})(t)
	}
}

// record is the administrator's first, as the table has it.
func (s *stack) record(t *testing.T) (key, image object) {
	t.Helper()
	var out struct{ Items []object }
	in := s.aQuery()
	in["Limit"] = 1
	s.root.must(t, "dynamodb", "DynamoDB_20120810.Query", in, &out)
	if len(out.Items) == 0 {
		t.Fatal("the administrator has no records")
	}
	image = out.Items[0]
	return object{item.PK: image[item.PK], item.SK: image[item.SK]}, image
}

// unsent puts a record back into the outbox, as if it had waited for an hour.
func (s *stack) unsent(t *testing.T) (key, image object) {
	t.Helper()
	key, image = s.record(t)
	s.root.must(t, "dynamodb", "DynamoDB_20120810.UpdateItem", object{
		"TableName": s.outputs["TokenTableName"], "Key": key, "UpdateExpression": "SET #shard = :shard, #at = :at",
		"ExpressionAttributeNames": object{"#shard": item.UnsentPK, "#at": item.UnsentSK},
		"ExpressionAttributeValues": object{
			":shard": object{"S": item.ShardPK(0)}, ":at": object{"S": item.Time(time.Now().Add(-time.Hour)) + "#000000000001"},
		},
	}, nil)
	return key, image
}

// waiting says that the record is still in the outbox, and takes it out.
func (s *stack) waiting(t *testing.T, key object) bool {
	t.Helper()
	_, image := s.record(t)
	s.root.must(t, "dynamodb", "DynamoDB_20120810.UpdateItem", object{
		"TableName": s.outputs["TokenTableName"], "Key": key, "UpdateExpression": "REMOVE #shard, #at",
		"ExpressionAttributeNames": object{"#shard": item.UnsentPK, "#at": item.UnsentSK},
	}, nil)
	return image[item.UnsentPK] != nil
}

// publish hands the function a record of the change stream.
func (s *stack) publish(t *testing.T) string {
	key, image := s.unsent(t)
	a, failed := s.root.invoke(t, s.ids["PublishFunction"], object{"Records": []object{{
		"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
		"dynamodb": object{"Keys": key, "NewImage": image, "SequenceNumber": "100", "StreamViewType": "NEW_IMAGE"},
	}}})
	waits := s.waiting(t, key)
	switch {
	case failed, strings.Contains(string(a.body), "100"):
		return "not published: " + a.String()
	case waits:
		return "published, but not marked as sent"
	}
	return ""
}

func (s *stack) reconcile(t *testing.T) string {
	key, _ := s.unsent(t)
	a, failed := s.root.invoke(t, s.ids["ReconcileFunction"], object{"detail-type": "Scheduled Event"})
	waits := s.waiting(t, key)
	if failed {
		return a.String()
	}
	if waits {
		t.Error("the reconciler says that all is well, and a message still waits")
	}
	return ""
}

// keep hands the audit function an event that it has already.
func (s *stack) keep(t *testing.T) string {
	h, err := s.api.as(s.admin).UserEvents(t.Context(), "admin", httpapi.HistoryQuery{Limit: 1})
	if err != nil || len(h.Entries) == 0 {
		t.Fatalf("the administrator's history: %v", err)
	}
	body, err := json.Marshal(object{"detail": h.Entries[0]})
	if err != nil {
		t.Fatal(err)
	}
	a, failed := s.root.invoke(t, s.ids["AuditFunction"], object{"Records": []object{{"messageId": "m-1", "eventSource": "aws:sqs", "body": string(body)}}})
	if failed || strings.Contains(string(a.body), "m-1") {
		return a.String()
	}
	return ""
}

// forget lets the audit function find that what it awaited has come.
func (s *stack) forget(t *testing.T) string {
	copies := copies.New(s.dynamoDB(t), s.outputs["AuditTableName"])
	if err := copies.Await(t.Context(), events.UserStream("admin"), 2, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	a, failed := s.root.invoke(t, s.ids["AuditFunction"], object{"detail-type": "Scheduled Event"})
	if failed {
		return a.String()
	}
	return ""
}
