package clients_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// service is a running `apitoken serve` on a new folder.
type service struct {
	url, token string // token is the administrator's
	document   []byte // the service's answer to GET /openapi.yaml
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`)

// start starts a service, which ends with the test.
func start(t *testing.T) (s service) {
	t.Helper()
	dir := t.TempDir()
	program, data := filepath.Join(dir, "apitoken"), filepath.Join(dir, "data")
	command(t, ".", []string{"go", "build", "-o", program, "apitoken/cmd/apitoken"})
	c := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", data)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait() // the exit status of a service that is ended is not the subject here
	})
	lines := bufio.NewScanner(out)
	for s.url == "" && lines.Scan() {
		s.url = address.FindString(lines.Text())
	}
	if s.url == "" {
		t.Fatal("the service did not say its address")
	}
	go io.Copy(io.Discard, out)
	text, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(text))
	s.document = get(t, s.url+"/openapi.yaml")
	return s
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v", url, resp.StatusCode, err)
	}
	return b
}
