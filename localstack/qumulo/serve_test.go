package qumulo_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"apitoken/localstack/engines"
	"apitoken/localstack/qumulo"
)

var update = flag.Bool("update", false, "write the session again")

func TestQqWorksAgainstTheService(t *testing.T) {
	s := start(t)
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "session.txt"), []byte(qumulo.Session(t, s.target)), 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		qumulo.Commands(t, s.target)
	}
	s.logIsClean()
}

func TestThePythonBindingsWorkAgainstTheService(t *testing.T) {
	s := start(t)
	qumulo.Bindings(t, s.target)
	s.logIsClean()
}

// service is a running `apitoken serve`.
type service struct {
	t      *testing.T
	target qumulo.Target
	log    *os.File
}

func start(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, target: qumulo.Target{QQ: engines.Tool(t, engines.QQ), Python: engines.Python(t, engines.QQ)}}
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
	s.target.Admin = strings.TrimSpace(string(token))
	return s
}

var listening = regexp.MustCompile(`(?m)^listening on https://(127\.0\.0\.1):(\d+)$`)

func (s *service) awaitAddress() {
	s.t.Helper()
	engines.Eventually(s.t, 30*time.Second, "the service listens", func() string {
		text := s.logText()
		if m := listening.FindStringSubmatch(text); m != nil {
			s.target.Host, s.target.Port = m[1], m[2]
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

var token = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// logIsClean checks that the log has no token and no password.
func (s *service) logIsClean() {
	s.t.Helper()
	text := s.logText()
	if !strings.Contains(text, `"user_agent":"`) {
		s.t.Errorf("the log has no request: %s", text)
	}
	if token.MatchString(text) {
		s.t.Error("the log has a token")
	}
	if strings.Contains(text, qumulo.Password) {
		s.t.Error("the log has the password")
	}
}
