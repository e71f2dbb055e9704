package roletest

import (
	"testing"

	"apitoken/infra/dynamo/dynamotest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Scene is the role of a function, and tables for the time of a test.
type Scene struct {
	*Role
	Root   *dynamodb.Client // with all rights
	Client *dynamodb.Client // with the rights of the role
	Table  string           // the first table
	Tables []string
}

// NewScene makes tables with a client of DynamoDB Local, and gives the function
// its rights on them. logical has the names of the tables in template.yaml.
func NewScene(t testing.TB, root *dynamodb.Client, function string, logical ...string) *Scene {
	t.Helper()
	s := &Scene{Root: root}
	names := map[string]string{}
	for _, l := range logical {
		table := dynamotest.NewTable(t, root)
		s.Tables, names[table] = append(s.Tables, table), l
	}
	s.Table, s.Role = s.Tables[0], Of(t, function, names)
	s.Client = s.Role.Client(root)
	return s
}
