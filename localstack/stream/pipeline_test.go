package stream_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/functions/wiring"
	"apitoken/infra/dynamo"
	"apitoken/infra/dynamo/copies"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"
)

// pipeline is the part of the stack that carries events, deployed: the table
// and its stream, publish, the bus, the rule, the queue, audit and its table,
// and the reconciler. It is cut out of template.yaml, so that every setting of
// it is the one that is deployed on AWS; only the code and the address of the
// bus are put in.
type pipeline struct {
	engine  engine
	bus     *busProxy
	ids     map[string]string // physical ids by the names of the template
	retries int               // that the template allows the stream

	client *dynamodb.Client
	keys   events.Keys
	store  *dynamo.Store
	copies *copies.Table
}

// carriers are the functions that carry events from the outbox to their copies.
func carriers() []wiring.Job {
	return slices.DeleteFunc(wiring.Jobs(), func(j wiring.Job) bool { return !j.Carries && !j.Copies })
}

// peppers are those of the part that writes events, which is the test.
var peppers = "test:" + strings.Repeat("QUJD", 11)

// arrival is how long an event may take from the table to the audit table. Up
// to that it is the machine that is slow.
const arrival = time.Minute

func deploy(t *testing.T) *pipeline {
	e := localStack(t)
	p := &pipeline{engine: e, bus: newBusProxy(t, e)}
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
	p.ids = e.create(t, stack, part, map[string]string{"DeletionProtection": "false", "Arch": arch})
	p.connect(t)
	return p
}

// streamSource is publish's event source, as the template has it.
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

// build makes a binary as for AWS, but for this processor, and gives its path.
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

// bundle gives a function's zip.
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

func (p *pipeline) connect(t *testing.T) {
	t.Helper()
	env := map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": string(p.engine)}
	client, err := dynamo.FromEnv(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	// The functions' limits are for AWS; here a busy machine is no fault.
	p.client = dynamodb.New(client.Options(), func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Timeout: patient} })
	if p.keys, err = events.ParseKeys(peppers); err != nil {
		t.Fatal(err)
	}
	p.store = dynamo.New(p.client, p.ids["TokenTable"])
	p.copies = copies.New(p.client, p.ids["AuditTable"])
}

