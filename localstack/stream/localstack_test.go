package stream_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"apitoken/infra/sam/template"
	"apitoken/localstack/engines"
)

// object is a JSON object, or a mapping of the template.
type object = template.Object

// localStack is a client of LocalStack with the calls that these tests need.
type localStack struct{ engines.Client }

// upload creates a bucket and puts a file into it.
func (l localStack) upload(t *testing.T, bucket, key string, body []byte) {
	t.Helper()
	l.MustSend(t, engines.Request{Service: "s3", Method: "PUT", Path: "/" + bucket, Type: "application/xml"})
	l.MustSend(t, engines.Request{Service: "s3", Method: "PUT", Path: "/" + bucket + "/" + key, Type: "application/zip", Body: body})
}

// createStack deploys a stack for the time of the test. It returns the physical
// ids of the resources by their names in the template.
func (l localStack) createStack(t *testing.T, stack string, template object, parameters map[string]string) map[string]string {
	t.Helper()
	in := map[string]string{"StackName": stack, "TemplateBody": string(engines.Encode(t, template)), "DisableRollback": "true"}
	for i, capability := range []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"} {
		in[fmt.Sprintf("Capabilities.member.%d", i+1)] = capability
	}
	n := 0
	for name, value := range parameters {
		n++
		in[fmt.Sprintf("Parameters.member.%d.ParameterKey", n)] = name
		in[fmt.Sprintf("Parameters.member.%d.ParameterValue", n)] = value
	}
	l.MustQuery(t, "cloudformation", "CreateStack", in, nil)
	t.Cleanup(func() { l.DeleteStack(t, stack) })
	engines.Eventually(t, 2*time.Minute, "the stack is complete", func() string { return l.incomplete(t, stack) })
	return l.PhysicalIDs(t, stack)
}

// incomplete returns "" when the stack is complete, and its status before. It
// fails the test if the deployment failed.
func (l localStack) incomplete(t *testing.T, stack string) string {
	t.Helper()
	var stacks struct {
		Status []string `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
	}
	l.MustQuery(t, "cloudformation", "DescribeStacks", map[string]string{"StackName": stack}, &stacks)
	status := strings.Join(stacks.Status, " ")
	switch {
	case status == "CREATE_COMPLETE":
		return ""
	case strings.Contains(status, "FAILED"), strings.Contains(status, "ROLLBACK"):
		l.logFailures(t, stack)
		t.Fatalf("deploying the stack ended with %s", status)
	}
	return "it is in " + status
}

// logFailures logs why resources of the stack failed.
func (l localStack) logFailures(t *testing.T, stack string) {
	t.Helper()
	var history struct {
		Events []struct{ LogicalResourceId, ResourceStatus, ResourceStatusReason string } `xml:"DescribeStackEventsResult>StackEvents>member"`
	}
	l.MustQuery(t, "cloudformation", "DescribeStackEvents", map[string]string{"StackName": stack}, &history)
	for _, e := range history.Events {
		if strings.Contains(e.ResourceStatus, "FAILED") {
			t.Logf("%s %s: %s", e.LogicalResourceId, e.ResourceStatus, e.ResourceStatusReason)
		}
	}
}

// setVariable changes a variable of a function. The function's next invocation
// runs in a new process.
func (l localStack) setVariable(t *testing.T, function, name, value string) {
	t.Helper()
	configuration := engines.Request{Service: "lambda", Method: "GET", Path: "/2015-03-31/functions/" + function + "/configuration", Type: "application/json"}
	var got struct {
		Environment      struct{ Variables map[string]string }
		LastUpdateStatus string
	}
	engines.Decode(t, l.MustSend(t, configuration).Body, &got)
	got.Environment.Variables[name] = value
	update := configuration
	update.Method, update.Body = "PUT", engines.Encode(t, object{"Environment": got.Environment})
	l.MustSend(t, update)
	engines.Eventually(t, time.Minute, "the function has its new environment", func() string {
		engines.Decode(t, l.MustSend(t, configuration).Body, &got)
		if got.LastUpdateStatus != "Successful" {
			return "its update is " + got.LastUpdateStatus
		}
		return ""
	})
}

// logLines returns the JSON lines in a function's log. LocalStack ignores the
// template's log group and uses one with the function's name.
func (l localStack) logLines(t *testing.T, function string) (lines []object) {
	t.Helper()
	for _, message := range l.LogMessages(t, "/aws/lambda/"+function) {
		var line object
		if json.Unmarshal([]byte(message), &line) == nil {
			lines = append(lines, line)
		}
	}
	return lines
}

// receive takes all messages from a queue that are there now.
func (l localStack) receive(t *testing.T, queue string) (bodies []string) {
	t.Helper()
	for {
		var out struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		l.MustCall(t, "sqs", "AmazonSQS.ReceiveMessage", object{"QueueUrl": queue, "MaxNumberOfMessages": 10}, &out)
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, m.Body)
			l.MustCall(t, "sqs", "AmazonSQS.DeleteMessage", object{"QueueUrl": queue, "ReceiptHandle": m.ReceiptHandle}, nil)
		}
	}
}
