package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/events"
	"apitoken/events/audit"
	"apitoken/localstack/engines"
)

// wrongEvents puts events on the bus that the service would never send.
func (p *pipeline) wrongEvents(t *testing.T) {
	s := events.UserStream
	known := p.write(t, "known", 0, 1)[0]
	p.waitForArrival(t, "user/known")
	other := messagesOf(p.newCommit(t, s("known"), events.Head{}, 0, revocations("known", 1)...))[0]

	one := p.newCommit(t, s("broken"), events.Head{}, 0, revocations("broken", 1)...)
	another := p.newCommit(t, s("broken"), events.Head{}, 0, revocations("broken", 1)...)
	after := messagesOf(p.newCommit(t, s("broken"), another.Head(), 0, revocations("broken", 1)...))[0]

	gap := messagesOf(p.newCommit(t, s("gap"), events.Head{}, 0, revocations("gap", 3)...))[2]

	forged := messagesOf(p.newCommit(t, s("forged"), events.Head{}, 0, revocations("forged", 1)...))[0]
	forged.Actor = "somebody else"

	p.putEvents(t, messagesOf(one)[0], gap)
	p.waitForCopies(t, messagesOf(one)[0], gap)
	p.putEvents(t, other, after, forged)
	p.waitForFindings(t, "AuditMismatch", map[string]audit.Kind{other.ID: audit.Differs, after.ID: audit.Broken, forged.ID: audit.Forged})
	if got, want := p.evidenceIDs(t), []string{forged.ID, other.ID}; !slices.Equal(got, want) {
		t.Errorf("evidence was kept of %v, want %v", got, want)
	}
	if ms, err := p.copies.Copy(t.Context(), s("known"), 0, 2); err != nil || len(ms) != 1 || ms[0].Hash != known.Hash {
		t.Errorf("the first copy was changed: %v, %v", ms, err)
	}
	p.checkOverdue(t, gap)
}

