package drive

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

// Service is a running `apitoken serve --tls-self-signed` with an empty folder.
type Service struct {
	Host, Port  string
	Admin       string // the administrator's token
	Certificate string // the path of the service's certificate

	t   *testing.T
	log *os.File
}

// Serve builds and starts a service. The end of the test stops it.
func Serve(t *testing.T) *Service {
	t.Helper()
	binary, data := filepath.Join(t.TempDir(), "apitoken"), filepath.Join(t.TempDir(), "data")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
		t.Fatalf("building apitoken: %v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s := &Service{t: t, log: log, Certificate: filepath.Join(data, "tls.crt")}
	cmd := exec.Command(binary, "serve", "--tls-self-signed", "--listen", "127.0.0.1:0", "--data", data)
	cmd.Stdout, cmd.Stderr = log, log
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
		t.Fatalf("%v\n%s", err, s.Log())
	}
	s.Admin = strings.TrimSpace(string(token))
	return s
}

var listening = regexp.MustCompile(`(?m)^listening on https://(127\.0\.0\.1):(\d+)$`)

func (s *Service) awaitAddress() {
	s.t.Helper()
	engines.Eventually(s.t, startTime, "the service listens", func() string {
		text := s.Log()
		if m := listening.FindStringSubmatch(text); m != nil {
			s.Host, s.Port = m[1], m[2]
			return ""
		}
		return "the log is: " + text
	})
}

// Log returns the log of the service until now.
func (s *Service) Log() string {
	s.t.Helper()
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

var secrets = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// CheckLog checks that the log has requests, and no token and no password.
func (s *Service) CheckLog(password string) {
	s.t.Helper()
	text := s.Log()
	if !strings.Contains(text, `"user_agent":"`) {
		s.t.Errorf("the log has no request: %s", text)
	}
	if secrets.MatchString(text) {
		s.t.Error("the log has a token")
	}
	if strings.Contains(text, password) {
		s.t.Error("the log has the password")
	}
}
