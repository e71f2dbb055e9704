package roletest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"
	"apitoken/infra/sam/template/roletest"
	"apitoken/localstack/longtest"
)

const log, audit = "T", "A"

var tables = map[string]string{log: "TokenTable", audit: "AuditTable"}

// roleCall is a call of a function, or one that an attacker who controls the
// function would try.
type roleCall struct {
	function string
	in       any
	allowed  bool
}

// TestCallsOutsideOfTheRoleAreRefused: every role on DynamoDB has calls that it
// allows and calls that it refuses.
func TestCallsOutsideOfTheRoleAreRefused(t *testing.T) {
	longtest.SkipSequential(t)
	allowed, refused := map[string]bool{}, map[string]bool{}
	for _, row := range slices.Concat(calls(), commandCalls()) {
		err := roletest.Of(t, row.function, tables).Allow(row.in)
		if (err == nil) != row.allowed {
			t.Errorf("%s: %T %+v: got %v, want allowed %t", row.function, row.in, row.in, err, row.allowed)
		}
		allowed[row.function] = allowed[row.function] || row.allowed
		refused[row.function] = refused[row.function] || !row.allowed
	}
	for _, function := range functionsOnDynamoDB(t) {
		if !allowed[function] || !refused[function] {
			t.Errorf("%s: the table has no call that its role allows, or none that it refuses", function)
		}
	}
}

