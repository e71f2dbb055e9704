// Package sam_test runs the deployment scripts with bash. Programs that would reach AWS
// are stubs on PATH, which record their arguments (testdata/stub). The scripts run in a
// copy of their folder, so no test writes a samconfig.toml into the work tree.
//
// The tests of localstack/stack run the same scripts on an emulator.
package sam_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scene is a folder with the scripts, the stubs and what the stubs answer.
type scene struct {
	t    *testing.T
	top  string // a copy of the top of the repository
	dir  string // the stubs' files
	path string // PATH
	env  []string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SKIPPED: needs bash")
	}
	s := &scene{t: t, top: t.TempDir(), dir: t.TempDir()}
	scripts, err := filepath.Glob("*.sh")
	if err != nil || len(scripts) < 5 {
		t.Fatalf("got the scripts %q, %v", scripts, err)
	}
	for _, name := range append(scripts, "import.yaml") {
		s.copy(name, filepath.Join(s.top, "infra/sam", name))
	}
	for stub, as := range map[string][]string{
		"aws": {"bin/aws"}, "sam": {"bin/sam", "bin/fetched/sam"}, "other": {"bin/make", "bin/curl"},
	} {
		for _, to := range as {
			s.copy("testdata/stub/"+stub, filepath.Join(s.dir, to))
		}
	}
	for _, to := range []string{"bin/apitoken", "localstack/smoke.sh", "localstack/engines.sh"} {
		s.copy("testdata/stub/other", filepath.Join(s.top, to))
	}
	s.path = filepath.Join(s.dir, "bin") + ":" + systemPath(t, s.dir)
	return s
}

// systemPath returns a folder with the system's programs that the scripts use, and no
// others: a sam or aws of this machine must not be found.
func systemPath(t *testing.T, dir string) string {
	t.Helper()
	folder := filepath.Join(dir, "system")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bash", "env", "awk", "sed", "head", "cut", "grep", "cat", "cp", "tr", "dirname", "sleep"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("SKIPPED: needs %s", name)
		}
		if err := os.Symlink(path, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func (s *scene) copy(from, to string) {
	s.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(to, string(b))
}

// write writes a file: an absolute path, or a file of the stubs.
func (s *scene) write(path, text string) {
	s.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// read reads a file below the copy of the repository, or returns nothing.
func (s *scene) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.top, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(b)
}

// deployed has the settings that a first deployment stored.
const deployed = `version = 0.1

[default.deploy.parameters]
stack_name = "apitoken"
region = "eu-central-1"
parameter_overrides = "Arch=\"arm64\" TokenPrefix=\"acme\" AlarmTopic=\"\""
`

// existing makes the scene of a stack that was deployed from this folder.
func (s *scene) existing(status string) {
	s.write(filepath.Join(s.top, "samconfig.toml"), deployed)
	if status != "" {
		s.write("status", status)
	}
	s.write("resources", "AWS::DynamoDB::Table TokenTable tokens\nAWS::DynamoDB::Table AuditTable copies\nAWS::SecretsManager::Secret PepperOne arn:secret\n")
}

// result is what a run of a script did.
type result struct {
	failed         bool
	stdout, stderr string
	calls          []string // NAME|ARGUMENT|ARGUMENT
}

func (r result) String() string {
	return r.stdout + "\n-- stderr --\n" + r.stderr + "\n-- calls --\n" + strings.Join(r.calls, "\n")
}

// run runs a script with the text as its standard input.
func (s *scene) run(script, input string, args ...string) (r result) {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), "bash", append([]string{filepath.Join(s.top, "infra/sam", script)}, args...)...)
	c.Env = append([]string{"PATH=" + s.path, "SCENE=" + s.dir, "HOME=" + s.dir}, s.env...)
	c.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		s.t.Fatal(err)
	}
	b, err2 := os.ReadFile(filepath.Join(s.dir, "calls"))
	if err2 != nil && !errors.Is(err2, os.ErrNotExist) {
		s.t.Fatal(err2)
	}
	s.write("calls", "")
	return result{err != nil, stdout.String(), stderr.String(), strings.Split(strings.TrimSpace(string(b)), "\n")}
}

// index returns the place of the first call that starts with the text, or -1.
func (r result) index(start string) int {
	return slices.IndexFunc(r.calls, func(call string) bool { return strings.HasPrefix(call, start) })
}

// inOrder checks that there is a call for each start, each after the one before it.
func (r result) inOrder(t *testing.T, starts ...string) {
	t.Helper()
	rest := r.calls
	for _, start := range starts {
		at := result{calls: rest}.index(start)
		if at < 0 {
			t.Fatalf("there is no call %q at its place:\n%v", start, r)
		}
		rest = rest[at+1:]
	}
}

// never checks that no call starts with one of the texts.
func (r result) never(t *testing.T, starts ...string) {
	t.Helper()
	for _, start := range starts {
		if r.index(start) >= 0 {
			t.Errorf("there is a call %q:\n%v", start, r)
		}
	}
}

// says checks that the output has each text.
func (r result) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("the output lacks %q:\n%v", text, r)
		}
	}
}

// ended checks whether the script failed.
func (r result) ended(t *testing.T, failed bool) {
	t.Helper()
	if r.failed != failed {
		t.Fatalf("failed: got %t, want %t:\n%v", r.failed, failed, r)
	}
	for _, text := range []string{r.stdout, r.stderr, strings.Join(r.calls, "\n")} {
		if strings.Contains(text, "pepper-of-the-stack") {
			t.Errorf("a pepper is in the output or in a command line:\n%v", r)
		}
	}
}
