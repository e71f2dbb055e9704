package roletest

import (
	"context"
	"crypto/rand"
	"testing"

	"apitoken/infra/dynamo"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Scene is the role of a function, and a table for the time of a test.
type Scene struct {
	*Role
	Root   *dynamodb.Client // with all rights
	Client *dynamodb.Client // with the rights of the role
	Table  string
}

// NewScene makes a table with a client of DynamoDB Local, and gives the function
// its rights on it. logical is the name of the table in template.yaml.
func NewScene(t testing.TB, root *dynamodb.Client, function, logical string) *Scene {
	t.Helper()
	table := "apitoken-" + rand.Text()
	definition := dynamo.Table(table)
	definition.StreamSpecification = nil // DynamoDB Local becomes slower with every record in a stream
	if _, err := root.CreateTable(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		root.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &table})
	})
	r := Of(t, function, map[string]string{table: logical})
	return &Scene{Role: r, Root: root, Client: r.Client(root), Table: table}
}
