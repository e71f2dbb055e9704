package stack_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
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
	"apitoken/localstack/engines"
)

// exercise makes the calls that a statement allows. It returns "" if they
// succeed, and otherwise what went wrong.
type exercise func(t *testing.T) (problem string)

// exercises returns one exercise for each statement, by function and statement.
// A call that the function makes itself goes through the function. A call that
// Lambda makes for the function is made with the function's role. exercises
// itself makes no call.
func (s *stack) exercises() map[string]exercise {
	other, second := s.tokenOnce("other"), s.tokenOnce("second")
	tokens := "/v1/auth/access-tokens"
	all := map[string]exercise{
		"Authorize ReadToken": s.apiCall("GET", tokens, nil),
		"Authorize NoteLastUse": s.notedUse(func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "GET", tokens, bearer, nil)
		}),
		"Authorize NoteReuse": s.notedReuse(http.StatusUnauthorized, func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "GET", tokens, bearer, nil)
		}),

		"Self ReadToken": s.apiCall("GET", tokens+"/self", nil),
		"Self NoteLastUse": s.notedUse(func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "GET", tokens+"/self", bearer, nil)
		}),
		"Self NoteReuse": s.notedReuse(http.StatusUnauthorized, func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "GET", tokens+"/self", bearer, nil)
		}),
		"Self ReadStreams": s.revokeSelfCall,
		"Self ReadReplies": s.rotateSelfCall,
		"Self Commit":      s.rotateSelfCall,

		"Create ReadTokenAndStreams": s.createCall,
		"Create ReadReplies":         s.createCall,
		"Create Commit":              s.createCall,

		"Rotate ReadTokenAndStreams": s.rotateCall,
		"Rotate ReadReplies":         s.rotateCall,
		"Rotate Commit":              s.rotateCall,

		"List ReadHeads":    func(t *testing.T) string { return s.apiCall("GET", tokens+"?user="+other(t).User.Name, nil)(t) },
		"List ReadLastUses": s.apiCall("GET", tokens, nil),
		"List ReadLists":    s.apiCall("GET", tokens+"?state=revoked", nil),
		"List ReadListsOfOwners": func(t *testing.T) string {
			return s.apiCall("GET", tokens+"?state=revoked&user="+other(t).User.Name, nil)(t)
		},

		"Get ReadTokenAndStreams": func(t *testing.T) string { return s.pastCall(t, other(t)) },

		"Revoke ReadTokenAndStreams": s.revokeCall,
		"Revoke Commit":              s.revokeCall,

		"Update ReadTokenAndStreams": s.updateCall,
		"Update Commit":              s.updateCall,

		"Settings ReadTokenAndStreams": s.apiCall("GET", "/v1/settings", nil),
		"Settings Commit":              s.settingsCalls,
		"Suspend ReadTokenStreamsAndSessions": func(t *testing.T) string {
			return s.apiCall("GET", "/v1/users/"+other(t).User.Name+"/suspension", nil)(t)
		},
		"Suspend Commit": s.suspendCalls,

		"History ReadTokenAndStreams": func(t *testing.T) string { return s.apiCall("GET", "/v1/users/"+other(t).User.Name+"/events", nil)(t) },

		"History ReadAllStreams": s.apiCall("GET", "/v1/events", nil),

		"Introspect ReadToken": func(t *testing.T) string {
			return s.apiCall("POST", "/v1/auth/authorize", object{"token": second(t).BearerToken.Reveal()})(t)
		},
		"Introspect ReadSettings": func(t *testing.T) string {
			return s.apiCall("POST", "/v1/auth/authorize", object{"token": second(t).BearerToken.Reveal()})(t)
		},
		"Introspect NoteLastUse": s.notedUse(func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "POST", "/v1/auth/authorize", s.admin, object{"token": bearer})
		}),
		"Introspect NoteReuse": s.notedReuse(http.StatusOK, func(t *testing.T, bearer string) engines.Answer {
			return s.api.request(t, "POST", "/v1/auth/authorize", s.admin, object{"token": bearer})
		}),

		"Oauth ReadToken":   s.oauthIntrospection(second),
		"Oauth ReadStreams": s.oauthIntrospection(second),
		"Oauth NoteLastUse": s.notedUse(func(t *testing.T, bearer string) engines.Answer {
			return s.postForm(t, "/v1/oauth/introspect", s.admin, url.Values{"token": {bearer}})
		}),
		"Oauth NoteReuse": s.notedReuse(http.StatusOK, func(t *testing.T, bearer string) engines.Answer {
			return s.postForm(t, "/v1/oauth/introspect", s.admin, url.Values{"token": {bearer}})
		}),
		"Oauth Commit": s.oauthRevocation,

		"Login ReadToken":   s.exchangeCall,
		"Login ReadStreams": s.exchangeCall,
		"Login Commit":      s.exchangeCall,
		"Login NoteLastUse": s.notedUse(s.exchange),
		"Login NoteReuse":   s.notedReuse(http.StatusBadRequest, s.exchange),

		"About SeeThatTheTableAnswers": func(t *testing.T) string {
			time.Sleep(1100 * time.Millisecond) // the function uses its last check again for a second
			return s.apiCall("GET", "/healthz", nil)(t)
		},

		"Publish PutEvents":   s.publishRecord,
		"Publish MarkSent":    s.publishRecord,
		"Publish FindStreams": s.roleCalls("PublishRole", calls{{"dynamodb", "DynamoDBStreams_20120810.ListStreams", object{}}}),
		"Publish GiveUp":      s.roleCalls("PublishRole", calls{{"sqs", "AmazonSQS.SendMessage", object{"QueueUrl": s.ids["PublishDeadLetters"], "MessageBody": "{}"}}}),

		"Reconcile FindUnsent": s.reconcileRecord,
		"Reconcile ReadUnsent": s.reconcileRecord,
		"Reconcile PutEvents":  s.reconcileRecord,
		"Reconcile MarkSent":   s.reconcileRecord,

		"Expire FindTokensThatExpire": s.expireRun,
		"Expire ReadTokensAndStreams": s.expireRun,
		"Expire Commit":               s.expireRun,
		"Expire Warn":                 s.expireRun,
		"Expire NoteWarning":          s.expireRun,

		"Verify ReadStreamsAndTokens": s.verifyRun,
		"Verify FindTokens":           s.verifyRun,
		"Verify ReadCopies":           s.verifyRun,
		"Verify FindCopies":           s.verifyRun,

		"Audit KeepCopies":  s.storeCopy,
		"Audit ForgetWaits": s.deleteWait,
		"Audit TakeMessages": s.roleCalls("AuditRole", calls{
			{"sqs", "AmazonSQS.ReceiveMessage", object{"QueueUrl": s.ids["AuditQueue"]}},
			{"sqs", "AmazonSQS.GetQueueAttributes", object{"QueueUrl": s.ids["AuditQueue"], "AttributeNames": []string{"All"}}},
		}),
	}
	maps.Copy(all, s.vastExercises(other))
	for _, job := range api.Jobs() {
		if job.Need()&wiring.Peppers != 0 {
			all[template.Logical(job.Function, " DecryptEnvironment")] = s.decryption(template.Logical(job.Function, "Role"))
		}
	}
	return all
}