// functionsOnDynamoDB returns the functions whose roles have rights on DynamoDB.
func functionsOnDynamoDB(t *testing.T) (names []string) {
	t.Helper()
	all, err := template.Read("../../../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for logical, r := range template.At(all, "Resources").(template.Object) {
		function, isRole := strings.CutSuffix(logical, "Role")
		if !isRole || template.At(r, "Type") != "AWS::IAM::Role" {
			continue
		}
		for _, s := range template.Statements(all, logical) {
			if strings.Contains(fmt.Sprint(s["Action"]), "dynamodb:") {
				names = append(names, strings.ToLower(function))
				break
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("template.yaml has no role on DynamoDB")
	}
	return names
}

// The expressions of the updates that functions make.
const (
	touch = "SET used_at = :at, address = :address"
	sent  = "REMOVE unsent, unsent_at"
)

func calls() []roleCall {
	return []roleCall{
		{"authorize", update("TOKEN#a", "USE", touch), true},
		{"authorize", on(update("TOKEN#a", "USE", touch), "used_at <= :old"), true},
		{"authorize", aliased(update("TOKEN#a", "USE", "SET #u = :at"), map[string]string{"#u": "used_at"}), true},
		{"authorize", update("USER#ann", "HEAD", touch), false},
		{"authorize", update("SETTINGS", "HEAD", touch), false},
		{"authorize", update("TOKEN#a", "TOKEN", "SET verifier = :v"), false},
		{"authorize", update("TOKEN#a", "TOKEN", "SET used_at = :at REMOVE ended"), false},
		{"authorize", aliased(update("TOKEN#a", "TOKEN", "SET #u = :at"), map[string]string{"#u": "expires_at"}), false},
		{"authorize", update("TOKEN#a", "TOKEN", "SET scopes[0] = :s"), false},
		{"authorize", on(update("TOKEN#a", "USE", touch), "begins_with(verifier, :guess)"), false},
		{"authorize", returning(update("TOKEN#a", "TOKEN", touch), types.ReturnValueAllNew), false},
		{"authorize", returning(update("TOKEN#a", "TOKEN", touch), types.ReturnValueUpdatedNew), true},
		{"authorize", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"authorize", query(log, "", "PK = :v", "USER#ann"), false},
		{"authorize", query(log, "list", "list = :v", "LIST#2026-11"), false},
		{"authorize", query(log, "owner", "owner = :v", "ann"), false},
		{"authorize", query(audit, "", "PK = :v", "TOKEN#a"), false},
		{"authorize", put(log, "TOKEN#a"), false},
		{"authorize", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), true},
		{"authorize", put(log, "NOTICE#TokenReused/"), true},
		{"authorize", put(log, "NOTICE#TokenReused"), false},
		{"authorize", put(log, "NOTICE#TokenExpiring/JhxND7ci/2026-11-21T12:00:00.000000Z/7"), false},
		{"authorize", put(log, "USER#ann"), false},
		{"authorize", put(log, "SETTINGS"), false},
		{"authorize", put(log, "REPLY#a"), false},
		{"authorize", put(log, "user/ann"), false},
		{"authorize", put(audit, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"authorize", transaction(putPart("TOKEN#a")), false},
		{"authorize", get("NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"authorize", query(log, "", "PK = :v", "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"authorize", update("NOTICE#TokenReused/JhxND7ci/7/2026-11-21", "NOTICE", "REMOVE unsent"), false},
		{"introspect", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), true},
		{"introspect", put(log, "USER#ann"), false},
		{"introspect", put(log, "NOTICE#TokenExpiring/JhxND7ci/2026-11-21T12:00:00.000000Z/7"), false},
		{"self", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), true},
		{"self", put(log, "NOTICE#TokenExpiring/JhxND7ci/2026-11-21T12:00:00.000000Z/7"), false},
		{"get", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"authorize", &dynamodb.ScanInput{TableName: aws.String(log)}, false},
		{"authorize", transaction(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(log), Key: item.ViewKey("a"), ConditionExpression: aws.String("attribute_exists(PK)"),
		}}), true},
		{"authorize", transaction(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: aws.String(log), Key: item.Key("USER#ann", "HEAD"), ConditionExpression: aws.String("attribute_exists(PK)"),
		}}), false},
		{"introspect", update("SETTINGS", "HEAD", touch), false},
		{"introspect", query(log, "", "PK = :v", "SETTINGS"), true},
		{"introspect", query(log, "", "PK = :v", "USER#ann"), false},
		{"introspect", get("SETTINGS"), false},
		{"create", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"create", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"create", transaction(putPart("USER#ann"), types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(log), Key: item.Key("USER#ann", "x")}}), false},
		{"create", put(log, "NOTICE#TokenExpiring/a"), false},
		{"create", put(audit, "user/ann"), false},
		{"create", query(log, "", "PK = :v", "USER#ann"), true},
		{"create", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"create", query(log, "", "PK = :v", "REPLY#a"), false},
		{"create", transaction(putPart("USER#ann"), putPart("TOKEN#a"), putPart("REPLY#a")), true},
		{"create", get("REPLY#a"), true},
		{"create", get("TOKEN#a"), false},
		{"create", get("USER#ann"), false},
		{"create", batch("REPLY#a"), false},
		{"revoke", get("REPLY#a"), false},
		{"revoke", transaction(putPart("USER#ann"), putPart("REPLY#a")), false},
		{"list", get("REPLY#a"), false},
		{"list", batch("TOKEN#a", "TOKEN#b"), true},
		{"list", batch("TOKEN#a", "USER#ann"), false},
		{"list", query(log, "list", "list = :v AND list_at > :after", "LIST#2026-11"), true},
		{"list", query(log, "owner", "owner = :v AND list_at > :after", "ann"), true},
		{"list", query(log, "owner", "list_at = :v", "2026"), false}, // it names no partition
		{"list", &dynamodb.ScanInput{TableName: aws.String(log), IndexName: aws.String("owner")}, false},
		{"list", query(log, "unsent", "unsent = :v", "UNSENT#0"), false},
		{"get", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"get", query(log, "", "PK = :v", "USER#ann"), true},
		{"get", query(log, "", "PK = :v", "REPLY#a"), false},
		{"get", put(log, "USER#ann"), false},
		{"get", get("USER#ann"), false},
		{"history", query(log, "", "PK = :v", "SETTINGS"), true},
		{"history", query(log, "", "PK = :v", "REPLY#a"), false},
		{"history", query(log, "", "SK = :v", "USER#ann"), false}, // it names no partition
		{"history", scan(log, strings.Join(item.RecordAttributes, ", "), types.SelectSpecificAttributes), true},
		{"history", filtered(scan(log, "PK, SK, hash", types.SelectSpecificAttributes), "begins_with(SK, :record)"), true},
		{"history", filtered(scan(log, "PK, SK", types.SelectSpecificAttributes), "begins_with(sealed, :guess)"), false},
		{"history", scan(log, "PK, state", types.SelectSpecificAttributes), false},  // of a head
		{"history", scan(log, "PK, sealed", types.SelectSpecificAttributes), false}, // of a reply
		{"history", scan(log, "", types.SelectAllAttributes), false},
		{"history", scan(log, "", ""), false},
		{"history", scan(audit, "PK, SK", types.SelectSpecificAttributes), false},
		{"history", &dynamodb.ScanInput{TableName: aws.String(log), IndexName: aws.String("list"), ProjectionExpression: aws.String("PK, SK")}, false},
		{"about", query(log, "", "PK = :v", "SETTINGS"), true},
		{"about", query(log, "", "PK = :v", "TOKEN#a"), false},
		{"about", query(log, "", "PK = :v", "USER#ann"), false},
		{"about", query(log, "", "PK = :v", "SETTINGS2"), false},
		{"about", get("SETTINGS"), false},
		{"publish", update("USER#ann", "EVENT#000000000001", sent), true},
		{"publish", update("NOTICE#a", "NOTICE", sent), true},
		{"publish", update("TOKEN#a", "TOKEN", sent), false},
		{"publish", update("USER#ann", "HEAD", "SET version = :v"), false},
		{"publish", returning(update("USER#ann", "EVENT#000000000001", sent), types.ReturnValueAllOld), false},
		{"publish", get("SETTINGS"), false},
		{"reconcile", query(log, "unsent", "unsent = :v AND unsent_at < :at", "UNSENT#0"), true},
		{"reconcile", query(log, "list", "list = :v", "LIST#2026-11"), false},
		{"reconcile", batch("USER#ann", "NOTICE#a"), true},
		{"reconcile", batch("USER#ann", "TOKEN#a"), false},
		{"verify", scan(log, "PK, SK", types.SelectSpecificAttributes), true},
		{"verify", scan(audit, "PK, SK", types.SelectSpecificAttributes), true},
		{"verify", scan(log, "", ""), false},
		{"verify", scan(log, "", types.SelectAllAttributes), false},
		{"verify", scan(audit, "", ""), false},
		{"verify", scan(log, "PK, SK, kid", types.SelectSpecificAttributes), false},
		{"verify", scan(log, "PK", types.SelectAllAttributes), false},
		{"verify", filtered(scan(log, "PK, SK", types.SelectSpecificAttributes), "begins_with(mac, :guess)"), false},
		{"verify", query(log, "", "PK = :v", "USER#ann"), true},
		{"verify", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"verify", query(log, "", "PK = :v", "REPLY#a"), false},
		{"verify", query(audit, "", "PK = :v", "user/ann"), true},
		{"verify", query(audit, "", "PK = :v", "evidence"), false},
		{"verify", put(audit, "user/ann"), false},
		{"verify", put(log, "USER#ann"), false},
		{"verify", update("TOKEN#a", "TOKEN", touch), false},
		{"audit", put(audit, "user/ann"), true},
		{"audit", put(audit, "other"), false},
		{"audit", put(log, "USER#ann"), false},
		{"audit", &dynamodb.DeleteItemInput{TableName: aws.String(audit), Key: item.Key("wait", "x")}, true},
		{"audit", &dynamodb.DeleteItemInput{TableName: aws.String(audit), Key: item.Key("user/ann", "x")}, false},
		{"audit", &dynamodb.DescribeTableInput{TableName: aws.String(audit)}, false},
	}
}

