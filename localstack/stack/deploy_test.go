package stack_test

import (
	"bytes"
	"crypto/rand"
	"debug/elf"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"apitoken/events/secret"
	"apitoken/functions/httpapi"
	"apitoken/infra/sam/template"
)

const (
	top   = "../../"
	stage = "prod"

	// maxAuthorize is how large the authorizer may be: every cold start loads it.
	maxAuthorize = 9_000_000
)

// toolPath is where sam or cfn-lint is.
func toolPath(t *testing.T, name string) string {
	t.Helper()
	if path := os.Getenv("APITOKEN_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); path != "" {
		return path
	}
	out, err := exec.CommandContext(t.Context(), top+"localstack/engines.sh", "tool", name).Output()
	if err != nil {
		t.Fatalf("engines.sh tool %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// tool runs sam or cfn-lint at the top of the repository and gives what it said.
func tool(t *testing.T, name string, endpoint string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), toolPath(t, name), args...)
	c.Dir = top
	c.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION="+region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "ARCH="+arch())
	if endpoint != "" {
		c.Env = append(c.Env, "AWS_ENDPOINT_URL="+endpoint)
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// arch is this machine's processor as Lambda names it.
func arch() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

func TestTheTemplateIsClean(t *testing.T) {
	ministack(t)
	if out := tool(t, "sam", "", "validate", "--lint"); !strings.Contains(out, "is a valid SAM Template") {
		t.Errorf("sam validate --lint: %s", out)
	}
	if out := tool(t, "cfn-lint", "", "template.yaml"); strings.TrimSpace(out) != "" {
		t.Errorf("cfn-lint: %s", out)
	}
}

// site is one API, behind the address of the emulator, which tells its APIs
// apart by the host that is asked for.
type site struct {
	url, host string
	client    *http.Client
}

func newSite(endpoint, output string) site {
	u, err := url.Parse(output)
	if err != nil {
		panic(err)
	}
	id, _, _ := strings.Cut(u.Host, ".")
	host := id + ".execute-api.localhost:" + endpoint[strings.LastIndexByte(endpoint, ':')+1:]
	return site{endpoint + u.Path, host, &http.Client{Transport: asHost(host), Timeout: 2 * time.Minute}}
}

// asHost asks for another host than it connects to.
type asHost string

func (h asHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = string(h)
	return http.DefaultTransport.RoundTrip(r)
}

// ask makes a request with a token, or without one.
func (s site) ask(t *testing.T, method, path, bearer string, body any) answer {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		b = nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return do(t, s.client, r)
}

// as is the service's own Go client with a token.
func (s site) as(bearer string) *httpapi.Client {
	return httpapi.NewClient(s.url, secret.New(bearer), s.client)
}

// stack is what was deployed.
type stack struct {
	root         caller
	name         string
	ids          map[string]string // physical ids by the names of the template
	outputs      map[string]string
	api, example site
	tokenFile    string
	admin        string // the administrator's token
	peppers      string
}

// deploy builds and deploys the template as it stands, with a name of its own,
// and makes the administrator as the Makefile does.
func deploy(t *testing.T) *stack {
	t.Helper()
	s := &stack{root: ministack(t), name: "test-" + strings.ToLower(rand.Text()[:8])}
	build := filepath.Join(t.TempDir(), "build")
	began := time.Now()
	tool(t, "sam", "", "build", "--build-in-source", "--build-dir", build)
	t.Logf("sam build: %v", time.Since(began).Round(time.Millisecond))
	checkBinaries(t, build)
	t.Cleanup(func() { s.remove(t) })
	began = time.Now()
	tool(t, "sam", s.root.endpoint, "deploy", "-t", filepath.Join(build, "template.yaml"), "--stack-name", s.name, "--resolve-s3",
		"--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar",
		// MiniStack knows no archives.
		"--parameter-overrides", "Arch="+arch(), "StageName="+stage, "ArchiveDays=0", "DeletionProtection=false", "RequestsPerSecond=1000", "RequestBurst=1000")
	t.Logf("sam deploy: %v", time.Since(began).Round(time.Millisecond))
	s.look(t)
	s.patch(t)
	s.answerLikeTheTemplate(t)
	s.bootstrap(t)
	return s
}

// remove takes the stack down, or the emulator would keep its functions running.
func (s *stack) remove(t *testing.T) {
	form := url.Values{"Action": {"DeleteStack"}, "Version": {version["cloudformation"]}, "StackName": {s.name}}
	r, err := http.NewRequest("POST", s.root.endpoint, strings.NewReader(form.Encode())) // the test's context has ended
	if err != nil {
		t.Fatal(err)
	}
	if a := s.root.sign(t, r, "cloudformation", "application/x-www-form-urlencoded", []byte(form.Encode())); !a.ok() {
		t.Errorf("deleting the stack: %s", a)
	}
}

// checkBinaries looks at what goes to Lambda.
func checkBinaries(t *testing.T, build string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(build, "*", "bootstrap"))
	if err != nil || len(all) == 0 {
		t.Fatalf("sam built nothing: %v", err)
	}
	for _, path := range all {
		function := filepath.Base(filepath.Dir(path))
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		libraries, err := f.ImportedLibraries()
		if err != nil || len(libraries) > 0 || f.Section(".interp") != nil {
			t.Errorf("%s is not static: it needs %v %v", function, libraries, err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB", function, float64(info.Size())/1e6)
		if function == "AuthorizeFunction" && info.Size() > maxAuthorize {
			t.Errorf("%s has %d bytes, want at most %d", function, info.Size(), maxAuthorize)
		}
	}
}

// look finds out what was deployed.
func (s *stack) look(t *testing.T) {
	t.Helper()
	var resources struct {
		All []struct{ LogicalResourceId, PhysicalResourceId string } `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	s.root.query(t, "cloudformation", "DescribeStackResources", map[string]string{"StackName": s.name}, &resources)
	s.ids = map[string]string{}
	for _, r := range resources.All {
		s.ids[r.LogicalResourceId] = r.PhysicalResourceId
	}
	var stacks struct {
		Outputs []struct{ OutputKey, OutputValue string } `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
	}
	s.root.query(t, "cloudformation", "DescribeStacks", map[string]string{"StackName": s.name}, &stacks)
	s.outputs = map[string]string{}
	for _, o := range stacks.Outputs {
		s.outputs[o.OutputKey] = o.OutputValue
	}
	s.api = newSite(s.root.endpoint, s.outputs["ApiUrl"])
	s.example = newSite(s.root.endpoint, s.outputs["ExampleUrl"])
}

// answerLikeTheTemplate does what MiniStack leaves undone: it does not read the
// gateway's own answers out of an API's definition, as AWS does. They are put
// one by one, and so their texts at least are seen at work.
func (s *stack) answerLikeTheTemplate(t *testing.T) {
	t.Helper()
	all, err := template.Read(top + "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	responses, _ := template.At(all, "Resources", "Api", "Properties", "GatewayResponses").(object)
	if len(responses) == 0 {
		t.Fatal("template.yaml has no gateway responses")
	}
	id := s.ids["Api"]
	for kind, r := range responses {
		parameters := object{}
		for name, text := range template.At(r, "ResponseParameters", "Headers").(object) {
			parameters["gatewayresponse.header."+name] = text
		}
		s.gateway(t, "PUT", "/restapis/"+id+"/gatewayresponses/"+kind, object{
			"statusCode":         template.At(r, "StatusCode"),
			"responseParameters": parameters,
			"responseTemplates":  template.At(r, "ResponseTemplates"),
		})
	}
	s.gateway(t, "POST", "/restapis/"+id+"/deployments", object{"stageName": stage})
}

func (s *stack) gateway(t *testing.T, method, path string, in object) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.root.send(t, request{"apigateway", method, path, "application/json", nil, body}); !a.ok() {
		t.Fatalf("%s %s: %s", method, path, a)
	}
}

// bootstrap makes the administrator with the command line, as the Makefile's
// deploy does.
func (s *stack) bootstrap(t *testing.T) {
	t.Helper()
	for entry := range strings.SplitSeq(s.outputs["PepperSecrets"], ",") {
		kid, arn, _ := strings.Cut(entry, "=")
		var value struct{ SecretString string }
		s.root.must(t, "secretsmanager", "secretsmanager.GetSecretValue", object{"SecretId": arn}, &value)
		if s.peppers += "," + kid + ":" + value.SecretString; len(value.SecretString) != 44 {
			t.Errorf("pepper %s has %d characters, want 44", kid, len(value.SecretString))
		}
	}
	s.peppers = s.peppers[1:]
	s.tokenFile = filepath.Join(t.TempDir(), "admin.token")
	if out, err := s.apitoken(t, "--out", s.tokenFile, "--first"); err != nil || !strings.Contains(out, s.tokenFile) {
		t.Fatalf("bootstrap: %v: %s", err, out)
	}
	info, err := os.Stat(s.tokenFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the administrator's token: %v, mode %v, want 0600", err, info.Mode())
	}
	b, err := os.ReadFile(s.tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	s.admin = strings.TrimSpace(string(b))
}

// apitoken runs the command line's bootstrap at the table.
func (s *stack) apitoken(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return s.run(t, append([]string{"bootstrap", "--table", s.outputs["TokenTableName"]}, args...)...)
}

// run runs the command line as an operator of the stack.
func (s *stack) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{"run", "apitoken/cmd/apitoken"}, args...)...)
	c.Env = append(os.Environ(), "PEPPERS="+s.peppers, "AWS_ENDPOINT_URL="+s.root.endpoint, "AWS_REGION="+region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	out, err := c.CombinedOutput()
	if strings.Contains(string(out), s.admin) && s.admin != "" {
		t.Errorf("%s printed the token", args[0])
	}
	return string(out), err
}