// tokenOnce returns a function that creates a token of a new user at its first
// call, and later returns the same token.
func (s *stack) tokenOnce(prefix string) func(t *testing.T) httpapi.Created {
	var created httpapi.Created
	return func(t *testing.T) httpapi.Created {
		t.Helper()
		if created.ID == "" {
			created = s.createToken(t, httpapi.CreateRequest{User: newUser(prefix)})
		}
		return created
	}
}

// apiCall calls the API as the administrator.
func (s *stack) apiCall(method, path string, body any) exercise {
	return func(t *testing.T) string {
		if a := s.api.request(t, method, path, s.admin, body); a.Status != http.StatusOK {
			return a.String()
		}
		return ""
	}
}

// createCall creates a token and sends the same request again. The Go client sends
// an Idempotency-Key.
func (s *stack) createCall(t *testing.T) string {
	key, in := rand.Text(), httpapi.CreateRequest{User: newUser("made")}
	client := s.api.client(s.admin)
	return sameSecret(func() (httpapi.Created, error) { return client.CreateWithKey(t.Context(), key, in) })
}

// rotateCall rotates a new token as the administrator, and sends the same request
// again.
func (s *stack) rotateCall(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("rotated")})
	in := httpapi.RotateRequest{Key: rand.Text()}
	return sameSecret(func() (httpapi.Created, error) { return s.api.client(s.admin).Rotate(t.Context(), c.ID, in) })
}

