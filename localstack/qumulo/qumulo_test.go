package qumulo_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

var update = flag.Bool("update", false, "write the session again")

// secretsOfTheSession may be in no log line. The first is the password of the session.
var secretsOfTheSession = []string{"hunter2"}

// TestQqWorksAgainstTheService runs the commands of testdata/session.txt and compares
// their output. A line USER$ ARGS is a call of qq with the credentials file USER.json;
// the lines after it are its standard output, its standard error, and its exit code if
// this is not 0. Ids are numbered, so that a later command can name them.
func TestQqWorksAgainstTheService(t *testing.T) {
	s := start(t)
	file := filepath.Join("testdata", "session.txt")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		switch user, args, command := strings.Cut(line, "$ "); {
		case command && !strings.Contains(user, " "):
			got.WriteString(line + s.qq(user, strings.Fields(args)))
		case line == "\n" || strings.HasPrefix(line, "#"):
			got.WriteString(line)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("%s differs: %s", file, difference(got.String(), string(want)))
	}
	s.logIsClean()
}

// difference names the first line that differs, with the command before it.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var command string
	for i := range min(len(g), len(w)) {
		if strings.Contains(g[i], "$ ") {
			command = g[i]
		}
		if g[i] != w[i] {
			return fmt.Sprintf("line %d, after %s\ngot  %s\nwant %s", i+1, command, g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

// TestThePythonBindingsWorkAgainstTheService runs testdata/bindings.py, which checks
// every answer itself.
func TestThePythonBindingsWorkAgainstTheService(t *testing.T) {
	s := start(t)
	script, err := filepath.Abs(filepath.Join("testdata", "bindings.py"))
	if err != nil {
		t.Fatal(err)
	}
	out, errOut, code := s.run(engines.Python(t, engines.QQ), script, s.host, s.port, "admin.json")
	if code != 0 || out != "ok\n" {
		t.Errorf("got exit %d\n%s%s", code, out, errOut)
	}
	s.logIsClean()
}

// service is a running `apitoken serve`, and the place where qq runs.
type service struct {
	t          *testing.T
	tool       string // the path of qq
	host, port string
	dir        string // the working directory and HOME of qq, with the credentials files
	log        *os.File
	ids        []string
}

func start(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, tool: engines.Tool(t, engines.QQ), dir: t.TempDir()}
	binary, data := filepath.Join(t.TempDir(), "apitoken"), filepath.Join(t.TempDir(), "data")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
		t.Fatalf("building apitoken: %v\n%s", err, out)
	}
	var err error
	if s.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.log.Close() })
	cmd := exec.Command(binary, "serve", "--tls-self-signed", "--listen", "127.0.0.1:0", "--data", data)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.awaitAddress()
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatalf("%v\n%s", err, s.logText())
	}
	credentials := fmt.Sprintf(`{"version":1,"bearer_token":%q}`, strings.TrimSpace(string(token)))
	if err := os.WriteFile(filepath.Join(s.dir, "admin.json"), []byte(credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

var listening = regexp.MustCompile(`(?m)^listening on https://(127\.0\.0\.1):(\d+)$`)

func (s *service) awaitAddress() {
	s.t.Helper()
	engines.Eventually(s.t, startTime, "the service listens", func() string {
		text := s.logText()
		if m := listening.FindStringSubmatch(text); m != nil {
			s.host, s.port = m[1], m[2]
			return ""
		}
		return "the log is: " + text
	})
}

func (s *service) logText() string {
	s.t.Helper()
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// qq runs a command and returns what the session shows of it.
func (s *service) qq(user string, args []string) string {
	for i, arg := range args {
		args[i] = s.realID(arg)
	}
	args = append([]string{s.tool, "--host", s.host, "--port", s.port, "--credentials-store", user + ".json"}, args...)
	out, errOut, code := s.run(args...)
	if text := out + errOut; text != "" && !strings.HasSuffix(text, "\n") {
		errOut += "\n"
	}
	if code != 0 {
		errOut += fmt.Sprintf("exit %d\n", code)
	}
	return s.masked(strings.ReplaceAll(out+errOut, "\n\n", "\n")) // a blank line in the session ends a part
}

// run runs a program. Times without a zone are UTC then: qq reads them in the zone of
// the machine.
func (s *service) run(command ...string) (out, errOut string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir, c.Env = s.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC", "COLUMNS=200"}
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		s.t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return o.String(), e.String(), code
}
