package template_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"apitoken/infra/dynamo/copies"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"
)

// partitions has the partitions that the statements about items may use, as
// "ROLE STATEMENT". Each of them is what the function's code uses.
var partitions = map[string][]string{
	"AuthorizeRole ReadToken":                 {"TOKEN#*"},
	"AuthorizeRole NoteLastUse":               {"TOKEN#*"},
	"AuthorizeRole NoteReuse":                 {"NOTICE#TokenReused/*"},
	"CreateRole ReadTokenAndStreams":          {"USER#*", "TOKEN#*", "SETTINGS"},
	"CreateRole ReadReplies":                  {"REPLY#*"},
	"CreateRole Commit":                       {"USER#*", "TOKEN#*", "REPLY#*"},
	"ListRole ReadHeads":                      {"USER#*", "SESSION#*", "SETTINGS"},
	"ListRole ReadLastUses":                   {"TOKEN#*"},
	"ListRole ReadLists":                      {"LIST#*", "SESSIONS#*"},
	"ListRole ReadListsOfOwners":              {"*"},
	"GetRole ReadTokenAndStreams":             {"USER#*", "TOKEN#*", "SETTINGS"},
	"RotateRole ReadTokenAndStreams":          {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"RotateRole ReadReplies":                  {"REPLY#*"},
	"RotateRole Commit":                       {"USER#*", "SESSION#*", "TOKEN#*", "REPLY#*"},
	"SettingsRole ReadTokenAndStreams":        {"USER#*", "TOKEN#*", "SETTINGS"},
	"SettingsRole Commit":                     {"USER#*", "TOKEN#*", "SETTINGS"},
	"SuspendRole ReadTokenStreamsAndSessions": {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"SuspendRole Commit":                      {"USER#*", "SESSION#*", "TOKEN#*"},
	"RevokeRole ReadTokenAndStreams":          {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"RevokeRole Commit":                       {"USER#*", "SESSION#*", "TOKEN#*"},
	"UpdateRole ReadTokenAndStreams":          {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"UpdateRole Commit":                       {"USER#*", "SESSION#*", "TOKEN#*"},
	"HistoryRole ReadTokenAndStreams":         {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"IntrospectRole ReadToken":                {"TOKEN#*"},
	"IntrospectRole NoteLastUse":              {"TOKEN#*"},
	"IntrospectRole NoteReuse":                {"NOTICE#TokenReused/*"},
	"IntrospectRole ReadSettings":             {"SETTINGS"},
	"SelfRole ReadToken":                      {"TOKEN#*"},
	"SelfRole NoteLastUse":                    {"TOKEN#*"},
	"SelfRole NoteReuse":                      {"NOTICE#TokenReused/*"},
	"SelfRole ReadStreams":                    {"USER#*", "SESSION#*", "SETTINGS"},
	"SelfRole ReadReplies":                    {"REPLY#*"},
	"SelfRole Commit":                         {"USER#*", "SESSION#*", "TOKEN#*", "REPLY#*"},
	"OauthRole ReadToken":                     {"TOKEN#*"},
	"OauthRole NoteLastUse":                   {"TOKEN#*"},
	"OauthRole NoteReuse":                     {"NOTICE#TokenReused/*"},
	"OauthRole ReadStreams":                   {"USER#*", "SESSION#*", "SETTINGS"},
	"OauthRole Commit":                        {"USER#*", "SESSION#*", "TOKEN#*"},
	"LoginRole ReadToken":                     {"TOKEN#*"},
	"LoginRole NoteLastUse":                   {"TOKEN#*"},
	"LoginRole NoteReuse":                     {"NOTICE#TokenReused/*"},
	"LoginRole ReadStreams":                   {"SESSION#*", "SETTINGS", "USER#*"},
	"LoginRole Commit":                        {"SESSION#*", "TOKEN#*"},
	"VastRole ReadToken":                      {"TOKEN#*"},
	"VastRole NoteLastUse":                    {"TOKEN#*"},
	"VastRole NoteReuse":                      {"NOTICE#TokenReused/*"},
	"VastRole ReadStreams":                    {"USER#*", "SESSION#*", "SETTINGS"},
	"VastRole ReadLastUses":                   {"TOKEN#*"},
	"VastRole ReadLists":                      {"LIST#*"},
	"VastRole ReadListsOfOwners":              {"*"},
	"VastRole Commit":                         {"USER#*", "SESSION#*", "TOKEN#*", "SETTINGS"},
	"AboutRole SeeThatTheTableAnswers":        {"SETTINGS"},
	"PublishRole MarkSent":                    {"USER#*", "SESSION#*", "SETTINGS", "NOTICE#*"},
	"ReconcileRole FindUnsent":                {"UNSENT#*"},
	"ReconcileRole ReadUnsent":                {"USER#*", "SESSION#*", "SETTINGS", "NOTICE#*"},
	"ReconcileRole MarkSent":                  {"USER#*", "SESSION#*", "SETTINGS", "NOTICE#*"},
	"ExpireRole FindTokensThatExpire":         {"DUE#*"},
	"ExpireRole ReadTokensAndStreams":         {"USER#*", "SESSION#*", "SETTINGS", "TOKEN#*"},
	"ExpireRole Commit":                       {"USER#*", "SESSION#*", "TOKEN#*"},
	"ExpireRole Warn":                         {"NOTICE#TokenExpiring/*"},
	"ExpireRole NoteWarning":                  {"TOKEN#*"},
	"VerifyRole ReadStreamsAndTokens":         {"USER#*", "SESSION#*", "SETTINGS", "TOKEN#*"},
	"VerifyRole ReadCopies":                   {"user/*", "session/*", "settings"},
	"AuditRole KeepCopies":                    {"user/*", "session/*", "settings", "notice", "evidence", "wait"},
	"AuditRole ForgetWaits":                   {copies.WaitPK},
}

// attributes has the attributes that an update may name, besides the keys.
var attributes = map[string][]string{
	"NoteLastUse": {item.UseAt, item.UseAddress},
	"MarkSent":    {item.UnsentPK, item.UnsentSK},
	"NoteWarning": {item.ViewWarned, item.ViewSeq, item.DuePK},
}

// itemActions are the actions on items. dynamodb:LeadingKeys limits them.
var itemActions = []string{
	"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem",
	"dynamodb:DeleteItem", "dynamodb:ConditionCheckItem", "dynamodb:BatchWriteItem",
}

func isAboutItems(s object) bool {
	return slices.ContainsFunc(texts(s["Action"]), func(a string) bool { return slices.Contains(itemActions, a) })
}

// TestRolesMayTouchOnlyTheItemsOfTheirFunction: a role without such a condition
// may read and change every item of the table.
func TestRolesMayTouchOnlyTheItemsOfTheirFunction(t *testing.T) {
	all := read(t)
	missing := maps.Clone(partitions)
	for _, f := range functions(t, all) {
		r := roleOf(t, all, f)
		for _, s := range r.statements {
			if !isAboutItems(s) {
				continue
			}
			name := r.logical + " " + s["Sid"].(string)
			checkPartitions(t, name, s)
			delete(missing, name)
		}
	}
	for name := range missing {
		t.Errorf("%s: the role has no such statement", name)
	}
}

// checkPartitions compares the conditions of a statement. The Null block is
// there because ForAllValues is true for a request without the key.
func checkPartitions(t *testing.T, name string, s object) {
	t.Helper()
	var got []string
	for _, operator := range []string{"ForAllValues:StringLike", "ForAllValues:StringEquals"} {
		got = append(got, texts(at(s, "Condition", operator, "dynamodb:LeadingKeys"))...)
	}
	slices.Sort(got)
	if expected := slices.Sorted(slices.Values(partitions[name])); len(got) == 0 || !slices.Equal(got, expected) {
		t.Errorf("%s: its condition dynamodb:LeadingKeys is %q, want %q", name, got, expected)
	}
	if at(s, "Condition", "Null", "dynamodb:LeadingKeys") != "false" {
		t.Errorf("%s: the condition Null for dynamodb:LeadingKeys is missing", name)
	}
	if slices.Contains(texts(s["Action"]), "dynamodb:UpdateItem") {
		checkAttributes(t, name, s)
	}
}

// checkAttributes: an update must be limited to attributes, and may return no
// other ones.
func checkAttributes(t *testing.T, name string, s object) {
	t.Helper()
	expected := append([]string{item.PK, item.SK}, attributes[s["Sid"].(string)]...)
	if got := texts(at(s, "Condition", "ForAllValues:StringEquals", "dynamodb:Attributes")); !slices.Equal(got, expected) {
		t.Errorf("%s: its condition dynamodb:Attributes is %q, want %q", name, got, expected)
	}
	if at(s, "Condition", "Null", "dynamodb:Attributes") != "false" {
		t.Errorf("%s: the condition Null for dynamodb:Attributes is missing", name)
	}
	if got := texts(at(s, "Condition", "StringEqualsIfExists", "dynamodb:ReturnValues")); !slices.Equal(got, []string{"NONE", "UPDATED_OLD", "UPDATED_NEW"}) {
		t.Errorf("%s: its condition dynamodb:ReturnValues is %q: an update could return the whole item", name, got)
	}
}

// scanned has the attributes that a Scan may read, as "ROLE STATEMENT".
var scanned = map[string][]string{
	"VerifyRole FindTokens":      {item.PK, item.SK},
	"VerifyRole FindCopies":      {item.PK, item.SK},
	"HistoryRole ReadAllStreams": item.RecordAttributes,
}

// TestAScanReadsOnlyTheAttributesOfItsFunction: IAM cannot limit a Scan to
// partitions.
func TestAScanReadsOnlyTheAttributesOfItsFunction(t *testing.T) {
	all, scans := read(t), 0
	for _, f := range functions(t, all) {
		for _, s := range roleOf(t, all, f).statements {
			if !slices.Contains(texts(s["Action"]), "dynamodb:Scan") {
				continue
			}
			scans++
			want(t, s, "dynamodb:Scan", "Action")
			want(t, s, object{
				"ForAllValues:StringEquals": object{"dynamodb:Attributes": anyList(scanned[roleOf(t, all, f).logical+" "+s["Sid"].(string)])},
				"Null":                      object{"dynamodb:Attributes": "false"},
				"StringEqualsIfExists":      object{"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
			}, "Condition")
		}
	}
	if scans != len(scanned) {
		t.Errorf("got %d statements about a Scan, want %d", scans, len(scanned))
	}
}

func anyList(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}

// TestOnlyTheAuditRoleMayWriteCopies: the table itself refuses every other
// principal of the account.
func TestOnlyTheAuditRoleMayWriteCopies(t *testing.T) {
	all := read(t)
	statements := objects(at(all, "Resources", "AuditTable", "Properties", "ResourcePolicy", "PolicyDocument", "Statement"))
	if len(statements) != 1 {
		t.Fatalf("the resource policy of AuditTable has %d statements, want 1", len(statements))
	}
	s := statements[0]
	want(t, s, "Deny", "Effect")
	want(t, s, "*", "Principal")
	want(t, s, "*", "Resource") // its own ARN would be a circular reference
	want(t, s, object{"ArnNotEquals": object{"aws:PrincipalArn": getAtt("AuditRole.Arn")}}, "Condition")
	for _, action := range []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"} {
		if !slices.Contains(texts(s["Action"]), "dynamodb:"+action) {
			t.Errorf("the resource policy of AuditTable does not deny %s", action)
		}
	}
}

// TestTheAuditRoleDoesNotReferToItsTable: the table's policy refers to the role,
// so CloudFormation would refuse the circle.
func TestTheAuditRoleDoesNotReferToItsTable(t *testing.T) {
	all := read(t)
	for _, policy := range objects(at(all, "Resources", "AuditRole", "Properties", "Policies")) {
		for _, s := range objects(at(policy, "PolicyDocument", "Statement")) {
			if strings.HasPrefix(attOf(s["Resource"]), "AuditTable") {
				t.Errorf("AuditRole, statement %q refers to AuditTable", s["Sid"])
			}
		}
	}
	if len(template.Statements(all, "AuditRole")) < 4 {
		t.Error("AuditRole lacks the statements of AuditTablePolicy")
	}
}
