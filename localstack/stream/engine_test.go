package stream_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// engine is LocalStack's endpoint. It checks no signature and finds the service
// by the name in it, so that plain HTTP calls do for what only tests need, and
// nothing is linked for them.
type engine string

// localStack is where LocalStack listens. Without it these tests are skipped,
// unless APITOKEN_ENGINES_REQUIRED forbids that.
func localStack(t *testing.T) engine {
	t.Helper()
	at := os.Getenv("APITOKEN_LOCALSTACK")
	switch {
	case at != "":
	case os.Getenv("APITOKEN_ENGINES_REQUIRED") == "1":
		t.Fatal("APITOKEN_LOCALSTACK is not set, and engines are required")
	default:
		t.Skip("SKIPPED: needs LocalStack 4.14.0 as localstack/engines.sh starts it, whose URL is in APITOKEN_LOCALSTACK (make integration starts one)")
	}
	return engine(strings.TrimSuffix(at, "/"))
}

const (
	region  = "us-east-1"
	patient = 60 * time.Second // for one call: the machine may be busy
)

// send makes a call and gives its answer; anything but success ends the test.
func (e engine) send(t *testing.T, service, method, path, form string, body []byte, header http.Header) ([]byte, http.Header) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patient) // cleaning up makes calls too
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, string(e)+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", form)
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=test/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=00", region, service))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", service, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s %s: %s %v\n%s", service, method, cmp.Or(header.Get("X-Amz-Target"), path), resp.Status, err, answer)
	}
	return answer, resp.Header
}

// call is a call of a service whose protocol is AWS's JSON.
func (e engine) call(t *testing.T, service, target string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	form := "application/x-amz-json-1.1"
	if service == "sqs" {
		form = "application/x-amz-json-1.0"
	}
	answer, _ := e.send(t, service, "POST", "/", form, body, http.Header{"X-Amz-Target": {target}})
	decode(t, answer, out)
}

func decode(t *testing.T, b []byte, out any) {
	t.Helper()
	if out == nil {
		return
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("decoding %s: %v", b, err)
	}
}

// upload puts a file into a bucket, which it makes.
func (e engine) upload(t *testing.T, bucket, key string, body []byte) {
	t.Helper()
	e.send(t, "s3", "PUT", "/"+bucket, "application/xml", nil, nil)
	e.send(t, "s3", "PUT", "/"+bucket+"/"+key, "application/zip", body, nil)
}

// formation is a call of CloudFormation.
func (e engine) formation(t *testing.T, action string, members url.Values, out any) {
	t.Helper()
	members.Set("Action", action)
	members.Set("Version", "2010-05-15")
	answer, _ := e.send(t, "cloudformation", "POST", "/", "application/x-www-form-urlencoded", []byte(members.Encode()), nil)
	if out == nil {
		return
	}
	if err := xml.Unmarshal(answer, out); err != nil {
		t.Fatalf("%s: decoding %s: %v", action, answer, err)
	}
}

// create deploys a stack for the time of the test, and gives the physical ids
// of its resources.
func (e engine) create(t *testing.T, stack string, template object, parameters map[string]string) map[string]string {
	t.Helper()
	body, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	in := url.Values{"StackName": {stack}, "TemplateBody": {string(body)}, "DisableRollback": {"true"}}
	for i, c := range []string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"} {
		in.Set(fmt.Sprintf("Capabilities.member.%d", i+1), c)
	}
	i := 0
	for name, value := range parameters {
		i++
		in.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", i), name)
		in.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", i), value)
	}
	e.formation(t, "CreateStack", in, nil)
	t.Cleanup(func() { e.formation(t, "DeleteStack", url.Values{"StackName": {stack}}, nil) }) // its schedules would go on
	eventually(t, 2*time.Minute, "the stack is complete", func() string { return e.incomplete(t, stack) })
	return e.physical(t, stack)
}

