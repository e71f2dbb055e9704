package container

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// container is one kind of container with one volume.
type container interface {
	start(t *testing.T, variables ...string) // with the variables in place of those of the image
	command(args ...string) *exec.Cmd        // runs in the container
	stop(t *testing.T) int                   // sends SIGTERM, and returns the exit code
	uid(t *testing.T) string                 // of the service
}

// run returns the output of a command in the container.
func run(c container, args ...string) (string, error) {
	b, err := c.command(args...).CombinedOutput()
	return string(b), err
}

func mustRun(t *testing.T, c container, want string, args ...string) {
	t.Helper()
	if got, err := run(c, args...); err != nil || !strings.Contains(got, want) {
		t.Fatalf("%s: got %v and\n%s\nwant %q", strings.Join(args, " "), err, got, want)
	}
}

// becomesHealthy waits until the health check of the image passes.
func becomesHealthy(t *testing.T, c container, health []string) {
	t.Helper()
	var out string
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if out, err = run(c, health...); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the container is not healthy: %v\n%s", err, out)
}

// useTheImage is what a container of the image must do: it runs without root's rights
// and writes only to its volume, tokens can be made and used in it, it ends by SIGTERM
// with code 0, and its data is there after the next start.
func useTheImage(t *testing.T, c container, r recipe) {
	c.start(t)
	becomesHealthy(t, c, r.health)
	if got := c.uid(t); got != "65532" {
		t.Errorf("the service runs as user %s, want 65532", got)
	}
	mustRun(t, c, "", "/apitoken", "create", "--owner", "ann", "--token-file", "/data/admin.token", "--out", "/data/ann.token")
	mustRun(t, c, "3 streams", "/apitoken", "audit", "verify", "--data", "/data") // needs a temporary file
	mustRun(t, c, "", "/apitoken", "backup", "--data", "/data", "--out", "/data/backup.tar")
	if out, err := run(c, "/apitoken", "backup", "--data", "/data", "--out", "/backup.tar"); err == nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("writing outside of the volume: got %v and %q, want an error about a read-only file system", err, out)
	}
	if code := c.stop(t); code != 0 {
		t.Errorf("the service ended with code %d after SIGTERM, want 0", code)
	}

	c.start(t)
	becomesHealthy(t, c, r.health)
	mustRun(t, c, "ann", "/apitoken", "whoami", "--token-file", "/data/ann.token")
	c.stop(t)

	// The health check follows the variables.
	for _, variables := range [][]string{
		{"APITOKEN_LISTEN=0.0.0.0:8443", "APITOKEN_TLS_SELF_SIGNED=1", "APITOKEN_URL=https://127.0.0.1:8443", "APITOKEN_CA_FILE=/data/tls.crt"},
		{"APITOKEN_LISTEN=unix:/data/apitoken.sock", "APITOKEN_URL=unix:/data/apitoken.sock"},
	} {
		c.start(t, variables...)
		becomesHealthy(t, c, r.health)
		c.stop(t)
	}
	c.start(t, "APITOKEN_LISTEN=0.0.0.0:8090")
	becomesHealthy(t, c, []string{"/apitoken", "health", "--url", "http://127.0.0.1:8090"})
	if out, err := run(c, r.health...); err == nil {
		t.Errorf("the health check passes, but nothing listens at its address: %s", out)
	}
	c.stop(t)
}