// auditVerify compares both tables with the command line, as an operator does,
// after all other tests.
func (p *pipeline) auditVerify(t *testing.T) {
	command := exec.CommandContext(t.Context(), build(t, "apitoken/cmd/apitoken"), "audit", "verify", "--table", p.ids["TokenTable"], "--audit-table", p.ids["AuditTable"])
	command.Env = []string{
		"AWS_ENDPOINT_URL=" + p.engine.URL, "AWS_REGION=" + engines.Region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"PEPPERS=" + peppers, "HOME=" + t.TempDir(),
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err == nil {
		t.Error("audit verify reports success")
	}
	for _, line := range []string{
		"settings: 1 in the log, 1 copies", "user/ann: 6 in the log, 6 copies", "user/bob: 6 in the log, 6 copies",
		"user/known: 1 in the log, 1 copies", "user/gap: 0 in the log, 0 copies",
		"  rolled_back user/broken/1: it was copied and is not in the log",
		"  rolled_back user/broken/2: it was copied and is not in the log",
		"  rolled_back user/gap/3: it was copied and is not in the log",
	} {
		if !strings.Contains(stdout.String(), line+"\n") {
			t.Errorf("the output lacks %q", line)
		}
	}
	found := 0
	for line := range strings.Lines(stdout.String()) {
		if strings.HasPrefix(line, "  ") && !strings.Contains(line, " "+aboutToken) {
			found++
		}
	}
	if found != 3 || t.Failed() {
		t.Errorf("the output has %d findings, want 3:\n%s%s", found, stdout.String(), stderr.String())
	}
}

// checkOverdue runs the audit's schedule before and after the gap is 15 minutes
// old.
func (p *pipeline) checkOverdue(t *testing.T, gap events.Message) {
	t.Helper()
	if i := p.engine.Invoke(t, p.ids["AuditFunction"], scheduledEvent); i.Failed || strings.Contains(i.Log, "AuditGap") {
		t.Errorf("an event whose predecessor may still arrive: got %s, failed %t\n%s", i.Answer, i.Failed, i.Log)
	}
	p.backdateWait(t, gap, audit.GracePeriod+time.Minute)
	if i := p.engine.Invoke(t, p.ids["AuditFunction"], scheduledEvent); i.Failed || !strings.Contains(i.Log, "AuditGap") {
		t.Errorf("an event whose predecessor is overdue: got %s, failed %t\n%s", i.Answer, i.Failed, i.Log)
	}
	p.waitForFindings(t, "AuditGap", map[string]audit.Kind{gap.ID: audit.Gap})
}

// backdateWait replaces the audit's notes that the message's predecessor is
// missing by one note of that age.
func (p *pipeline) backdateWait(t *testing.T, m events.Message, age time.Duration) {
	t.Helper()
	var since []time.Time
	err := p.copies.Waiting(t.Context(), time.Now().Add(time.Hour), func(s events.Stream, seq uint64, at time.Time) {
		if s == m.Stream && seq == m.Seq {
			since = append(since, at)
		}
	})
	if err != nil || len(since) == 0 {
		t.Fatalf("the audit has no note that the event before %s is missing: %v", m.ID, err)
	}
	for _, at := range since {
		if err := p.copies.Arrived(t.Context(), m.Stream, m.Seq, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.copies.Await(t.Context(), m.Stream, m.Seq, time.Now().Add(-age)); err != nil {
		t.Fatal(err)
	}
}

// putEvents puts messages on the bus that are not in the log.
func (p *pipeline) putEvents(t *testing.T, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		m.Deployment = "another-deployment"
		detail, err := m.Detail()
		if err != nil {
			t.Fatal(err)
		}
		var out putResults
		p.engine.MustCall(t, "events", "AWSEvents.PutEvents", object{"Entries": []object{
			{"EventBusName": p.ids["Bus"], "Source": events.Source, "DetailType": m.Type, "Detail": string(detail)},
		}}, &out)
		if out.FailedEntryCount > 0 {
			t.Fatalf("the bus did not accept %s: %v", m.ID, out.Entries)
		}
	}
}

func (p *pipeline) waitForCopies(t *testing.T, ms ...events.Message) {
	t.Helper()
	for _, m := range ms {
		engines.Eventually(t, arrival, m.ID+" has a copy", func() string {
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

// waitForFindings waits until the audit has logged exactly these findings, each
// with the metric that raises the alarm.
func (p *pipeline) waitForFindings(t *testing.T, metric string, want map[string]audit.Kind) {
	t.Helper()
	got := map[string]audit.Kind{}
	engines.Eventually(t, arrival, "the audit has logged its findings", func() string {
		clear(got)
		for _, line := range p.engine.logLines(t, p.ids["AuditFunction"]) {
			if isCounted(line, metric) {
				id, _ := line["event"].(string)
				kind, _ := line["kind"].(string)
				got[id] = audit.Kind(kind)
			}
		}
		if len(got) < len(want) {
			return fmt.Sprintf("got %v, want %v", got, want)
		}
		return ""
	})
	if !maps.Equal(got, want) {
		t.Errorf("findings: got %v, want %v", got, want)
	}
}

// isCounted reports whether CloudWatch would count the metric of a log line.
func isCounted(line object, metric string) bool {
	b, err := json.Marshal(line["_aws"])
	return err == nil && line[metric] == 1.0 && strings.Contains(string(b), `"Name":"`+metric+`"`)
}

// checkNoFindings checks that the audit reported nothing.
func (p *pipeline) checkNoFindings(t *testing.T) {
	t.Helper()
	for _, line := range p.engine.logLines(t, p.ids["AuditFunction"]) {
		if line["level"] == "ERROR" {
			t.Errorf("audit logged %v", line)
		}
	}
	if kept := p.evidenceIDs(t); len(kept) > 0 {
		t.Errorf("there is evidence of %v", kept)
	}
}

// evidenceIDs returns the ids of the events that were kept as evidence, sorted.
func (p *pipeline) evidenceIDs(t *testing.T) (ids []string) {
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
