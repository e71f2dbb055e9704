package engines

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"testing"
)

// Call makes a call in AWS's JSON protocol and returns any answer.
func (c Client) Call(t testing.TB, service, target string, in any) Answer {
	t.Helper()
	contentType := "application/x-amz-json-1.1"
	if service == "dynamodb" || service == "sqs" {
		contentType = "application/x-amz-json-1.0"
	}
	return c.Send(t, Request{
		Service: service, Method: "POST", Path: "/", Header: map[string]string{"X-Amz-Target": target}, Type: contentType, Body: Encode(t, in),
	})
}

// MustCall makes a call in AWS's JSON protocol that has to succeed. It reads the
// answer into out, unless out is nil.
func (c Client) MustCall(t testing.TB, service, target string, in, out any) {
	t.Helper()
	a := c.Call(t, service, target, in)
	if !a.OK() {
		t.Fatalf("%s: %s", target, a)
	}
	if out != nil {
		Decode(t, a.Body, out)
	}
}

// versions are the interface versions of the services with the query protocol.
var versions = map[string]string{"iam": "2010-05-08", "sts": "2011-06-15", "cloudformation": "2010-05-15"}

// MustQuery makes a call in AWS's query protocol that has to succeed. It reads
// the XML answer into out, unless out is nil.
func (c Client) MustQuery(t testing.TB, service, action string, members map[string]string, out any) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {versions[service]}}
	for name, value := range members {
		form.Set(name, value)
	}
	a := c.Send(t, Request{Service: service, Method: "POST", Path: "/", Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode())})
	if !a.OK() {
		t.Fatalf("%s: %s", action, a)
	}
	if out == nil {
		return
	}
	if err := xml.Unmarshal(a.Body, out); err != nil {
		t.Fatalf("%s: %v: %s", action, err, a)
	}
}

// Invocation is the result of running a function.
type Invocation struct {
	Answer string
	Failed bool
	Log    string // the last 4 KB, if the engine returns them
}

// Invoke runs a function, as Lambda's event sources do.
func (c Client) Invoke(t testing.TB, function string, event any) Invocation {
	t.Helper()
	a := c.MustSend(t, Request{
		Service: "lambda", Method: "POST", Path: "/2015-03-31/functions/" + function + "/invocations",
		Header: map[string]string{"X-Amz-Log-Type": "Tail"}, Type: "application/json", Body: Encode(t, event),
	})
	log, err := base64.StdEncoding.DecodeString(a.Header.Get("X-Amz-Log-Result"))
	if err != nil {
		t.Fatal(err)
	}
	return Invocation{Answer: string(a.Body), Failed: a.Header.Get("X-Amz-Function-Error") != "", Log: string(log)}
}
