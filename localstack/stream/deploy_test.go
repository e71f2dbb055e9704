package stream_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"apitoken/events"
	"apitoken/functions/wiring"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/sam/template"
	"apitoken/localstack/engines"
)

// pipeline is the deployed part of the stack that carries events: the table and
// its stream, publish, the bus, the rule, the queue, audit and its table, and the
// reconciler. It comes from template.yaml, so it has the settings that are
// deployed on AWS. Only the code and the address of the bus are replaced.
type pipeline struct {
	engine  localStack
	bus     *busProxy
	ids     map[string]string // physical ids by the names in the template
	retries int               // maximum in the template for the stream

	client *dynamodb.Client
	keys   events.Keys
	store  *dynamo.Store
	copies *copies.Table
}

// carriers returns the functions that carry events from the outbox to the copies.
func carriers() []wiring.Job {
	return slices.DeleteFunc(wiring.Jobs(), func(j wiring.Job) bool { return !j.Carries && !j.Copies })
}

// peppers are the PEPPERS of the test, which writes the events.
var peppers = "test:" + strings.Repeat("QUJD", 11)

func deploy(t *testing.T) *pipeline {
	e := localStack{engines.Connect(t, engines.LocalStack)}
	p := &pipeline{engine: e, bus: newBusProxy(t, e.URL)}
	stack := "stream-" + strings.ToLower(rand.Text()[:8])
	var resources []string
	for _, job := range carriers() {
		resources = append(resources, template.Logical(job.Function, "Function"))
	}
	part := subset(t, readTemplate(t), resources, "AWS::Events::Rule", "AWS::SQS::QueuePolicy", "AWS::Lambda::EventSourceMapping")
	for i, job := range carriers() {
		key := job.Function + ".zip"
		e.upload(t, stack, key, bundle(t, job.Function))
		f := within(t, part, "Resources", resources[i]).(object)
		delete(f, "Metadata")
		properties := f["Properties"].(object)
		properties["CodeUri"] = object{"Bucket": stack, "Key": key}
		if job.Carries {
			within(t, properties, "Environment", "Variables").(object)["AWS_ENDPOINT_URL_EVENTBRIDGE"] = p.bus.url
		}
	}
	p.retries = streamSource(t, part)["MaximumRetryAttempts"].(int)
	arch := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	p.ids = e.createStack(t, stack, part, map[string]string{"DeletionProtection": "false", "Arch": arch})
	p.connect(t)
	return p
}

// streamSource returns publish's event source in the template.
func streamSource(t *testing.T, part object) object {
	t.Helper()
	for _, source := range within(t, part, "Resources", "PublishFunction", "Properties", "Events").(object) {
		if within(t, source, "Type") == "DynamoDB" {
			return within(t, source, "Properties").(object)
		}
	}
	t.Fatal("template.yaml: PublishFunction has no event source of type DynamoDB")
	return nil
}

// build builds a binary as for AWS, but for this processor, and returns its path.
func build(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "binary")
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, pkg)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// bundle returns a function's zip.
func bundle(t *testing.T, name string) []byte {
	t.Helper()
	code, err := os.ReadFile(build(t, "apitoken/functions/"+name))
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(code); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// connect connects the test to the tables of the stack.
func (p *pipeline) connect(t *testing.T) {
	t.Helper()
	keys, err := events.ParseKeys(peppers)
	if err != nil {
		t.Fatal(err)
	}
	p.keys = keys
	p.client = p.engine.DynamoDB(t)
	p.store = dynamo.New(p.client, p.ids["TokenTable"])
	p.copies = copies.New(p.client, p.ids["AuditTable"])
}
