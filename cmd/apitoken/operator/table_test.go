package operator

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/infra/dynamo/item"
	"apitoken/localstack/engines"
)

// onDynamoDB sets the variables of the default chain for DynamoDB Local and returns a
// client.
func onDynamoDB(t *testing.T) *dynamodb.Client {
	t.Helper()
	client := engines.Connect(t, engines.DynamoDB)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": client.URL, "AWS_REGION": engines.Region,
		"AWS_ACCESS_KEY_ID": client.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY": client.Credentials.SecretAccessKey,
	} {
		t.Setenv(name, value)
	}
	return client.DynamoDB(t)
}

func runTable(t *testing.T, args ...string) (code int, out, messages string) {
	t.Helper()
	var o, m strings.Builder
	e := &console.Env{In: os.Stdin, Out: &o, Err: &m, Getenv: func(string) string { return "" }}
	root := &cobra.Command{Use: "apitoken"}
	root.AddCommand(NewTable(e))
	code = console.Run(t.Context(), e, root, append([]string{"table", "create"}, args...))
	return code, o.String(), m.String()
}

// TestTableCreateMakesTheTableOfTheStack asks DynamoDB Local, which has no
// point-in-time recovery, for what it made.
func TestTableCreateMakesTheTableOfTheStack(t *testing.T) {
	db, name := onDynamoDB(t), "apitoken-"+rand.Text()
	dynamotest.RemoveAfter(t, db, name)
	const leftOut = "apitoken: left out, because the service does not have it: point-in-time recovery\n"
	for _, want := range []string{"was created", "exists and has all settings of a new one; nothing was changed"} {
		code, out, messages := runTable(t, name)
		if code != 0 || out != "table "+name+" "+want+"\n" || messages != leftOut {
			t.Fatalf("got exit code %d\n%s%s", code, out, messages)
		}
	}
	out, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	d := out.Table
	if d.TableStatus != types.TableStatusActive || !aws.ToBool(d.DeletionProtectionEnabled) || d.BillingModeSummary.BillingMode != types.BillingModePayPerRequest ||
		d.StreamSpecification == nil || d.StreamSpecification.StreamViewType != types.StreamViewTypeNewImage || len(d.GlobalSecondaryIndexes) != len(dynamo.Table(name).GlobalSecondaryIndexes) {
		t.Errorf("got the table %+v", d)
	}
	ttl, err := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if d := ttl.TimeToLiveDescription; d.TimeToLiveStatus != types.TimeToLiveStatusEnabled || aws.ToString(d.AttributeName) != item.TTL {
		t.Errorf("got the time to live %+v", d)
	}
	if _, err := db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err == nil {
		t.Error("the table was deleted, want its deletion refused")
	}
	if code, _, messages := runTable(t, name, "--deletion-protection=false"); code != console.ExitFailed ||
		messages != "apitoken: table "+name+" exists and differs; nothing was changed: deletion protection is on, want none\n" {
		t.Errorf("got exit code %d\n%s", code, messages)
	}
}

// TestTableCreateLeavesAnotherTableAlone has a table of another program.
func TestTableCreateLeavesAnotherTableAlone(t *testing.T) {
	db, name := onDynamoDB(t), "other-"+rand.Text()
	_, err := db.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeN}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dynamotest.RemoveAfter(t, db, name)
	before, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	code, out, messages := runTable(t, name)
	for _, want := range []string{"keys is id (N, HASH), want PK (S, HASH), SK (S, RANGE)", "index due is none", "stream is none, want NEW_IMAGE", "time to live is none, want attribute ttl"} {
		if !strings.Contains(messages, want) {
			t.Errorf("got\n%s\nwant also %s", messages, want)
		}
	}
	if code != console.ExitFailed || out != "" {
		t.Errorf("got exit code %d and %q", code, out)
	}
	after, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil || len(after.Table.GlobalSecondaryIndexes) > 0 || after.Table.StreamSpecification != nil ||
		aws.ToBool(after.Table.DeletionProtectionEnabled) != aws.ToBool(before.Table.DeletionProtectionEnabled) {
		t.Errorf("got the table %+v, %v", after.Table, err)
	}
}

// TestTableCreateForATrial makes a table that can be deleted.
func TestTableCreateForATrial(t *testing.T) {
	db, name := onDynamoDB(t), "apitoken-"+rand.Text()
	if code, _, messages := runTable(t, name, "--deletion-protection=false"); code != 0 {
		t.Fatal(messages)
	}
	if _, err := db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
		t.Error(err)
	}
}