// rotateSelfCall rotates a new token with the token itself, and sends the same
// request again with the old secret.
func (s *stack) rotateSelfCall(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("self")})
	client, in := s.api.client(c.BearerToken.Reveal()), httpapi.RotateRequest{Key: rand.Text()}
	return sameSecret(func() (httpapi.Created, error) { return client.RotateSelf(t.Context(), in) })
}

// sameSecret sends a request twice. It returns "" if both answers have the same
// secret.
func sameSecret(request func() (httpapi.Created, error)) string {
	first, err := request()
	if err != nil {
		return err.Error()
	}
	again, err := request()
	switch {
	case err != nil:
		return err.Error()
	case again.BearerToken.Reveal() != first.BearerToken.Reveal():
		return "the repeated request has another answer"
	}
	return ""
}

// pastCall asks for a token as it was at its creation.
func (s *stack) pastCall(t *testing.T, c httpapi.Created) string {
	if _, err := s.api.client(s.admin).GetAt(t.Context(), c.ID, c.CreationTime.Time); err != nil {
		return err.Error()
	}
	return ""
}

// revokeCall ends a token, and another token with its child.
func (s *stack) revokeCall(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("revoked")})
	if problem := s.apiCall("DELETE", "/v1/auth/access-tokens/"+c.ID, nil)(t); problem != "" {
		return problem
	}
	parent := s.createToken(t, httpapi.CreateRequest{User: newUser("parent")})
	if _, err := s.api.client(parent.BearerToken.Reveal()).Create(t.Context(), httpapi.CreateRequest{}); err != nil {
		t.Fatal(err)
	}
	return s.apiCall("DELETE", "/v1/auth/access-tokens/"+parent.ID+"?with_children=true", nil)(t)
}

// updateCall disables a new token, which is refused from then on.
func (s *stack) updateCall(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("updated")})
	if problem := s.apiCall("PATCH", "/v1/auth/access-tokens/"+c.ID, object{"enabled": false})(t); problem != "" {
		return problem
	}
	if a := s.api.request(t, "GET", "/v1/auth/access-tokens/self", c.BearerToken.Reveal(), nil); a.Status != http.StatusUnauthorized {
		return "the disabled token is accepted: " + a.String()
	}
	return ""
}

// settingsCalls change what each commit of the function changes: the settings, and
// the stream of a user with an expired token.
func (s *stack) settingsCalls(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("limited"), ExpiresIn: "1s"})
	time.Sleep(1100 * time.Millisecond)
	user := "/v1/users/" + c.User.Name
	for _, call := range []exercise{
		s.apiCall("PUT", user+"/permissions", object{"permissions": []string{"view"}}),
		s.apiCall("PUT", user+"/permissions", object{"permissions": []string{}}),
		s.apiCall("PUT", user+"/limit", object{"token_limit": 7}),
	} {
		if problem := call(t); problem != "" {
			return problem
		}
	}
	return ""
}

