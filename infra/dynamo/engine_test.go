package dynamo_test

import (
	"net/http"
	"strings"
	"testing"

	"apitoken/events"
	"apitoken/events/storetest"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/localstack/engines"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// endpoint returns the URL of DynamoDB Local.
func endpoint(t testing.TB) string {
	t.Helper()
	return engines.Require(t, engines.DynamoDB)
}

// client returns a client like that of a Lambda function.
func client(t testing.TB) *dynamodb.Client {
	t.Helper()
	return clientAt(t, endpoint(t))
}

func clientAt(t testing.TB, url string) *dynamodb.Client {
	t.Helper()
	env := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": url,
	}
	c, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatalf("FromEnv: %v", err)
	}
	return c
}

var newTable = dynamotest.NewTable

// via returns the client with another HTTP transport between SDK and engine.
func via(c *dynamodb.Client, transport http.RoundTripper) *dynamodb.Client {
	return dynamodb.New(c.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: transport} })
}

func TestKeepsThePromisesOfThePorts(t *testing.T) {
	endpoint(t)
	storetest.Run(t, func(t *testing.T) events.Store {
		c := client(t)
		return dynamotest.New(c, newTable(t, c))
	})
}

var keys = func() events.Keys {
	k, err := events.ParseKeys("k1:" + strings.Repeat("QUJD", 11))
	if err != nil {
		panic(err)
	}
	return k
}()
