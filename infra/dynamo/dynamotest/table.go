package dynamotest

import (
	"context"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// engineTime is for one call. It is long because the machine may be busy.
const engineTime = 2 * time.Minute

// NewTable creates an empty table for the time of the test and returns its name. The
// table has no change stream, because DynamoDB Local becomes slower with every record
// in one. It has no deletion protection, so that the test can remove it.
func NewTable(t testing.TB, client *dynamodb.Client) string {
	t.Helper()
	name := "apitoken-" + rand.Text()
	definition := dynamo.Table(name)
	definition.StreamSpecification, definition.DeletionProtectionEnabled = nil, nil
	patient := dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: engineTime} })
	if _, err := patient.CreateTable(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	RemoveAfter(t, patient, name)
	return name
}

// RemoveAfter removes a table at the end of the test, also one with deletion protection.
func RemoveAfter(t testing.TB, client *dynamodb.Client, table string) {
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
			client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: aws.Bool(false)})
			client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table})
		}
	})
}