// suspendCalls suspends, reinstates and offboards a user with a token.
func (s *stack) suspendCalls(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("suspended")})
	user := "/v1/users/" + c.User.Name
	for _, call := range []exercise{
		s.apiCall("PUT", user+"/suspension", object{"reason": "stolen"}),
		s.apiCall("DELETE", user+"/suspension", nil),
		s.apiCall("POST", user+"/offboard", object{"reason": "left"}),
	} {
		if problem := call(t); problem != "" {
			return problem
		}
	}
	if a := s.api.request(t, "GET", "/v1/session/who-am-i", c.BearerToken.Reveal(), nil); a.Status != http.StatusUnauthorized {
		return "the token of an offboarded user passes: " + a.String()
	}
	return ""
}

// revokeSelfCall ends a new token with the token itself.
func (s *stack) revokeSelfCall(t *testing.T) string {
	c := s.createToken(t, httpapi.CreateRequest{User: newUser("self")})
	if a := s.api.request(t, "DELETE", "/v1/auth/access-tokens/self", c.BearerToken.Reveal(), nil); !a.OK() {
		return a.String()
	}
	return ""
}

// notedUse uses a new token and checks that the use was noted. The service skips
// the note if it takes too long, so on a busy machine there are several tries.
func (s *stack) notedUse(use func(t *testing.T, bearer string) engines.Answer) exercise {
	return func(t *testing.T) string {
		for range 10 {
			c := s.createToken(t, httpapi.CreateRequest{User: newUser("used")})
			if a := use(t, c.BearerToken.Reveal()); !a.OK() {
				return a.String()
			}
			e, err := s.api.client(s.admin).Get(t.Context(), c.ID)
			if err != nil {
				return err.Error()
			}
			if !e.LastUsed.IsZero() {
				return ""
			}
		}
		return "the call succeeds, but none of ten uses was noted"
	}
}

// calls are the calls of one statement, in AWS's JSON protocol.
type calls []struct {
	service, target string
	in              object
}

// roleCalls makes calls with the role that has the given name in the template.
func (s *stack) roleCalls(logical string, all calls) exercise {
	return func(t *testing.T) string {
		client := s.assumeRole(t, s.ids[logical])
		var denied []string
		for _, c := range all {
			if a := client.Call(t, c.service, c.target, c.in); !a.OK() {
				denied = append(denied, c.target+": "+a.String())
			}
		}
		if len(denied) > 0 && len(denied) < len(all) {
			t.Errorf("only some of the statement's calls were denied: %v", denied)
		}
		return strings.Join(denied, "; ")
	}
}

// partitionQuery is a query for the log's items of a partition.
func (s *stack) partitionQuery(pk string) object {
	return object{
		"TableName": s.outputs["TokenTableName"], "KeyConditionExpression": "PK = :pk",
		"ExpressionAttributeValues": object{":pk": object{"S": pk}},
	}
}

// decryption decrypts with the key that encrypts the functions' environments.
func (s *stack) decryption(logical string) exercise {
	return func(t *testing.T) string {
		var out struct{ CiphertextBlob string }
		s.root.MustCall(t, "kms", "TrentService.Encrypt", object{"KeyId": s.ids["ConfigKey"], "Plaintext": base64.StdEncoding.EncodeToString([]byte("environment"))}, &out)
		return s.roleCalls(logical, calls{{"kms", "TrentService.Decrypt", object{"KeyId": s.ids["ConfigKey"], "CiphertextBlob": out.CiphertextBlob}}})(t)
	}
}

// firstRecord returns the key and the item of the administrator's first record.
func (s *stack) firstRecord(t *testing.T) (key, image object) {
	t.Helper()
	var out struct{ Items []object }
	in := s.partitionQuery("USER#admin")
	in["Limit"] = 1
	s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.Query", in, &out)
	if len(out.Items) == 0 {
		t.Fatal("the administrator has no records")
	}
	image = out.Items[0]
	return object{item.PK: image[item.PK], item.SK: image[item.SK]}, image
}

