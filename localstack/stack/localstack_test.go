package stack_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What `make localstack` does in Docker, all but Docker: LocalStack ignores
// authorizers, so this is where handlers check tokens themselves.
func TestTheStackAuthorizesInItsHandlersOnLocalStack(t *testing.T) {
	at := os.Getenv("APITOKEN_LOCALSTACK")
	switch {
	case at != "":
	case os.Getenv("APITOKEN_ENGINES_REQUIRED") == "1":
		t.Fatal("APITOKEN_LOCALSTACK is not set, and engines are required")
	default:
		t.Skip("SKIPPED: needs LocalStack 4.14.0 as localstack/engines.sh starts it, whose URL is in APITOKEN_LOCALSTACK (make integration starts one)")
	}
	binary := filepath.Join(t.TempDir(), "apitoken")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
		t.Fatalf("building the command line: %v\n%s", err, out)
	}
	c := exec.CommandContext(t.Context(), top+"localstack/deploy-local.sh")
	c.Env = append(os.Environ(), "APITOKEN_LOCALSTACK="+at, "APITOKEN="+binary, "SAM="+toolPath(t, "sam"), "STACK=test-"+strings.ToLower(rand.Text()[:8]))
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("deploy-local.sh: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "get what was revoked: 404") {
		t.Errorf("smoke.sh did not come to its end:\n%s", out)
	}
}
