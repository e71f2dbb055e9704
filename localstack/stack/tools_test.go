package stack_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

// top is the top of the repository.
const top = "../../"

func TestTheTemplateIsClean(t *testing.T) {
	engines.Require(t, engines.MiniStack)
	if out := runTool(t, "sam", "", "validate", "--lint"); !strings.Contains(out, "is a valid SAM Template") {
		t.Errorf("sam validate --lint: %s", out)
	}
	if out := runTool(t, "cfn-lint", "", "template.yaml"); strings.TrimSpace(out) != "" {
		t.Errorf("cfn-lint: %s", out)
	}
}

// runTool runs sam or cfn-lint at the top of the repository, against an endpoint
// or none, and returns the output.
func runTool(t *testing.T, name, endpoint string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), toolPath(t, name), args...)
	c.Dir = top
	c.Env = append(awsEnviron(endpoint), "SAM_CLI_TELEMETRY=0", "ARCH="+arch())
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// toolPath returns the path of sam or cfn-lint. It installs the tool if the
// tool's variable, for example APITOKEN_CFN_LINT, is not set.
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

// awsEnviron returns this process's environment with the emulator's settings.
func awsEnviron(endpoint string) []string {
	env := append(os.Environ(), "AWS_REGION="+engines.Region, "AWS_DEFAULT_REGION="+engines.Region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
	if endpoint != "" {
		env = append(env, "AWS_ENDPOINT_URL="+endpoint)
	}
	return env
}

// arch returns Lambda's name of this machine's processor.
func arch() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}
