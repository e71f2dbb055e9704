package engines

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	Region  = "us-east-1"
	Account = "000000000000"

	// callLimit is for one call. It is long because the machine may be busy.
	callLimit = 2 * time.Minute
)

// Client calls the AWS interfaces of an engine. It sends plain signed requests,
// so that the module needs no SDK client for services that only tests use.
type Client struct {
	URL         string // without a slash at the end
	Credentials aws.Credentials
}

// Connect returns a client of an engine that acts as the account's root. It
// skips or fails the test as Require does.
func Connect(t testing.TB, e Engine) Client {
	t.Helper()
	return Client{URL: Require(t, e), Credentials: aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}}
}

// Request is one call of AWS.
type Request struct {
	Service string // as it is in the signature
	Method  string
	Path    string
	Header  map[string]string
	Type    string // of the body
	Body    []byte
}

// Answer is the answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// OK reports whether the call succeeded.
func (a Answer) OK() bool { return a.Status < 300 }

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Send makes a call and returns any answer, also that of a failed call. Cleanup
// functions may use it: it does not end with the test's context.
func (c Client) Send(t testing.TB, in Request) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), callLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, in.Method, c.URL+in.Path, bytes.NewReader(in.Body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range in.Header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", in.Type)
	digest := sha256.Sum256(in.Body)
	if err := v4.NewSigner().SignHTTP(ctx, c.Credentials, r, hex.EncodeToString(digest[:]), in.Service, Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	return Do(t, http.DefaultClient, r)
}

// MustSend makes a call that has to succeed.
func (c Client) MustSend(t testing.TB, in Request) Answer {
	t.Helper()
	a := c.Send(t, in)
	if !a.OK() {
		t.Fatalf("%s %s %s: %s", in.Service, in.Method, in.Path, a)
	}
	return a
}

// Do sends a request and reads the whole answer.
func Do(t testing.TB, client *http.Client, r *http.Request) Answer {
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
	return Answer{resp.StatusCode, resp.Header, body}
}

// Encode returns v as JSON.
func Encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Decode reads JSON into out.
func Decode(t testing.TB, b []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("decoding %s: %v", b, err)
	}
}
