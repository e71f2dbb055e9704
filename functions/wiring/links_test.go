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

// forbidden has packages that a function's binary must not link, with the packages
// inside them. Each cold start loads the linked packages and runs their init
// functions.
var forbidden = []struct {
	jobs   func(wiring.Job) bool
	pkg    string
	reason string
}{
	{every, "apitoken/cmd", "the command line is for people"},
	{every, "apitoken/infra/bolt", "the embedded store is for one process with a disk"},
	{every, "apitoken/infra/eventfile", "the file of events is for one process with a disk"},
	{every, "go.etcd.io/bbolt", "the embedded store is for one process with a disk"},
	{every, "github.com/spf13/cobra", "the command line is for people"},
	{every, "github.com/jmespath/go-jmespath", "only the command line selects parts of answers"},
	{every, "gopkg.in/ini.v1", "only the command line reads profiles"},
	{every, "github.com/VictoriaMetrics/metrics", "CloudWatch reads the metrics of a function from its log"},
	{every, "github.com/clipperhouse", "only the command line measures texts on a terminal"},
	{every, "golang.org/x/term", "only the command line has a terminal"},
	{every, "github.com/creack/pty", "tests do not ship"},
	{every, "apitoken/infra/dynamo/chain", "it finds credentials, and Lambda has them in the environment"},
	{every, "apitoken/infra/stack", "CloudFormation puts the peppers into the environment"},
	{every, "github.com/aws/aws-sdk-go-v2/config", "this package alone makes the start three times as long"},
	{every, "github.com/aws/aws-sdk-go-v2/credentials", "the environment has the credentials"},
	{every, "github.com/aws/aws-sdk-go-v2/service/sts", "the environment has the credentials"},
	{every, "github.com/aws/aws-sdk-go-v2/feature/ec2/imds", "a Lambda function has no instance metadata"},
	{noPage, "text/template", "it calls methods by name, so the linker cannot drop unused exported methods"},
	{noPage, "html/template", "it imports text/template"},
	{every, "net/rpc", "the tag lambda.norpc leaves it out, and html/template with it"},
	{every, "testing", "tests do not ship"},
	{every, "pgregory.net/rapid", "tests do not ship"},
	{every, "net/http/httptest", "tests do not ship"},
	{every, "github.com/getkin/kin-openapi", "only tests compare the document with the routes"},
	{every, "github.com/santhosh-tekuri/jsonschema", "only tests compare events with their schemas"},
	{every, "go.yaml.in/yaml", "the OpenAPI document is served without parsing"},
	{opensNoSession, "apitoken/infra/oidc", "only the function that opens sessions asks issuers"},
	{opensNoSession, "github.com/coreos/go-oidc", "only the function that opens sessions asks issuers"},
	{opensNoSession, "github.com/go-jose/go-jose", "only the function that opens sessions reads JWTs"},
	{opensNoSession, "golang.org/x/oauth2", "only the function that opens sessions asks issuers"},
	{every, "github.com/oauth2-proxy/mockoidc", "tests do not ship"},
	{every, "github.com/golang-jwt/jwt", "tests do not ship"},
	{noCaller, "apitoken/functions/httpapi", "API Gateway, a stream, a queue or the clock calls it, and no HTTP client does"},
	{pages, "apitoken/infra", "it calls the API over HTTPS and has no right at the tables"},
	{pages, "github.com/aws/aws-sdk-go-v2", "it calls the API over HTTPS and no service of AWS"},
	{authorizes, "apitoken/events/issuer", "it checks tokens and does not change them"},
	{authorizes, "apitoken/events/settings", "no setting decides whether a token passes"},
	{authorizes, "apitoken/events/token", "it compares calls with scopes and applies no rules"},
	{authorizes, "apitoken/events/session", "it reads the view of a session like that of a token, and applies no rules"},
	{authorizes, "apitoken/events/name", "names are checked when a token is made, and their tables would make the start slow"},
	{authorizes, "golang.org/x/text", "only names of users need the tables of Unicode, which are large"},
	{noCarrier, "github.com/aws/aws-sdk-go-v2/service/eventbridge", "only the change stream sends events: a function that wrote and then sent could crash in between and lose an event"},
	{noCarrier, "apitoken/infra/bridge", "only the change stream sends events: a function that wrote and then sent could crash in between and lose an event"},
	{noCarrier, "apitoken/events/relay", "only the change stream sends events: a function that wrote and then sent could crash in between and lose an event"},
	{carries, "apitoken/events/issuer", "it sends events and makes none"},
	{copies, "apitoken/events/issuer", "a function that checks the log must not write to it"},
	{copies, "apitoken/events/token", "it stores events and folds none"},
	{verifies, "apitoken/events/issuer", "a function that checks the log must not write to it"},
	{verifiesNothing, "apitoken/events/guard", "it verifies no credential and has no peppers"},
}

func TestFunctionsLinkOnlyWhatTheyUse(t *testing.T) {
	linked := linkedPackages(t)
	for _, job := range api.Jobs() {
		if linked[job.Function] == nil {
			t.Errorf("there is no function %s", job.Function)
		}
		checkLinks(t, job, linked[job.Function])
		delete(linked, job.Function)
	}
	for name := range linked {
		t.Errorf("%s has no job, so no rule says which packages it may link", name)
	}
}

func checkLinks(t *testing.T, job wiring.Job, linked []string) {
	t.Helper()
	for _, row := range forbidden {
		for _, pkg := range linked {
			if row.jobs(job) && (pkg == row.pkg || strings.HasPrefix(pkg, row.pkg+"/")) {
				t.Errorf("%s links %s: %s", job.Function, pkg, row.reason)
			}
		}
	}
}

func every(wiring.Job) bool            { return true }
func opensNoSession(j wiring.Job) bool { return !j.Open || !j.Mints }
func noPage(j wiring.Job) bool         { return !j.Pages }
func pages(j wiring.Job) bool          { return j.Pages }
func noCaller(j wiring.Job) bool       { return !j.HTTP() && !j.Pages }
func authorizes(j wiring.Job) bool     { return j.Authorizes }
func carries(j wiring.Job) bool        { return j.Carries }
func noCarrier(j wiring.Job) bool      { return !j.Carries }
func copies(j wiring.Job) bool         { return j.Copies }
func verifies(j wiring.Job) bool       { return j.Verifies }

// verifiesNothing selects functions without peppers that answer no HTTP calls. The
// HTTP interface links the guard, even if all calls of a function are open.
func verifiesNothing(j wiring.Job) bool { return !j.HTTP() && !j.Pages && j.Need()&wiring.Peppers == 0 }

// linkedPackages returns the packages that the binary of each function links.
func linkedPackages(t *testing.T) map[string][]string {
	t.Helper()
	readSources(t)
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
		t.Fatal("publish does not link EventBridge: this test does not see the linked packages")
	}
	return all
}

// readSources walks the sources of the functions. go test repeats a cached result
// until a folder or file changes that the test itself has read, and it does not
// see the files that go list reads.
func readSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../../functions", "../../events", "../../infra", "../../cmd"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}
