package processes

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"apitoken/cmd/apitoken/certtest"
	"apitoken/infra/dynamo/dynamotest"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
)

// TestTheREADMEsCommandsWork runs the two blocks of commands of the README, with a table
// of another name and a free port. The service then answers the token that they made.
func TestTheREADMEsCommandsWork(t *testing.T) {
	t.Parallel()
	once, each := readmeBlocks(t)
	b := drive.OpenTable(t, "readme-"+rand.Text())
	dynamotest.RemoveAfter(t, b.Client, b.Name)
	var sent arrivals
	dir := t.TempDir()
	certtest.Write(t, filepath.Join(dir, "crt.pem"), filepath.Join(dir, "key.pem"), 0o600)
	environment := append(slices.DeleteFunc(slices.Clone(b.Environment), func(v string) bool {
		return strings.HasPrefix(v, "PEPPERS=") || strings.HasPrefix(v, "DEPLOYMENT=") // the commands make these
	}), newBus(t, "readme", &sent).environment()...)
	shell := func(script string) *exec.Cmd {
		script = regexp.MustCompile(`(create|--table) tokens\b`).ReplaceAllString(script, "$1 "+b.Name)
		c := exec.Command("sh", "-ec", strings.ReplaceAll(script, "0.0.0.0:8443", "127.0.0.1:0"))
		c.Dir, c.Env = dir, append(append(os.Environ(), environment...), "PATH="+filepath.Dir(b.Binary)+":"+os.Getenv("PATH"))
		return c
	}
	if out, err := shell(once).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	serve := shell("set -a; . ./table.env; set +a; exec " + strings.TrimSpace(each))
	serve.Stdout, serve.Stderr = log, log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serve.Process.Kill()
		serve.Wait()
	}()
	var address string
	engines.Eventually(t, time.Minute, "the service listens", func() string {
		text, _ := os.ReadFile(log.Name())
		if m := regexp.MustCompile(`listening on (https://\S+)`).FindSubmatch(text); m != nil {
			address = string(m[1])
			return ""
		}
		return "the log is: " + string(text)
	})
	whoami := exec.Command(b.Binary, "whoami", "--url", address, "--token-file", "admin.token", "--ca-file", "crt.pem")
	whoami.Dir = dir
	if out, err := whoami.CombinedOutput(); err != nil || !strings.Contains(string(out), "admin") {
		t.Errorf("whoami: %v\n%s", err, out)
	}
	engines.Eventually(t, time.Minute, "the events of the bootstrap arrive", func() string {
		if len(sent.list()) == 0 {
			return "none"
		}
		return ""
	})
}

// readmeBlocks returns the commands of the README's section about several machines: those
// that run once, and the one that runs on each machine.
func readmeBlocks(t *testing.T) (once, each string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## More than one machine without Lambda\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("the section has %d blocks of commands, want 2", len(blocks))
	}
	return blocks[0][1], blocks[1][1]
}
