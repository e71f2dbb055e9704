package stack_test

import (
	"bytes"
	"crypto/rand"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apitoken/infra/sam/template"
	"apitoken/localstack/engines"
)

const (
	stage = "prod"

	// maxAuthorize is the maximum size of the authorizer's binary, in bytes. Every
	// cold start loads the binary.
	maxAuthorize = 9_000_000
)

// stack is a deployed stack.
type stack struct {
	root         engines.Client // the account's root
	name         string
	deployment   string            // the UUID in the id of the stack
	ids          map[string]string // physical ids by the names in the template
	outputs      map[string]string
	api, example site
	tokenFile    string
	admin        string // the administrator's token
	peppers      string // as in PEPPERS
}

// deploy builds template.yaml, deploys it under a new name and makes the
// administrator, as `make deploy` does. The stack is deleted after the test.
func deploy(t *testing.T) *stack {
	t.Helper()
	s := &stack{root: engines.Connect(t, engines.MiniStack), name: "test-" + strings.ToLower(rand.Text()[:8])}
	build := filepath.Join(t.TempDir(), "build")
	start := time.Now()
	runTool(t, "sam", "", "build", "--build-in-source", "--build-dir", build)
	t.Logf("sam build: %v", time.Since(start).Round(time.Millisecond))
	checkBinaries(t, build)
	t.Cleanup(func() { s.root.DeleteStack(t, s.name) })
	start = time.Now()
	runTool(t, "sam", s.root.URL, "deploy", "-t", forMiniStack(t, build), "--stack-name", s.name, "--resolve-s3",
		"--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar",
		// MiniStack has no archives, so ArchiveDays is 0.
		"--parameter-overrides", "Arch="+arch(), "StageName="+stage, "Example=true", "ArchiveDays=0", "DeletionProtection=false", "Vast=true", "SignIn=true", "Page=true", "RequestsPerSecond=1000", "RequestBurst=1000")
	t.Logf("sam deploy: %v", time.Since(start).Round(time.Millisecond))
	s.readStack(t)
	s.allowDescribeBus(t)
	s.putGatewayResponses(t)
	s.bootstrap(t)
	return s
}

// forMiniStack writes the template of a folder without two things, and returns the path
// of the new file. MiniStack refuses the alarms that have an expression. The rule that
// the page needs a domain is left out, because MiniStack serves no domain: servePage
// gives the page the address of the API.
func forMiniStack(t *testing.T, folder string) string {
	t.Helper()
	all, err := template.Read(filepath.Join(folder, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	delete(all["Rules"].(object), "PageNeedsDomainAndSignIn")
	resources := all["Resources"].(object)
	left := 0
	for name, r := range resources {
		switch {
		case template.At(r, "Type") != "AWS::CloudWatch::Alarm":
		case template.At(r, "Properties", "Metrics") != nil:
			delete(resources, name)
		default:
			left++
		}
	}
	if left == 0 {
		t.Error("no alarm is left")
	}
	path := filepath.Join(folder, "ministack.json")
	if err := os.WriteFile(path, engines.Encode(t, all), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkBinaries checks that the binaries for Lambda are static and that the
// authorizer's is small.
func checkBinaries(t *testing.T, build string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(build, "*", "bootstrap"))
	if err != nil || len(all) == 0 {
		t.Fatalf("sam built nothing: %v", err)
	}
	for _, path := range all {
		function := filepath.Base(filepath.Dir(path))
		checkStatic(t, function, path)
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

func checkStatic(t *testing.T, function, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 || f.Section(".interp") != nil {
		t.Errorf("%s is not static: it needs %v %v", function, libraries, err)
	}
}

// readStack reads the resources and outputs of the deployed stack.
func (s *stack) readStack(t *testing.T) {
	t.Helper()
	s.ids = s.root.PhysicalIDs(t, s.name)
	var stacks struct {
		StackID string                                    `xml:"DescribeStacksResult>Stacks>member>StackId"`
		Outputs []struct{ OutputKey, OutputValue string } `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
	}
	s.root.MustQuery(t, "cloudformation", "DescribeStacks", map[string]string{"StackName": s.name}, &stacks)
	s.deployment = stacks.StackID[strings.LastIndexByte(stacks.StackID, '/')+1:]
	s.outputs = map[string]string{}
	for _, o := range stacks.Outputs {
		s.outputs[o.OutputKey] = o.OutputValue
	}
	s.api = newSite(s.root.URL, s.outputs["ApiUrl"])
	s.example = newSite(s.root.URL, s.outputs["ExampleUrl"])
}

// putGatewayResponses adds the gateway's own answers one by one. AWS reads them
// from the API's definition, MiniStack does not. So the test sees at least the
// texts of the template.
func (s *stack) putGatewayResponses(t *testing.T) {
	t.Helper()
	all, err := template.Read(top + "template.yaml")
	if err == nil {
		all, err = template.Deployed(all, nil) // the challenge depends on a domain, which the stack does not have
	}
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
		s.callGateway(t, "PUT", "/restapis/"+id+"/gatewayresponses/"+kind, object{
			"statusCode":         template.At(r, "StatusCode"),
			"responseParameters": parameters,
			"responseTemplates":  template.At(r, "ResponseTemplates"),
		})
	}
	s.callGateway(t, "POST", "/restapis/"+id+"/deployments", object{"stageName": stage})
}

func (s *stack) callGateway(t *testing.T, method, path string, in object) {
	t.Helper()
	s.root.MustSend(t, engines.Request{Service: "apigateway", Method: method, Path: path, Type: "application/json", Body: engines.Encode(t, in)})
}

// bootstrap makes the administrator with the command line.
func (s *stack) bootstrap(t *testing.T) {
	t.Helper()
	s.peppers = s.readPeppers(t)
	s.tokenFile = filepath.Join(t.TempDir(), "admin.token")
	if out, err := s.runBootstrap(t, "--out", s.tokenFile, "--first"); err != nil || !strings.Contains(out, s.tokenFile) {
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

// readPeppers returns PEPPERS from the stack's secrets.
func (s *stack) readPeppers(t *testing.T) string {
	t.Helper()
	var all []string
	for entry := range strings.SplitSeq(s.outputs["PepperSecrets"], ",") {
		kid, arn, _ := strings.Cut(entry, "=")
		var value struct{ SecretString string }
		s.root.MustCall(t, "secretsmanager", "secretsmanager.GetSecretValue", object{"SecretId": arn}, &value)
		if len(value.SecretString) != 44 {
			t.Errorf("pepper %s has %d characters, want 44", kid, len(value.SecretString))
		}
		all = append(all, kid+":"+value.SecretString)
	}
	return strings.Join(all, ",")
}

// runBootstrap runs the command bootstrap on the stack's table.
func (s *stack) runBootstrap(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	stdout, stderr, err := s.runCommand(t, append([]string{"bootstrap", "--table", s.outputs["TokenTableName"]}, args...)...)
	return stdout + stderr, err
}

// runCommand runs the command line as an operator of the stack. It checks that
// the output does not have the administrator's token. The SDK may write warnings
// about the emulator to stderr.
func (s *stack) runCommand(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{"run", "apitoken/cmd/apitoken"}, args...)...)
	c.Env = append(awsEnviron(s.root.URL), "PEPPERS="+s.peppers)
	var outBuffer, errBuffer bytes.Buffer
	c.Stdout, c.Stderr = &outBuffer, &errBuffer
	err = c.Run()
	if s.admin != "" && strings.Contains(outBuffer.String()+errBuffer.String(), s.admin) {
		t.Errorf("%s printed the token", args[0])
	}
	return outBuffer.String(), errBuffer.String(), err
}
