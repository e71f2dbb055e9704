package drive

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"apitoken/localstack/engines"
)

// Service is a running `apitoken serve`.
type Service struct {
	Host, Port  string
	Admin       string // the administrator's token
	Certificate string // the path of the service's certificate, "" for plain http

	t     testing.TB
	log   *os.File
	cmd   *exec.Cmd
	ended bool
	parts []*Service // the processes of a service that has several
}

// Serve starts `apitoken serve --tls-self-signed` with an empty folder, and
// with more flags. The end of the test stops it.
func Serve(t *testing.T, flags ...string) *Service {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, Build(t), nil, append([]string{"--tls-self-signed", "--data", data}, flags...)...)
	s.Certificate = filepath.Join(data, "tls.crt")
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Log())
	}
	s.Admin = strings.TrimSpace(string(token))
	return s
}

// built is the command that the tests of this process share. Each link takes seconds.
var built struct {
	once sync.Once
	dir  string // made by Main
	err  error
}

// Main runs the tests of a package that serves or builds, and removes the command after
// them. TestMain calls it.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "apitoken-drive-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	built.dir = dir
	return m.Run()
}

// Build returns the path of the command apitoken. The first call builds it.
func Build(t testing.TB) string {
	t.Helper()
	if built.dir == "" {
		t.Fatal("TestMain of this package must call drive.Main")
	}
	binary := filepath.Join(built.dir, "apitoken")
	built.once.Do(func() {
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatalf("building apitoken: %v", built.err)
	}
	return binary
}

// start starts a service on free ports and waits until it listens.
func start(t testing.TB, binary string, environment []string, flags ...string) *Service {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s := &Service{t: t, log: log, cmd: exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)}
	s.cmd.Env = append(os.Environ(), environment...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.ended {
			_ = s.End(os.Kill)
		}
	})
	address := s.Printed("listening on")
	s.Host, s.Port, _ = strings.Cut(address[strings.Index(address, "://")+len("://"):], ":")
	return s
}

// Printed waits until the service has printed an address after these words, and returns
// the address.
func (s *Service) Printed(words string) (address string) {
	s.t.Helper()
	form := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words) + ` (https?://127\.0\.0\.1:\d+)$`)
	engines.Eventually(s.t, startTime, "the service prints "+words, func() string {
		text := s.Log()
		if m := form.FindStringSubmatch(text); m != nil {
			address = m[1]
			return ""
		}
		return "the log is: " + text
	})
	return address
}

// Signal sends a signal to the process.
func (s *Service) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("sending %v: %v", sig, err)
	}
}

// End sends a signal and waits for the end of the process. It returns the error of the
// process's exit.
func (s *Service) End(sig os.Signal) error {
	s.t.Helper()
	s.ended = true
	s.Signal(sig)
	return s.cmd.Wait()
}

// Log returns the log of the service until now.
func (s *Service) Log() (text string) {
	s.t.Helper()
	if s.parts != nil {
		for _, p := range s.parts {
			text += p.Log()
		}
		return text
	}
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

var secrets = regexp.MustCompile(`[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}`)

// CheckLog checks that the log has requests, and no token and no password. A line may
// be written after its answer.
func (s *Service) CheckLog(password string) {
	s.t.Helper()
	var text string
	engines.Eventually(s.t, startTime, "the log has a request", func() string {
		if text = s.Log(); strings.Contains(text, `"user_agent":"`) {
			return ""
		}
		return "the log is: " + text
	})
	if secrets.MatchString(text) {
		s.t.Error("the log has a token")
	}
	if strings.Contains(text, password) {
		s.t.Error("the log has the password")
	}
}
