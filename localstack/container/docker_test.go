package container

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTheImageWorksInDocker builds the image and runs the scenario with the options that
// the Dockerfile shows. It needs a Docker daemon on this machine, and pulls nothing.
func TestTheImageWorksInDocker(t *testing.T) {
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: needs a Docker daemon: %v\n%s", err, out)
	}
	name := "apitoken-test-" + strconv.Itoa(os.Getpid())
	build := exec.Command("../image.sh", name)
	build.Env = append(os.Environ(), "APITOKEN_BUILDER=docker", "ARCH=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the image: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		docker(t, "rm", "--force", "--volumes", name)
		docker(t, "image", "rm", "--force", name)
		docker(t, "volume", "rm", "--force", name)
	})
	useTheImage(t, &inDocker{name: name}, readRecipe(t))
}

// health waits until Docker itself, by the health check of the image, finds this state.
func (c *inDocker) health(t *testing.T, want string) {
	t.Helper()
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if got = docker(t, "inspect", "--format", "{{.State.Health.Status}}", c.name); got == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("the health of the container is %q, want %q", got, want)
}

// inDocker is a container and a volume. Both, and the image, have one name.
type inDocker struct{ name string }

func docker(t *testing.T, args ...string) string {
	t.Helper()
	b, err := exec.Command("docker", args...).Output()
	if err != nil {
		t.Errorf("docker %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(b))
}

func (c *inDocker) start(t *testing.T, variables ...string) {
	t.Helper()
	args := []string{"run", "--detach", "--name", c.name, "--volume", c.name + ":/data", "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--stop-timeout", "45",
		"--health-interval", "500ms", "--health-start-period", "1ms", "--health-retries", "4"}
	for _, v := range variables {
		args = append(args, "--env", v)
	}
	docker(t, append(args, c.name)...)
	want := "healthy"
	if len(variables) == 1 {
		want = "unhealthy" // its health check asks another address
	}
	c.health(t, want)
}

func (c *inDocker) command(args ...string) *exec.Cmd {
	return exec.Command("docker", append([]string{"exec", c.name}, args...)...)
}

func (c *inDocker) stop(t *testing.T) int {
	t.Helper()
	docker(t, "stop", c.name)
	code, err := strconv.Atoi(docker(t, "inspect", "--format", "{{.State.ExitCode}}", c.name))
	if err != nil {
		t.Error(err)
	}
	docker(t, "rm", c.name)
	return code
}

func (c *inDocker) uid(t *testing.T) string {
	t.Helper()
	_, uid, _ := strings.Cut(docker(t, "top", c.name, "-eo", "pid,uid"), "\n")
	return strings.Fields(uid)[1]
}
