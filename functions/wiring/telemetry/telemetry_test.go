package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"apitoken/events"
	"apitoken/functions/httpapi"
	"apitoken/functions/httpapi/machine"
)

// lines returns the log lines. It fails the test if a line is not one JSON
// object.
func lines(t *testing.T, out *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

// request logs one request line in a new invocation, and returns the line.
func request(t *testing.T, attrs ...slog.Attr) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Function: "stack-create"})
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	log.LogAttrs(ctx, slog.LevelInfo, Request, attrs...)
	return lines(t, &out)[0]
}

func TestLineHasTheNamesThatLambdaUses(t *testing.T) {
	got := request(t, slog.String("operation", "get"), slog.String("code", "ok"), slog.Duration("duration", 1500*time.Microsecond))
	for name, want := range map[string]any{
		"message": "request", "level": "INFO", "requestId": "id-1", "operation": "get", "code": "ok", "duration_ms": 1.5, "cold_start": false,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, got["timestamp"].(string)); err != nil {
		t.Errorf("timestamp: %v", err)
	}
	if got["_aws"] != nil {
		t.Errorf("a line without metrics has %v", got["_aws"])
	}
}

// TestARequestLineInOneGroupIsTheSame: the service gives a record the attributes of a
// request as one group without a name. The line has the same bytes as with the
// attributes one by one, with all its metrics.
func TestARequestLineInOneGroupIsTheSame(t *testing.T) {
	attrs := []slog.Attr{
		slog.String("operation", "create"), slog.String("code", "internal"), slog.String("user_agent", "curl \"8\""), slog.Int("status", 500),
		slog.Duration("took", time.Second), slog.Any("error", &events.DamagedView{TokenID: "x", Reason: errors.New("it has no seal")}), slog.Any("Count", Count(2)),
	}
	var lines [2]bytes.Buffer
	for i, given := range [][]slog.Attr{attrs, {{Value: slog.GroupValue(attrs...)}}} {
		r := slog.NewRecord(time.Unix(1, 0), slog.LevelError, Request, 0)
		r.AddAttrs(given...)
		if err := NewLogger(Config{Out: &lines[i], Function: "f"}).Handler().Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	want := lines[0].String()
	if got := lines[1].String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	for _, metric := range []string{Damaged, Faults, "Count"} {
		if !strings.Contains(want, `{"Name":"`+metric+`"`) {
			t.Errorf("the line has no metric %s: %s", metric, want)
		}
	}
}

// TestMetricsFollowTheSpecification checks the embedded metric format: the
// directive, and each dimension and metric as a member of the same object, with
// the right type.
func TestMetricsFollowTheSpecification(t *testing.T) {
	got := request(t, slog.String("operation", "get"), slog.String("code", "token_expired"))
	b, err := json.Marshal(got["_aws"])
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []map[string]string
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if age := time.Since(time.UnixMilli(d.Timestamp)); age < 0 || age > time.Minute {
		t.Errorf("the timestamp is %v old", age)
	}
	if len(d.CloudWatchMetrics) != 1 || d.CloudWatchMetrics[0].Namespace != "apitoken" {
		t.Fatalf("got %s", b)
	}
	m := d.CloudWatchMetrics[0]
	if len(m.Dimensions) != 2 || strings.Join(m.Dimensions[1], " ") != "function reason" || got["function"] != "stack-create" || got["reason"] != "token_expired" {
		t.Errorf("dimensions: got %v on %v", m.Dimensions, got)
	}
	if len(m.Metrics) != 1 || m.Metrics[0]["Name"] != "Refused" || m.Metrics[0]["Unit"] != "Count" || len(m.Metrics[0]) != 2 || got["Refused"] != 1.0 {
		t.Errorf("metrics: got %v on %v", m.Metrics, got)
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	for _, c := range []struct{ operation, code, metric string }{
		{"create", "ok", Created},
		{"create", "token_limit_reached", LimitReached},
		{"create", "token_invalid", Refused},
		{"authorize", "ok", Authorized},
		{"authorize", "permission_denied_by_scope", Refused},
		{"authorize", "unavailable", Faults},
		{"list", "internal", Faults},
		{"list", "ok", ""},
		{"get", "not_found", ""},
		{"create", "invalid_field", ""},
		{"create", "replayed", ""},
		{"create", "token_ended", ""},
	} {
		got := request(t, slog.String("operation", c.operation), slog.String("code", c.code))
		for _, name := range []string{Created, LimitReached, Refused, Authorized, Faults} {
			if (got[name] != nil) != (name == c.metric) {
				t.Errorf("%s %s: %s is %v", c.operation, c.code, name, got[name])
			}
		}
	}
}

// TestEveryAccessCodeCountsAsRefused: a code about a credential or a permission
// is recognized by its prefix, so a new code must have such a prefix.
func TestEveryAccessCodeCountsAsRefused(t *testing.T) {
	want := map[string]bool{
		"credential_missing": true, "credential_repeated": true, "scheme_unsupported": true, "password_unsupported": true, "password_invalid": true, "password_failures_exceeded": true, "token_in_query": true, "token_in_path": true, "token_malformed": true,
		"token_invalid": true, "token_revoked": true, "token_disabled": true, "token_expired": true, "token_suspended": true, "token_replaced": true,
		"permission_denied": true, "permission_denied_by_source": true, "permission_denied_by_scope": true, "permission_denied_by_owner": true,
		"permission_denied_by_credential": true, "permission_denied_by_peer": true,
		"identity_expired": true, "identity_invalid": true, "identity_malformed": true, "permission_denied_groups_overage": true, "sign_in_refused": true,
	}
	for _, code := range machine.Codes() {
		metrics, reason := outcomeMetrics("get", code)
		got := len(metrics) == 1 && metrics[0].Key == Refused && reason == code
		if got != want[code] {
			t.Errorf("%s: counted as refused %t, want %t", code, got, want[code])
		}
		delete(want, code)
	}
	for code := range want {
		t.Errorf("the API no longer has the code %s", code)
	}
}

// TestEveryFaultAndNothingElseIsCounted: 500 and 503 are faults of ours. 501 and 505
// are about the request. The token limit is no fault, also if a client gets it as a 503.
func TestEveryFaultAndNothingElseIsCounted(t *testing.T) {
	recorded, err := os.ReadFile("../../httpapi/testdata/problems.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(recorded)) {
		var p httpapi.Problem
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		metrics, _ := outcomeMetrics("create", p.Code)
		got := len(metrics) == 1 && metrics[0].Key == Faults
		want := (p.Status == 500 || p.Status == 503) && p.Code != "forward_misconfigured" // no function answers a proxy
		if got != want {
			t.Errorf("%s with the status %d: counted as a fault %t, want %t", p.Code, p.Status, got, want)
		}
		if want {
			seen++
		}
	}
	if seen < 2 {
		t.Errorf("only %d recorded problems are faults", seen)
	}
}

// TestWhatAnInvocationCouldNotStoreIsCountedForTheStack: one alarm watches all
// functions that check tokens.
func TestWhatAnInvocationCouldNotStoreIsCountedForTheStack(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Function: "f", LogGroup: "stack-logs"})
	h := Observe(function(func(ctx context.Context) {
		UseNotStored(ctx)
		NoticeNotStored(ctx)
		log.InfoContext(ctx, Request, "operation", "authorize", "code", "ok")
	}))
	if _, err := h.Invoke(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got := lines(t, &out)[0]
	want := `[{"Dimensions":[["function"],["log_group"]],"Metrics":[{"Name":"UsesNotStored","Unit":"Count"},{"Name":"NoticesNotStored","Unit":"Count"}],"Namespace":"apitoken"},` +
		`{"Dimensions":[["function"]],"Metrics":[{"Name":"Authorized","Unit":"Count"}],"Namespace":"apitoken"}]`
	if directive := mustJSON(t, got["_aws"].(map[string]any)["CloudWatchMetrics"]); directive != want || got[UsesNotStored] != 1.0 || got[NoticesNotStored] != 1.0 || got[LogGroup] != "stack-logs" {
		t.Errorf("got %s, want %s, in %v", directive, want, got)
	}
}

func TestMetricAttributesAreCounted(t *testing.T) {
	got := request(t, slog.String("operation", "publish"), slog.String("code", "ok"), slog.Any(Published, Count(3)), slog.Any(Lag, Seconds(1500*time.Millisecond)))
	if got[Published] != 3.0 || got[Lag] != 1.5 || !strings.Contains(mustJSON(t, got["_aws"]), `{"Name":"Lag","Unit":"Seconds"}`) {
		t.Errorf("got %v", got)
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type function func(context.Context)

func (f function) Invoke(ctx context.Context, _ []byte) ([]byte, error) { f(ctx); return nil, nil }

func TestOnlyTheFirstInvocationIsColdAndEachCountsItsConflicts(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Function: "f"})
	conflicts := 2
	h := Observe(function(func(ctx context.Context) {
		for range conflicts {
			Conflict(ctx)
		}
		conflicts = 0
		log.InfoContext(ctx, "not a request")
		log.InfoContext(ctx, Request, "operation", "create", "code", "ok")
	}))
	for range 2 {
		if _, err := h.Invoke(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	got := lines(t, &out)
	if len(got) != 4 || got[1]["cold_start"] != true || got[3]["cold_start"] != false || got[0]["cold_start"] != nil {
		t.Errorf("got %v", got)
	}
	if got[1][Conflicts] != 2.0 || got[1][Created] != 1.0 || got[3][Conflicts] != nil || got[0]["_aws"] != nil {
		t.Errorf("conflicts: got %v", got)
	}
}

func TestRecordsBelowTheLevelAreDropped(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Level: slog.LevelWarn, Function: "f"}).With("a", 1).WithGroup("g")
	log.Info("dropped")
	log.Warn("kept", "b", 2)
	if got := lines(t, &out); len(got) != 1 || got[0]["a"] != 1.0 || got[0]["message"] != "kept" {
		t.Errorf("got %v", got)
	}
}

// TestTroubleIsCountedForTheWholeStack: the log group is the dimension that all
// functions of a stack share. Other metrics of the line do not have it.
func TestTroubleIsCountedForTheWholeStack(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(Config{Out: &out, Function: "stack-get", LogGroup: "stack-logs"})
	damaged := fmt.Errorf("reading: %w", &events.DamagedView{TokenID: "JhxND7ci", Reason: errors.New("no seal")})
	log.ErrorContext(t.Context(), Request, "operation", "get", "code", "internal", "error", damaged)
	log.ErrorContext(t.Context(), "a damaged view was left out of a list", "error", damaged)
	log.ErrorContext(t.Context(), Request, "operation", "get", "code", "unavailable", "error", errors.New("other"), Lag, Count(2))
	log.InfoContext(t.Context(), Request, "operation", "create", "code", "ok")
	got := lines(t, &out)
	for i, want := range []string{
		`[{"Dimensions":[["function"],["log_group"]],"Metrics":[{"Name":"Damaged","Unit":"Count"},{"Name":"Faults","Unit":"Count"}],"Namespace":"apitoken"}]`,
		`[{"Dimensions":[["function"],["log_group"]],"Metrics":[{"Name":"Damaged","Unit":"Count"}],"Namespace":"apitoken"}]`,
		`[{"Dimensions":[["function"],["log_group"]],"Metrics":[{"Name":"Faults","Unit":"Count"}],"Namespace":"apitoken"},` +
			`{"Dimensions":[["function"]],"Metrics":[{"Name":"Lag","Unit":"Count"}],"Namespace":"apitoken"}]`,
		`[{"Dimensions":[["function"]],"Metrics":[{"Name":"Created","Unit":"Count"}],"Namespace":"apitoken"}]`,
	} {
		if directive := mustJSON(t, got[i]["_aws"].(map[string]any)["CloudWatchMetrics"]); directive != want {
			t.Errorf("line %d: got %s, want %s", i, directive, want)
		}
		isDamaged, isFault, isOfStack := i < 2, i == 0 || i == 2, i < 3
		if (got[i][Damaged] == 1.0) != isDamaged || (got[i][Faults] == 1.0) != isFault || (got[i][LogGroup] == "stack-logs") != isOfStack {
			t.Errorf("line %d: got %v", i, got[i])
		}
	}
	if text, _ := got[0]["error"].(string); !strings.Contains(text, "JhxND7ci") {
		t.Errorf("the error is %v, want its text with the token", got[0]["error"])
	}
}
