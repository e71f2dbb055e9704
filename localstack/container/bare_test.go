package container

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheImageWorksInABareContainer runs the scenario without Docker.
func TestTheImageWorksInABareContainer(t *testing.T) {
	r := readRecipe(t)
	if r.from != "scratch" || r.user != "65532:65532" || r.volume != "/data" {
		t.Fatalf("the image is from %q, its user is %q and its volume %q; want scratch, 65532:65532 and /data", r.from, r.user, r.volume)
	}
	useTheImage(t, newBare(t, r), r)
}

// bare is a container of the Linux kernel alone: a mount and a network of its own, the
// files of the image as a read-only root, and the user of the image.
type bare struct {
	recipe
	root, data string
	variables  []string
	process    *exec.Cmd
	out, log   *bytes.Buffer
}

func newBare(t *testing.T, r recipe) *bare {
	t.Helper()
	needBare(t)
	files := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("../image.sh", "--files", files)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("writing the files of the image: %v\n%s", err, out)
	}
	// As the lines COPY do: the content of volume is at the root.
	volume := filepath.Join(files, "volume")
	root := filepath.Join(files, "root")
	err := errors.Join(os.Rename(volume, root), os.Rename(filepath.Join(files, "apitoken"), filepath.Join(root, "apitoken")))
	if err != nil {
		t.Fatal(err)
	}
	// Docker gives a new volume the owner and the mode of the folder in the image.
	info, err := os.Stat(filepath.Join(root, "data"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(files, "data")
	if err := errors.Join(os.Mkdir(data, 0o777), os.Chmod(data, info.Mode()), os.Chown(data, 65532, 65532)); err != nil {
		t.Fatal(err)
	}
	return &bare{recipe: r, root: root, data: data}
}

// needBare skips the test if this process cannot make containers.
func needBare(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: needs root, for a root folder of its own")
	}
	for _, name := range []string{"unshare", "nsenter", "chroot", "mount", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("SKIPPED: needs " + name)
		}
	}
	if out, err := exec.Command("unshare", "--mount", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: needs a mount and a network of its own: %s", out)
	}
}

const enter = `ip link set lo up
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro "$ROOT"
mount --bind "$VOLUME" "$ROOT/data"
exec env -i "${@:2}" # the variables and the command
`

func (c *bare) start(t *testing.T, variables ...string) {
	t.Helper()
	c.variables = merge(c.env, variables)
	c.out, c.log = new(bytes.Buffer), new(bytes.Buffer)
	args := append([]string{"--mount", "--net", "bash", "-euc", enter, "bash", ""}, c.variables...)
	c.process = exec.Command("unshare", append(args, c.inside(c.serve)...)...)
	c.process.Env = append(os.Environ(), "ROOT="+c.root, "VOLUME="+c.data)
	c.process.Stdout, c.process.Stderr = c.out, c.log
	if err := c.process.Start(); err != nil {
		t.Fatal(err)
	}
	process := c.process.Process
	t.Cleanup(func() { process.Kill() })
	c.waitForProgram(t)
}

// waitForProgram waits until the process is the program of the image. Before, it has not
// yet entered the mount and the network.
func (c *bare) waitForProgram(t *testing.T) {
	t.Helper()
	var line []byte
	for range 1200 {
		line, _ = os.ReadFile(c.proc("cmdline")) // of an ended process: empty
		if strings.HasPrefix(string(line), c.serve[0]+"\x00") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.process.Process.Kill()
	c.process.Wait() // it writes to the log no more
	t.Fatalf("the container does not start; its process is %q and wrote\n%s", line, c.log)
}

func (c *bare) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(c.process.Process.Pid), file)
}

// inside is the command with the root and the user of the image.
func (c *bare) inside(command []string) []string {
	_, group, _ := strings.Cut(c.user, ":")
	chroot, err := exec.LookPath("chroot") // env -i has no PATH
	if err != nil {
		panic(err) // needBare has found it
	}
	return append([]string{chroot, "--userspec=" + c.user, "--groups=" + group, c.root}, command...)
}

func (c *bare) command(args ...string) *exec.Cmd {
	in := []string{"--target", strconv.Itoa(c.process.Process.Pid), "--mount", "--net", "env", "-i"}
	return exec.Command("nsenter", append(append(in, c.variables...), c.inside(args)...)...)
}

func (c *bare) stop(t *testing.T) int {
	t.Helper()
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.process.Wait() // the code says more
	for line := range strings.Lines(c.log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has a line that is not JSON: %s", line)
		}
	}
	return c.process.ProcessState.ExitCode()
}

var uids = regexp.MustCompile(`(?m)^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$`)

func (c *bare) uid(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(c.proc("status"))
	if err != nil {
		t.Fatal(err)
	}
	found := uids.FindStringSubmatch(string(b))
	if !strings.Contains(string(b), "CapEff:\t0000000000000000\n") || len(found) != 5 || found[1] != found[3] {
		t.Errorf("the service has rights of root:\n%s", b)
	}
	return found[1]
}

// merge replaces variables by later ones with the same name.
func merge(env, more []string) (merged []string) {
	values := map[string]string{}
	for _, v := range append(env[:len(env):len(env)], more...) {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	for name, value := range values {
		merged = append(merged, name+"="+value)
	}
	return merged
}