// addToOutbox puts the first record back into the outbox, as if it had waited
// for an hour.
func (s *stack) addToOutbox(t *testing.T) (key, image object) {
	t.Helper()
	key, image = s.firstRecord(t)
	s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.UpdateItem", object{
		"TableName": s.outputs["TokenTableName"], "Key": key, "UpdateExpression": "SET #shard = :shard, #at = :at",
		"ExpressionAttributeNames": object{"#shard": item.UnsentPK, "#at": item.UnsentSK},
		"ExpressionAttributeValues": object{
			":shard": object{"S": item.ShardPK(0)}, ":at": object{"S": item.Time(time.Now().Add(-time.Hour)) + "#000000000001"},
		},
	}, nil)
	return key, image
}

// takeFromOutbox removes the first record from the outbox and reports whether it
// was there.
func (s *stack) takeFromOutbox(t *testing.T, key object) bool {
	t.Helper()
	_, image := s.firstRecord(t)
	s.root.MustCall(t, "dynamodb", "DynamoDB_20120810.UpdateItem", object{
		"TableName": s.outputs["TokenTableName"], "Key": key, "UpdateExpression": "REMOVE #shard, #at",
		"ExpressionAttributeNames": object{"#shard": item.UnsentPK, "#at": item.UnsentSK},
	}, nil)
	return image[item.UnsentPK] != nil
}

// publishRecord gives the publish function a record of the change stream.
func (s *stack) publishRecord(t *testing.T) string {
	key, image := s.addToOutbox(t)
	i := s.root.Invoke(t, s.ids["PublishFunction"], object{"Records": []object{{
		"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
		"dynamodb": object{"Keys": key, "NewImage": image, "SequenceNumber": "100", "StreamViewType": "NEW_IMAGE"},
	}}})
	waits := s.takeFromOutbox(t, key)
	switch {
	case i.Failed, strings.Contains(i.Answer, "100"):
		return "not published: " + i.Answer
	case waits:
		return "published, but not marked as sent"
	}
	return ""
}

func (s *stack) reconcileRecord(t *testing.T) string {
	key, _ := s.addToOutbox(t)
	i := s.root.Invoke(t, s.ids["ReconcileFunction"], object{"detail-type": "Scheduled Event"})
	waits := s.takeFromOutbox(t, key)
	if i.Failed {
		return i.Answer
	}
	if waits {
		t.Error("the reconciler reports success, but a message still waits")
	}
	return ""
}

// verifyRun compares both tables. A part that cannot be read is not verified.
func (s *stack) verifyRun(t *testing.T) string {
	i := s.root.Invoke(t, s.ids["VerifyFunction"], object{"detail-type": "Scheduled Event"})
	var report struct{ Unverified *int }
	if err := json.Unmarshal([]byte(i.Answer), &report); i.Failed || err != nil || report.Unverified == nil || *report.Unverified > 0 {
		return i.Answer
	}
	return ""
}

// storeCopy gives the audit function an event that the table has already.
func (s *stack) storeCopy(t *testing.T) string {
	h, err := s.api.client(s.admin).UserEvents(t.Context(), "admin", httpapi.HistoryQuery{Limit: 1})
	if err != nil || len(h.Entries) == 0 {
		t.Fatalf("the administrator's history: %v", err)
	}
	body := string(engines.Encode(t, object{"detail": h.Entries[0]}))
	i := s.root.Invoke(t, s.ids["AuditFunction"], object{"Records": []object{{"messageId": "m-1", "eventSource": "aws:sqs", "body": body}}})
	if i.Failed || strings.Contains(i.Answer, "m-1") {
		return i.Answer
	}
	return ""
}

// deleteWait notes an event as missing that has arrived. The audit function must
// delete the note.
func (s *stack) deleteWait(t *testing.T) string {
	table := copies.New(s.root.DynamoDB(t), s.outputs["AuditTableName"])
	if err := table.Await(t.Context(), events.UserStream("admin"), 2, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	i := s.root.Invoke(t, s.ids["AuditFunction"], object{"detail-type": "Scheduled Event"})
	if i.Failed {
		return i.Answer
	}
	return ""
}
