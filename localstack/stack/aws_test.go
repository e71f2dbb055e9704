// Package stack_test holds the deployed stack to its word, on MiniStack with
// AUTH=true, which enforces the authorizer and the role of each function. It
// skips aloud without its engine; make integration starts one.
//
// What MiniStack cannot show is said where it is left out.
package stack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const region = "us-east-1"

// caller calls AWS's own interfaces of the emulator as somebody. Plain signed
// requests do for what only tests need, so nothing is linked for them.
type caller struct {
	endpoint string
	who      aws.Credentials
}

// ministack is the account's root at MiniStack. Without it these tests are
// skipped, unless APITOKEN_ENGINES_REQUIRED forbids that.
func ministack(t *testing.T) caller {
	t.Helper()
	at := os.Getenv("APITOKEN_MINISTACK")
	switch {
	case at != "":
	case os.Getenv("APITOKEN_ENGINES_REQUIRED") == "1":
		t.Fatal("APITOKEN_MINISTACK is not set, and engines are required")
	default:
		t.Skip("SKIPPED: needs MiniStack as localstack/engines.sh starts it, whose URL is in APITOKEN_MINISTACK (make integration starts one)")
	}
	return caller{strings.TrimSuffix(at, "/"), aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}}
}

// request is a call of AWS.
type request struct {
	service, method, path, form string
	header                      map[string]string
	body                        []byte
}

// answer is what came of a call.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) ok() bool { return a.status < 300 }

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// send makes a call, whatever comes of it.
func (c caller) send(t *testing.T, in request) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), in.method, c.endpoint+in.path, bytes.NewReader(in.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range in.header {
		r.Header.Set(name, text)
	}
	return c.sign(t, r, in.service, in.form, in.body)
}

// sign signs a request and makes it.
func (c caller) sign(t *testing.T, r *http.Request, service, form string, body []byte) answer {
	t.Helper()
	r.Header.Set("Content-Type", form)
	digest := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), c.who, r, hex.EncodeToString(digest[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	return do(t, http.DefaultClient, r)
}

func do(t *testing.T, client *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// object is anything that is written as JSON.
type object = map[string]any

// call is a call in AWS's JSON protocol.
func (c caller) call(t *testing.T, service, target string, in object) answer {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	form := "application/x-amz-json-1.0"
	if service == "logs" || service == "kms" || service == "secretsmanager" {
		form = "application/x-amz-json-1.1"
	}
	return c.send(t, request{service, "POST", "/", form, map[string]string{"X-Amz-Target": target}, body})
}

// must is call for one that has to succeed.
func (c caller) must(t *testing.T, service, target string, in object, out any) {
	t.Helper()
	a := c.call(t, service, target, in)
	if !a.ok() {
		t.Fatalf("%s: %s", target, a)
	}
	if out != nil {
		decode(t, a.body, out)
	}
}

// version is what each service with the query protocol wants to hear.
var version = map[string]string{"iam": "2010-05-08", "sts": "2011-06-15", "cloudformation": "2010-05-15"}

// query is a call in AWS's query protocol, which has to succeed.
func (c caller) query(t *testing.T, service, action string, members map[string]string, out any) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {version[service]}}
	for name, text := range members {
		form.Set(name, text)
	}
	a := c.send(t, request{service, "POST", "/", "application/x-www-form-urlencoded", nil, []byte(form.Encode())})
	if !a.ok() {
		t.Fatalf("%s: %s", action, a)
	}
	if out == nil {
		return
	}
	if err := xml.Unmarshal(a.body, out); err != nil {
		t.Fatalf("%s: %v: %s", action, err, a)
	}
}

// invoke runs a function, as Lambda's own sources do, and says whether it
// failed.
func (c caller) invoke(t *testing.T, function string, payload object) (result answer, failed bool) {
	t.Helper()
	body, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	a := c.send(t, request{"lambda", "POST", "/2015-03-31/functions/" + function + "/invocations", "application/json", nil, body})
	if !a.ok() {
		t.Fatalf("invoking %s: %s", function, a)
	}
	return a, a.header.Get("X-Amz-Function-Error") != ""
}

// assume gives a caller with the role's permissions.
func (c caller) assume(t *testing.T, role string) caller {
	t.Helper()
	c.query(t, "iam", "UpdateAssumeRolePolicy", map[string]string{"RoleName": role, "PolicyDocument": trustEverybodyHere}, nil)
	var out struct {
		Key    string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	c.query(t, "sts", "AssumeRole", map[string]string{"RoleArn": "arn:aws:iam::000000000000:role/" + role, "RoleSessionName": "test"}, &out)
	return caller{c.endpoint, aws.Credentials{AccessKeyID: out.Key, SecretAccessKey: out.Secret, SessionToken: out.Token}}
}

// trustEverybodyHere lets a test call what Lambda calls in a function's name.
const trustEverybodyHere = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}`

func decode(t *testing.T, b []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%v: %s", err, b)
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
