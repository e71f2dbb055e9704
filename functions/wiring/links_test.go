package wiring_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"apitoken/functions/wiring"
	"apitoken/functions/wiring/api"
)

// never lists what a function's binary may not link, with the packages below
// it. What is linked is loaded at each cold start, and what starts by itself
// (init functions) runs there.
var never = []struct {
	jobs   func(wiring.Job) bool
	pkg    string
	reason string
}{
	{every, "apitoken/cmd", "the command line is for people"},
	{every, "apitoken/infra/bolt", "the embedded store is for one process with a disk"},
	{every, "apitoken/infra/eventfile", "the file of events is for one process with a disk"},
	{every, "go.etcd.io/bbolt", "the embedded store is for one process with a disk"},
	{every, "github.com/spf13/cobra", "the command line is for people"},
	{every, "apitoken/infra/dynamo/chain", "it finds credentials that Lambda has in the environment anyway"},
	{every, "github.com/aws/aws-sdk-go-v2/config", "it alone makes the start three times as long"},
	{every, "github.com/aws/aws-sdk-go-v2/credentials", "the environment has the credentials"},
	{every, "github.com/aws/aws-sdk-go-v2/service/sts", "the environment has the credentials"},
	{every, "github.com/aws/aws-sdk-go-v2/feature/ec2/imds", "a Lambda function has no instance metadata"},
	{every, "text/template", "it calls methods by name, so the linker can drop none of anybody's"},
	{every, "html/template", "it brings text/template"},
	{every, "net/rpc", "the tag lambda.norpc leaves it out, and html/template with it"},
	{every, "testing", "tests do not ship"},
	{every, "pgregory.net/rapid", "tests do not ship"},
	{every, "net/http/httptest", "tests do not ship"},
	{every, "github.com/getkin/kin-openapi", "the document is held against the routes by tests"},
	{every, "github.com/santhosh-tekuri/jsonschema", "events are held against their schemas by tests"},
	{every, "go.yaml.in/yaml", "the OpenAPI document is served as it is"},
	{noCaller, "apitoken/functions/httpapi", "API Gateway, a stream, a queue or the clock calls it, and no HTTP client does"},
	{authorizes, "apitoken/events/issuer", "it decides about a token and changes none"},
	{authorizes, "apitoken/events/settings", "no setting has a say in whether a token passes"},
	{noCarrier, "github.com/aws/aws-sdk-go-v2/service/eventbridge", "events go out through the change stream alone, or a crash in between would lose them"},
	{noCarrier, "apitoken/infra/bridge", "events go out through the change stream alone, or a crash in between would lose them"},
	{noCarrier, "apitoken/events/relay", "events go out through the change stream alone, or a crash in between would lose them"},
	{carries, "apitoken/events/issuer", "it carries facts and makes none"},
	{copies, "apitoken/events/issuer", "a function that vouches for the log does not write it"},
	{verifiesNothing, "apitoken/events/guard", "it verifies no credential and has no peppers"},
}

func TestFunctionsLinkOnlyWhatTheyUse(t *testing.T) {
	linked := functions(t)
	for _, job := range api.Jobs() {
		if linked[job.Function] == nil {
			t.Errorf("there is no function %s", job.Function)
		}
		checkLinks(t, job, linked[job.Function])
		delete(linked, job.Function)
	}
	for name := range linked {
		t.Errorf("%s has no job, so nothing says what it may link", name)
	}
}

func checkLinks(t *testing.T, job wiring.Job, linked []string) {
	t.Helper()
	for _, row := range never {
		for _, pkg := range linked {
			if row.jobs(job) && (pkg == row.pkg || strings.HasPrefix(pkg, row.pkg+"/")) {
				t.Errorf("%s links %s: %s", job.Function, pkg, row.reason)
			}
		}
	}
}

func every(wiring.Job) bool        { return true }
func noCaller(j wiring.Job) bool   { return !j.HTTP() }
func authorizes(j wiring.Job) bool { return j.Authorizes }
func carries(j wiring.Job) bool    { return j.Carries }
func noCarrier(j wiring.Job) bool  { return !j.Carries }
func copies(j wiring.Job) bool     { return j.Copies }

// verifiesNothing is a function without peppers. A function that answers HTTP
// calls links the guard with the interface, even if all its calls are open.
func verifiesNothing(j wiring.Job) bool { return !j.HTTP() && j.Need()&wiring.Peppers == 0 }

// functions gives what the binary of each function links.
func functions(t *testing.T) map[string][]string {
	t.Helper()
	lookAtSources(t)
	cmd := exec.Command("go", "list", "-tags", "lambda.norpc", "-f", `{{if eq .Name "main"}}{{.ImportPath}} {{join .Deps " "}}{{end}}`, "apitoken/functions/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing what the functions link: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 {
			all[strings.TrimPrefix(words[0], "apitoken/functions/")] = words[1:]
		}
	}
	if !slices.Contains(all["publish"], "github.com/aws/aws-sdk-go-v2/service/eventbridge") {
		t.Fatal("publish does not link EventBridge: this test does not see what is linked")
	}
	return all
}

// lookAtSources walks the sources of the functions. go test repeats an earlier
// result until a folder or file changes that the test itself looked at, and it
// does not see what go list reads.
func lookAtSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../../functions", "../../events", "../../infra", "../../cmd"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}