// write makes n commits of one and two records in turn to an owner's stream,
// as of some time ago, and gives their messages.
func (p *pipeline) write(t *testing.T, owner string, ago time.Duration, n int) (ms []events.Message) {
	t.Helper()
	s := events.UserStream(owner)
	for i := range n {
		head, err := p.store.Head(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c := p.commit(t, s, head, ago, facts(owner, 1+i%2)...)
		if err := p.store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ms = append(ms, messages(c)...)
	}
	return ms
}

func (p *pipeline) commit(t *testing.T, s events.Stream, head events.Head, ago time.Duration, facts ...events.Fact) events.Commit {
	t.Helper()
	m := events.Meta{Command: rand.Text(), Actor: "ann", At: time.Now().Add(-ago)}
	c, err := events.NewCommit(p.keys, s, head, m, facts, 1, nil, events.Effect{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func facts(owner string, n int) (fs []events.Fact) {
	for range n {
		fs = append(fs, events.TokenRevoked{TokenID: rand.Text()[:8], Owner: owner})
	}
	return fs
}

func messages(c events.Commit) (ms []events.Message) {
	for _, r := range c.Records() {
		ms = append(ms, r.Message())
	}
	return ms
}

// settled waits until the streams have arrived whole: every event of the log
// has its copy and its neighbours, and nothing of them waits to be sent.
func (p *pipeline) settled(t *testing.T, streams ...events.Stream) {
	t.Helper()
	eventually(t, arrival, "every event has its copy and left the outbox", func() string {
		for _, s := range streams {
			if r := p.compare(t, s); r.Log == 0 || r.Log != r.Copies {
				return fmt.Sprintf("%s has %d events and %d copies", s, r.Log, r.Copies)
			}
		}
		if left := p.unsent(t, streams...); len(left) > 0 {
			return fmt.Sprintf("%v are not noted as sent", left)
		}
		return ""
	})
	for _, s := range streams {
		if r := p.compare(t, s); len(r.Findings) > 0 {
			t.Errorf("%s: the log and its copies disagree: %v", s, r.Findings)
		}
	}
}

func (p *pipeline) compare(t *testing.T, s events.Stream) audit.Report {
	t.Helper()
	r, err := audit.Compare(t.Context(), p.store, p.copies, p.keys, s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// unsent are the messages of the streams that are still in the outbox, in its
// order.
func (p *pipeline) unsent(t *testing.T, streams ...events.Stream) (ids []string) {
	t.Helper()
	ms, err := p.store.Pending(t.Context(), time.Now().Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		if slices.Contains(streams, m.Stream) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// scheduled is what EventBridge hands to a function when its time has come.
var scheduled = object{
	"version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event", "source": "aws.events",
	"account": "000000000000", "time": "2026-11-21T12:00:00Z", "region": region,
	"resources": []string{"arn:aws:events:us-east-1:000000000000:rule/clock"}, "detail": object{},
}

func (p *pipeline) reconcile(t *testing.T) (answer string, failed bool) {
	t.Helper()
	answer, failed, _ = p.engine.invoke(t, p.ids["ReconcileFunction"], scheduled)
	return answer, failed
}

// nothingFound checks that the audit saw nothing wrong.
func (p *pipeline) nothingFound(t *testing.T) {
	t.Helper()
	for _, l := range p.engine.lines(t, p.ids["AuditFunction"]) {
		if l["level"] == "ERROR" {
			t.Errorf("audit logged %v", l)
		}
	}
	if kept := p.evidence(t); len(kept) > 0 {
		t.Errorf("there is evidence of %v", kept)
	}
}

// items are what a commit writes.
func (p *pipeline) items(t *testing.T, c events.Commit) (its []item.Item) {
	t.Helper()
	for _, r := range c.Records() {
		it, err := item.Record(r)
		if err != nil {
			t.Fatal(err)
		}
		its = append(its, it)
	}
	head, err := item.Head(c.Stream(), c.Head())
	if err != nil {
		t.Fatal(err)
	}
	return append(its, head)
}

func (p *pipeline) transact(t *testing.T, its []item.Item) {
	t.Helper()
	in := &dynamodb.TransactWriteItemsInput{}
	for _, it := range its {
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(p.ids["TokenTable"]), Item: it}})
	}
	if _, err := p.client.TransactWriteItems(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func ids(ms []events.Message) (ids []string) {
	for _, m := range ms {
		ids = append(ids, m.ID)
	}
	return ids
}

// inject puts messages on the bus, past the table.
func (p *pipeline) inject(t *testing.T, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		detail, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		var out putResults
		p.engine.call(t, "events", "AWSEvents.PutEvents", object{"Entries": []object{
			{"EventBusName": p.ids["Bus"], "Source": events.Source, "DetailType": m.Type, "Detail": string(detail)},
		}}, &out)
		if out.FailedEntryCount > 0 {
			t.Fatalf("the bus did not take %s: %v", m.ID, out.Entries)
		}
	}
}

func (p *pipeline) kept(t *testing.T, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		eventually(t, arrival, m.ID+" is kept", func() string {
			copies, err := p.copies.Copy(t.Context(), m.Stream, m.Seq-1, 1)
			if err != nil {
				return err.Error()
			}
			if len(copies) != 1 || copies[0].ID != m.ID {
				return "it has no copy"
			}
			return ""
		})
	}
}

// found waits until the audit has logged exactly the findings, each with the
// metric that raises the alarm.
func (p *pipeline) found(t *testing.T, metric string, want map[string]audit.Kind) {
	t.Helper()
	got := map[string]audit.Kind{}
	eventually(t, arrival, "the audit found what is wrong", func() string {
		clear(got)
		for _, l := range p.engine.lines(t, p.ids["AuditFunction"]) {
			if id, _ := l["event"].(string); l[metric] != nil && counted(l, metric) {
				kind, _ := l["kind"].(string)
				got[id] = audit.Kind(kind)
			}
		}
		if len(got) < len(want) {
			return fmt.Sprintf("it found %v, want %v", got, want)
		}
		return ""
	})
	if !maps.Equal(got, want) {
		t.Errorf("the audit found %v, want %v", got, want)
	}
}

// counted says whether CloudWatch would count the metric of a line.
func counted(line object, metric string) bool {
	b, err := json.Marshal(line["_aws"])
	return err == nil && line[metric] == 1.0 && strings.Contains(string(b), `"Name":"`+metric+`"`)
}

// evidence are the ids of the events that were kept as evidence, sorted.
func (p *pipeline) evidence(t *testing.T) (ids []string) {
	t.Helper()
	out, err := p.client.Query(context.WithoutCancel(t.Context()), &dynamodb.QueryInput{
		TableName: aws.String(p.ids["AuditTable"]), ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("PK = :pk"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":pk": &types.AttributeValueMemberS{Value: "evidence"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range out.Items {
		id, _, _ := strings.Cut(it["SK"].(*types.AttributeValueMemberS).Value, "#")
		ids = append(ids, id)
	}
	return ids
}
