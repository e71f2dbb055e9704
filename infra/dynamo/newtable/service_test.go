package newtable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

type object = map[string]any

// service answers as DynamoDB does for one table, without its delays: slow counts the
// answers during which a change is not done yet.
type service struct {
	table        object // nil: there is none
	ttl          string
	ttlAttribute string
	recovery     bool
	items        int
	calls        []string

	slow, slowTTL int    // of each change to come
	notYet        int    // answers until the new table is seen
	pending       int    // answers until the table is active
	pendingTTL    int    // answers until the time to live is on
	backupsLater  int    // refusals because backups are not ready yet
	stuck         string // the status of the table, if not empty

	lacks        []string // operations
	refuses      string   // an operation
	ignores      string   // a member of CreateTable
	noProtection bool     // it does not know deletion protection
	ahead        string   // before this operation another caller does the same

	breakAfter int // requests; the last one is done and its answer is lost
	onBreak    func()
}

func newService() *service { return &service{ttl: "DISABLED"} }

func (s *service) client() *dynamodb.Client {
	env := map[string]string{"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}
	c, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		panic(err)
	}
	return dynamodb.New(c.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: s} })
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.calls = append(s.calls, op)
	status, answer := s.answer(op, body)
	if s.breakAfter > 0 {
		if s.breakAfter--; s.breakAfter == 0 {
			s.breakAfter = -1
			s.onBreak()
			return nil, errors.New("connection reset by peer")
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r,
	}, nil
}

func fault(code string) (int, object) {
	return http.StatusBadRequest, object{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": "no"}
}

func (s *service) answer(op string, body []byte) (int, object) {
	switch {
	case slices.Contains(s.lacks, op):
		return fault("UnknownOperationException")
	case s.refuses == op:
		return fault("AccessDeniedException")
	case s.ahead == op:
		s.ahead = ""
		s.answer(op, body)
	}
	if op != "CreateTable" && s.table == nil {
		return fault("ResourceNotFoundException")
	}
	switch op {
	case "CreateTable":
		return s.create(body)
	case "DescribeTable":
		if s.notYet > 0 {
			s.notYet--
			return fault("ResourceNotFoundException")
		}
		s.pending = max(0, s.pending-1)
		s.table["TableStatus"] = s.status()
		return http.StatusOK, object{"Table": s.table}
	case "DescribeTimeToLive":
		if s.pendingTTL = max(0, s.pendingTTL-1); s.pendingTTL == 0 && s.ttl == "ENABLING" {
			s.ttl = "ENABLED"
		}
		return http.StatusOK, object{"TimeToLiveDescription": object{"TimeToLiveStatus": s.ttl, "AttributeName": s.ttlAttribute}}
	case "UpdateTimeToLive":
		return s.updateTTL(body)
	case "DescribeContinuousBackups":
		state := map[bool]string{true: "ENABLED", false: "DISABLED"}[s.recovery]
		return http.StatusOK, object{"ContinuousBackupsDescription": object{
			"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": object{"PointInTimeRecoveryStatus": state},
		}}
	case "UpdateContinuousBackups":
		if s.backupsLater > 0 {
			s.backupsLater--
			return fault("ContinuousBackupsUnavailableException")
		}
		s.recovery = true
		return http.StatusOK, object{}
	case "Scan":
		return http.StatusOK, object{"Count": s.items, "ScannedCount": s.items}
	}
	return fault("ValidationException")
}

func (s *service) create(body []byte) (int, object) {
	if s.table != nil {
		return fault("ResourceInUseException")
	}
	if err := json.Unmarshal(body, &s.table); err != nil {
		return fault("SerializationException")
	}
	delete(s.table, s.ignores)
	delete(s.table, "SSESpecification")
	if s.noProtection {
		delete(s.table, "DeletionProtectionEnabled")
	}
	s.table["BillingModeSummary"] = object{"BillingMode": s.table["BillingMode"]}
	s.pending = 1 + s.slow
	return http.StatusOK, object{}
}

func (s *service) updateTTL(body []byte) (int, object) {
	var in struct {
		TimeToLiveSpecification struct{ AttributeName string }
	}
	if err := json.Unmarshal(body, &in); err != nil || s.ttl != "DISABLED" || s.status() != "ACTIVE" {
		return fault("ValidationException")
	}
	s.ttl, s.ttlAttribute, s.pendingTTL = "ENABLING", in.TimeToLiveSpecification.AttributeName, 1+s.slow+s.slowTTL
	return http.StatusOK, object{}
}

func (s *service) status() string {
	switch {
	case s.stuck != "":
		return s.stuck
	case s.pending > 0:
		return "CREATING"
	}
	return "ACTIVE"
}

// expectOnlyReads fails the test if a call since the last reset could change
// something.
func (s *service) expectOnlyReads(t *testing.T) {
	t.Helper()
	for _, op := range s.calls {
		if !strings.HasPrefix(op, "Describe") && op != "Scan" {
			t.Errorf("Create called %s", op)
		}
	}
}

func keySchema(hash, sort string) []any {
	return []any{object{"AttributeName": hash, "KeyType": "HASH"}, object{"AttributeName": sort, "KeyType": "RANGE"}}
}

func (s *service) attribute(name string) object {
	return find(s.table["AttributeDefinitions"], "AttributeName", name)
}

func find(list any, member, value string) object {
	for _, x := range list.([]any) {
		if x.(object)[member] == value {
			return x.(object)
		}
	}
	panic(fmt.Sprintf("no %s %s", member, value))
}

type index object

func (s *service) index(name string) index {
	return index(find(s.table["GlobalSecondaryIndexes"], "IndexName", name))
}

func (i index) dropAttribute(name string) {
	p := i["Projection"].(object)
	p["NonKeyAttributes"] = slices.DeleteFunc(p["NonKeyAttributes"].([]any), func(a any) bool { return a == name })
}

func (s *service) addIndex(name, hash, sort string) {
	s.table["GlobalSecondaryIndexes"] = append(s.table["GlobalSecondaryIndexes"].([]any),
		object{"IndexName": name, "KeySchema": keySchema(hash, sort), "Projection": object{"ProjectionType": "ALL"}})
}

func (s *service) dropIndex(name string) {
	s.table["GlobalSecondaryIndexes"] = slices.DeleteFunc(s.table["GlobalSecondaryIndexes"].([]any), func(i any) bool {
		return i.(object)["IndexName"] == name
	})
}
