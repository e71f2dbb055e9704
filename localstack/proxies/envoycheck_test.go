package proxies

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"apitoken/localstack/engines"
)

// TestEnvoyKnowsEachFieldOfItsFile checks the file with Envoy's published protobuf
// descriptions. They are in a module of their own: nothing else needs them.
func TestEnvoyKnowsEachFieldOfItsFile(t *testing.T) {
	engines.Tool(t, engines.Nginx) // it takes as long as the real proxies, so it runs with them
	s := newScene(t)
	file := s.config("envoy")
	program := buildIn(t, "envoycheck")
	for name, c := range map[string]struct {
		file  string
		valid bool
	}{
		"the file":         {file, true},
		"an unknown field": {strings.Replace(file, "path_prefix:", "prefix:", 1), false},
		"an unknown value": {strings.Replace(file, "ServiceUnavailable", "NoService", 1), false},
		"a wrong number":   {strings.Replace(file, "port_value: ", "port_value: 9", 1), false},
	} {
		check := exec.Command(program)
		check.Stdin = strings.NewReader(c.file)
		if out, err := check.CombinedOutput(); (err == nil) != c.valid {
			t.Errorf("%s: got %v\n%s", name, err, out)
		}
	}
}

// buildIn compiles the program of another module and returns its path.
func buildIn(t *testing.T, dir string) string {
	t.Helper()
	program := t.TempDir() + "/program"
	c := exec.Command("go", "build", "-o", program, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
