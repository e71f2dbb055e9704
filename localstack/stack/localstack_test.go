package stack_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

// This test does what `make localstack` does, without Docker. LocalStack ignores
// authorizers, so only here the handlers check the tokens.
func TestTheStackAuthorizesInItsHandlersOnLocalStack(t *testing.T) {
	url := engines.Require(t, engines.LocalStack)
	binary := filepath.Join(t.TempDir(), "apitoken")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
		t.Fatalf("building the command line: %v\n%s", err, out)
	}
	c := exec.CommandContext(t.Context(), top+"localstack/deploy-local.sh")
	c.Env = append(os.Environ(), "APITOKEN_LOCALSTACK="+url, "APITOKEN="+binary, "SAM="+toolPath(t, "sam"), "STACK=test-"+strings.ToLower(rand.Text()[:8]))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("deploy-local.sh: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "who am I, with the revoked token: 401") {
		t.Errorf("smoke.sh did not reach its last line:\n%s", out)
	}
}