// failures records what a test reports.
type failures struct {
	testing.TB
	lines []string
}

func (f *failures) Helper()           {}
func (f *failures) Error(args ...any) { f.lines = append(f.lines, args[0].(string)) }
func (f *failures) Errorf(format string, args ...any) {
	f.lines = append(f.lines, format+" "+args[0].(string))
}

// TestACallOutsideAndARightThatIsNotNeededFailTheTest of a function.
func TestACallOutsideAndARightThatIsNotNeededFailTheTest(t *testing.T) {
	r := roletest.Of(t, "about", tables)
	f := &failures{TB: t}
	r.Check(f, nil)
	if len(f.lines) != 1 || !strings.Contains(f.lines[0], "SeeThatTheTableAnswers dynamodb:Query") {
		t.Errorf("without a call: got %q, want the right that no call needed", f.lines)
	}
	if err := r.Allow(query(log, "", "PK = :v", "SETTINGS")); err != nil {
		t.Fatal(err)
	}
	f.lines = nil
	if r.Check(f, nil); len(f.lines) > 0 {
		t.Errorf("after the call: got %q", f.lines)
	}
	if err := r.Allow(query(log, "", "PK = :v", "TOKEN#a")); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Errorf("a call outside: got %v", err)
	}
	if r.Check(f, nil); len(f.lines) != 1 || !strings.Contains(f.lines[0], `keys ["TOKEN#a"]`) {
		t.Errorf("after a call outside: got %q", f.lines)
	}
}