// incomplete is "" once the stack is there; a stack that failed ends the test.
func (e engine) incomplete(t *testing.T, stack string) string {
	t.Helper()
	var stacks struct {
		Status []string `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
	}
	e.formation(t, "DescribeStacks", url.Values{"StackName": {stack}}, &stacks)
	status := strings.Join(stacks.Status, " ")
	switch {
	case status == "CREATE_COMPLETE":
		return ""
	case strings.Contains(status, "FAILED"), strings.Contains(status, "ROLLBACK"):
		var history struct {
			Events []struct{ LogicalResourceId, ResourceStatus, ResourceStatusReason string } `xml:"DescribeStackEventsResult>StackEvents>member"`
		}
		e.formation(t, "DescribeStackEvents", url.Values{"StackName": {stack}}, &history)
		for _, h := range history.Events {
			if strings.Contains(h.ResourceStatus, "FAILED") {
				t.Logf("%s %s: %s", h.LogicalResourceId, h.ResourceStatus, h.ResourceStatusReason)
			}
		}
		t.Fatalf("deploying the stack ended with %s", status)
	}
	return "it is in " + status
}

func (e engine) physical(t *testing.T, stack string) map[string]string {
	t.Helper()
	var in struct {
		Resources []struct{ LogicalResourceId, PhysicalResourceId string } `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	e.formation(t, "DescribeStackResources", url.Values{"StackName": {stack}}, &in)
	ids := map[string]string{}
	for _, r := range in.Resources {
		ids[r.LogicalResourceId] = r.PhysicalResourceId
	}
	return ids
}

// invoke runs a function and gives its answer, whether it failed, and the last
// 4 KB of its log.
func (e engine) invoke(t *testing.T, function string, payload any) (answer string, failed bool, log string) {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	b, header := e.send(t, "lambda", "POST", "/2015-03-31/functions/"+function+"/invocations", "application/json", body, http.Header{"X-Amz-Log-Type": {"Tail"}})
	tail, err := base64.StdEncoding.DecodeString(header.Get("X-Amz-Log-Result"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b), header.Get("X-Amz-Function-Error") != "", string(tail)
}

// setVariable gives a function another environment, and with it new sandboxes.
func (e engine) setVariable(t *testing.T, function, name, value string) {
	t.Helper()
	path := "/2015-03-31/functions/" + function + "/configuration"
	var config struct {
		Environment      struct{ Variables map[string]string }
		LastUpdateStatus string
	}
	b, _ := e.send(t, "lambda", "GET", path, "application/json", nil, nil)
	decode(t, b, &config)
	config.Environment.Variables[name] = value
	in, err := json.Marshal(object{"Environment": config.Environment})
	if err != nil {
		t.Fatal(err)
	}
	e.send(t, "lambda", "PUT", path, "application/json", in, nil)
	eventually(t, 30*time.Second, "the function has its new environment", func() string {
		b, _ := e.send(t, "lambda", "GET", path, "application/json", nil, nil)
		decode(t, b, &config)
		if config.LastUpdateStatus != "Successful" {
			return "its update is " + config.LastUpdateStatus
		}
		return ""
	})
}

// lines are the JSON lines that a function has logged. LocalStack keeps them
// under the function's name, whatever group the template says.
func (e engine) lines(t *testing.T, function string) (lines []object) {
	t.Helper()
	var next string
	for {
		in := object{"logGroupName": "/aws/lambda/" + function}
		if next != "" {
			in["nextToken"] = next
		}
		var out struct {
			Events    []struct{ Message string }
			NextToken string
		}
		e.call(t, "logs", "Logs_20140328.FilterLogEvents", in, &out)
		for _, l := range out.Events {
			var line object
			if json.Unmarshal([]byte(l.Message), &line) == nil {
				lines = append(lines, line)
			}
		}
		if next = out.NextToken; next == "" {
			return lines
		}
	}
}

// receive takes the messages that are in a queue now.
func (e engine) receive(t *testing.T, queue string) (bodies []string) {
	t.Helper()
	for {
		var out struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		e.call(t, "sqs", "AmazonSQS.ReceiveMessage", object{"QueueUrl": queue, "MaxNumberOfMessages": 10}, &out)
		if len(out.Messages) == 0 {
			return bodies
		}
		for _, m := range out.Messages {
			bodies = append(bodies, m.Body)
			e.call(t, "sqs", "AmazonSQS.DeleteMessage", object{"QueueUrl": queue, "ReceiptHandle": m.ReceiptHandle}, nil)
		}
	}
}

// eventually waits until missing gives "", and otherwise fails with what it
// gave last.
func eventually(t *testing.T, limit time.Duration, what string, missing func() string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		state := missing()
		if state == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s: %s", limit, what, state)
		}
	}
}
