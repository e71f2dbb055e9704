package wiring

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// never lists what a function's binary may not link, with the packages below
// it. What is linked is loaded at each cold start, and what starts by itself
// (init functions) runs there.
var never = []struct {
	functions []string // none: every function
	pkg       string
	reason    string
}{
	{nil, "apitoken/cmd", "the command line is for people"},
	{nil, "apitoken/infra/bolt", "the embedded store is for one process with a disk"},
	{nil, "apitoken/infra/eventfile", "the file of events is for one process with a disk"},
	{nil, "go.etcd.io/bbolt", "the embedded store is for one process with a disk"},
	{nil, "github.com/spf13/cobra", "the command line is for people"},
	{nil, "apitoken/infra/dynamo/chain", "it finds credentials that Lambda has in the environment anyway"},
	{nil, "github.com/aws/aws-sdk-go-v2/config", "it alone makes the start three times as long"},
	{nil, "github.com/aws/aws-sdk-go-v2/credentials", "the environment has the credentials"},
	{nil, "github.com/aws/aws-sdk-go-v2/service/sts", "the environment has the credentials"},
	{nil, "github.com/aws/aws-sdk-go-v2/feature/ec2/imds", "a Lambda function has no instance metadata"},
	{nil, "text/template", "it calls methods by name, so the linker can drop none of anybody's"},
	{nil, "html/template", "it brings text/template"},
	{nil, "net/rpc", "the tag lambda.norpc leaves it out, and html/template with it"},
	{nil, "testing", "tests do not ship"},
	{nil, "pgregory.net/rapid", "tests do not ship"},
	{nil, "net/http/httptest", "tests do not ship"},
	{nil, "github.com/getkin/kin-openapi", "the document is held against the routes by tests"},
	{nil, "github.com/santhosh-tekuri/jsonschema", "events are held against their schemas by tests"},
	{nil, "go.yaml.in/yaml", "the OpenAPI document is served as it is"},
	{[]string{"authorize"}, "apitoken/functions/httpapi", "it answers API Gateway and no caller"},
	{[]string{"authorize"}, "apitoken/events/issuer", "it decides about a token and changes none"},
	{[]string{"authorize"}, "apitoken/events/settings", "no setting has a say in whether a token passes"},
	{append([]string{"authorize"}, calls...), "github.com/aws/aws-sdk-go-v2/service/eventbridge", "events go out through the change stream alone, or a crash in between would lose them"},
	{append([]string{"authorize"}, calls...), "apitoken/infra/bridge", "events go out through the change stream alone, or a crash in between would lose them"},
	{append([]string{"authorize"}, calls...), "apitoken/events/relay", "events go out through the change stream alone, or a crash in between would lose them"},
	{carriers, "apitoken/functions/httpapi", "nobody calls it over HTTP"},
	{carriers, "apitoken/events/issuer", "it carries facts and makes none"},
	{carriers, "apitoken/events/guard", "it verifies no credential and has no peppers"},
	{[]string{"audit"}, "apitoken/functions/httpapi", "nobody calls it over HTTP"},
	{[]string{"audit"}, "apitoken/events/issuer", "whoever vouches for the log does not write it"},
	{[]string{"audit"}, "apitoken/events/guard", "it verifies no credential and has no peppers"},
	{[]string{"audit"}, "apitoken/events/relay", "it takes events and sends none"},
}

var (
	calls    = []string{"create", "list", "get", "revoke", "history", "introspect", "about"}
	carriers = []string{"publish", "reconcile"}
)

func TestFunctionsLinkOnlyWhatTheyUse(t *testing.T) {
	linked := functions(t)
	for _, row := range never {
		names := row.functions
		for _, name := range names {
			if linked[name] == nil {
				t.Errorf("there is no function %s", name)
			}
		}
		if names == nil {
			for name := range linked {
				names = append(names, name)
			}
		}
		for _, name := range names {
			for _, pkg := range linked[name] {
				if pkg == row.pkg || strings.HasPrefix(pkg, row.pkg+"/") {
					t.Errorf("%s links %s: %s", name, pkg, row.reason)
				}
			}
		}
	}
}

// functions gives what the binary of each function links.
func functions(t *testing.T) map[string][]string {
	t.Helper()
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
