package template_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"apitoken/events/storetest"
	"apitoken/infra/dynamo/item"
	"apitoken/infra/sam/template"
	"apitoken/localstack/longtest"
)

// skipIfShort skips a test of built programs with -short, and with APITOKEN_SHORTER=1:
// the programs have no race detector.
func skipIfShort(t *testing.T) {
	t.Helper()
	if testing.Short() || longtest.Shorter() {
		t.Skip("builds the functions")
	}
}

// buildFunctions builds the functions as the deployment does. It returns the folder
// of the programs.
func buildFunctions(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir() + string(filepath.Separator)
	args := []string{"build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir}
	for _, name := range names {
		args = append(args, "apitoken/functions/"+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the functions: %v\n%s", err, out)
	}
	return dir
}

// run is one invocation of a function.
type run struct {
	function string // the name of its folder
	payload  []byte
	aws      aws
}

// aws is what a function finds in AWS. The zero value has empty tables and a bus that
// accepts everything.
type aws struct {
	dead  func(action string) bool                   // calls that fail; nil: none
	items func(action string, in object) []item.Item // of Query, Scan and BatchGetItem; nil: none
}

// everythingDead is a table and a bus that do not exist.
var everythingDead = aws{dead: func(string) bool { return true }}

// result is what Lambda and CloudWatch get from an invocation.
type result struct {
	answer  object
	failed  bool // the function reported an error
	log     string
	counted map[watchedMetric]float64
}

// physical is the name that CloudFormation gives a resource. logicalOf is its reverse.
func physical(logical string) string { return "stack-" + logical + "-1A2B3C" }

func logicalOf(name string) string {
	return strings.TrimSuffix(strings.TrimPrefix(name, "stack-"), "-1A2B3C")
}

// invoke starts the program of the function with its variables, as Lambda does, gives
// it one event, and ends it after its answer.
func (r run) invoke(t *testing.T, dir string) result {
	t.Helper()
	l := &fakeLambda{run: r, done: make(chan struct{})}
	server := httptest.NewServer(l)
	defer server.Close()
	logical := template.Logical(r.function, "Function")
	var log bytes.Buffer
	cmd := exec.Command(dir + r.function)
	cmd.Stdout, cmd.Stderr = &log, t.Output()
	cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://"), "AWS_ENDPOINT_URL=" + server.URL,
		"AWS_LAMBDA_FUNCTION_NAME=" + physical(logical), "AWS_LAMBDA_LOG_GROUP_NAME=" + physical("FunctionLogs"),
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_SESSION_TOKEN=test",
	}
	all := read(t)
	known := variables(all)
	for name := range at(all, "Resources", logical, "Properties", "Environment", "Variables").(object) {
		value := known[name].sample
		if name == "PEPPERS" {
			value = peppers
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.done:
	case <-time.After(time.Minute):
		t.Error("the function gave no answer in a minute")
	}
	cmd.Process.Kill()
	cmd.Wait() // the error says only that the process was killed
	if t.Failed() {
		t.Logf("%s wrote\n%s", r.function, &log)
	}
	l.result.log = log.String()
	l.result.count(t, logical)
	return l.result
}

// peppers is the variable for storetest.Keys.
var peppers = storetest.Keys.Current() + ":" + strings.Repeat("QUJD", 11)

// count adds up what CloudWatch counts: the metrics in the log, and Lambda's own.
func (r *result) count(t *testing.T, logical string) {
	t.Helper()
	r.counted = map[watchedMetric]float64{{"AWS/Lambda", "Invocations", "FunctionName=" + logical}: 1}
	if r.failed {
		r.counted[watchedMetric{"AWS/Lambda", "Errors", "FunctionName=" + logical}] = 1
	}
	for text := range strings.Lines(r.log) {
		var line object
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, d := range objects(at(line, "_aws", "CloudWatchMetrics")) {
			for _, set := range d["Dimensions"].([]any) {
				var dimensions []string
				for _, name := range texts(set) {
					value, _ := line[name].(string)
					dimensions = append(dimensions, name+"="+logicalOf(value))
				}
				for _, m := range objects(d["Metrics"]) {
					name := m["Name"].(string)
					r.counted[watchedMetric{d["Namespace"].(string), name, strings.Join(dimensions, " ")}] += line[name].(float64)
				}
			}
		}
	}
}

// fakeLambda is the runtime API of Lambda for one invocation, and the endpoint of all
// AWS services.
type fakeLambda struct {
	run    run
	result result
	done   chan struct{}
	once   sync.Once
}

func (l *fakeLambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const api = "/2018-06-01/runtime/invocation/"
	body, _ := io.ReadAll(r.Body)
	switch r.Method + r.URL.Path {
	case "GET" + api + "next":
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
		asked := false
		l.once.Do(func() { asked = true })
		if !asked {
			<-r.Context().Done() // the next invocation never comes
			return
		}
		w.Write(l.run.payload)
	case "POST" + api + "1/response":
		json.Unmarshal(body, &l.result.answer) // an answer of another form stays nil
		w.WriteHeader(http.StatusAccepted)
		close(l.done)
	case "POST" + api + "1/error":
		l.result.failed = true
		w.WriteHeader(http.StatusAccepted)
		close(l.done)
	default:
		l.run.aws.serve(w, r, body)
	}
}

// serve answers a call of the SDK to DynamoDB or EventBridge.
func (a aws) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in object
	json.Unmarshal(body, &in) // both services take JSON only
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if a.dead != nil && a.dead(action) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.amazonaws#ResourceNotFoundException","message":"it does not exist"}`)
		return
	}
	answer := object{}
	items := []any{}
	if a.items != nil {
		for _, it := range a.items(action, in) {
			items = append(items, wireItem(it))
		}
	}
	switch action {
	case "Query", "Scan":
		answer = object{"Items": items, "Count": len(items), "ScannedCount": len(items)}
	case "BatchGetItem":
		responses := object{}
		for table := range in["RequestItems"].(object) {
			responses[table] = items
		}
		answer = object{"Responses": responses, "UnprocessedKeys": object{}}
	case "PutEvents":
		var entries []any
		for range in["Entries"].([]any) {
			entries = append(entries, object{"EventId": "1"})
		}
		answer = object{"FailedEntryCount": 0, "Entries": entries}
	}
	json.NewEncoder(w).Encode(answer)
}

// wireItem is an item in the JSON form of DynamoDB, which is also that of the change
// stream.
func wireItem(it item.Item) object {
	wire := object{}
	for name, v := range it {
		wire[name] = wireValue(v)
	}
	return wire
}

func wireValue(v types.AttributeValue) object {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return object{"S": v.Value}
	case *types.AttributeValueMemberN:
		return object{"N": v.Value}
	case *types.AttributeValueMemberB:
		return object{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return object{"BOOL": v.Value}
	case *types.AttributeValueMemberL:
		l := []any{}
		for _, e := range v.Value {
			l = append(l, wireValue(e))
		}
		return object{"L": l}
	}
	panic(fmt.Sprintf("no item of this service has a value of the kind %T", v))
}
