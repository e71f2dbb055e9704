package engines

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/infra/dynamo"
)

// DynamoDB returns the SDK's client, made as the functions make theirs, but
// with the client's own limit for a call: the functions' limits are for AWS.
func (c Client) DynamoDB(t testing.TB) *dynamodb.Client {
	t.Helper()
	env := map[string]string{
		"AWS_ENDPOINT_URL": c.URL, "AWS_REGION": Region,
		"AWS_ACCESS_KEY_ID": c.Credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.Credentials.SecretAccessKey,
	}
	client, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: callLimit} })
}

// PhysicalIDs returns the physical ids of a stack's resources by their names in
// the template.
func (c Client) PhysicalIDs(t testing.TB, stack string) map[string]string {
	t.Helper()
	var out struct {
		Resources []struct{ LogicalResourceId, PhysicalResourceId string } `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	c.MustQuery(t, "cloudformation", "DescribeStackResources", map[string]string{"StackName": stack}, &out)
	ids := map[string]string{}
	for _, r := range out.Resources {
		ids[r.LogicalResourceId] = r.PhysicalResourceId
	}
	return ids
}

// DeleteStack starts the deletion of a stack. Without it the engine keeps the
// stack's functions and schedules running.
func (c Client) DeleteStack(t testing.TB, stack string) {
	t.Helper()
	c.MustQuery(t, "cloudformation", "DeleteStack", map[string]string{"StackName": stack}, nil)
}

// LogMessages returns all messages of a log group.
func (c Client) LogMessages(t testing.TB, group string) (messages []string) {
	t.Helper()
	in := map[string]string{"logGroupName": group}
	for {
		var out struct {
			Events    []struct{ Message string }
			NextToken string
		}
		c.MustCall(t, "logs", "Logs_20140328.FilterLogEvents", in, &out)
		for _, e := range out.Events {
			messages = append(messages, e.Message)
		}
		if out.NextToken == "" {
			return messages
		}
		in["nextToken"] = out.NextToken
	}
}
