package proxies

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"apitoken/events/token"
)

// page has the programs that guard themselves.
const page = "../../functions/httpapi/forward/GUARD.md"

// examples are the programs of the page by the language of their block: the file, the
// program that it needs, and the command that runs it.
var examples = map[string]struct{ file, needs, command string }{
	"python": {"service.py", "python3", "python3"},
	"js":     {"service.mjs", "node", "node"},
	"go":     {"service.go", "go", ""}, // built first
}

var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// TestServicesGuardThemselves runs each program of the page as it is, with the
// addresses of the test.
func TestServicesGuardThemselves(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range block.FindAllStringSubmatch(string(text), -1) {
		example, ok := examples[b[1]]
		if !ok {
			t.Errorf("%s: no test runs a program in %s", page, b[1])
			continue
		}
		found++
		t.Run(b[1], func(t *testing.T) {
			if n := codeLines(b[2]); n > 30 {
				t.Errorf("the program has %d lines, want 30 at most", n)
			}
			if _, err := exec.LookPath(example.needs); err != nil {
				if os.Getenv("APITOKEN_ENGINES_REQUIRED") == "1" {
					t.Fatalf("%s is not installed", example.needs)
				}
				t.Skipf("SKIPPED: needs %s", example.needs)
			}
			s := newScene(t)
			path := filepath.Join(t.TempDir(), example.file)
			write(t, path, s.withAddresses(b[2]))
			if example.command == "" {
				s.start(exec.Command(build(t, path)))
			} else {
				s.start(exec.Command(example.command, path))
			}
			s.guardsItself()
		})
	}
	if found != len(examples) {
		t.Errorf("%s has %d programs, want %d", page, found, len(examples))
	}
}

// build compiles a program in Go and returns its path.
func build(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "service")
	c := exec.Command("go", "build", "-o", program, source)
	c.Env = append(os.Environ(), "CGO_ENABLED=0") // as .ci/run builds, so its cache has the packages
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func codeLines(text string) (n int) {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	return n
}

// withAddresses replaces the two ports of the page.
func (s *scene) withAddresses(text string) string {
	_, own, _ := strings.Cut(s.address, ":")
	_, ask, _ := strings.Cut(s.ask.Listener.Addr().String(), ":")
	for _, port := range []string{"8081", "9000"} {
		if strings.Count(text, port) != 1 {
			s.Errorf("the program has the port %s %d times, want once", port, strings.Count(text, port))
		}
	}
	return strings.NewReplacer("8081", ask, "9000", own).Replace(text)
}

// guardsItself checks the answers of a service. It has no backend behind it.
func (s *scene) guardsItself() {
	s.Helper()
	_, free := s.create("ann", token.Wish{})
	_, scoped := s.create("ann", token.Wish{Scopes: []string{"GET /public/*"}})
	_, away := s.create("ann", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	_, near := s.create("j\u00f6rg", token.Wish{SourceIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, c := range []struct {
		name string
		call
		status int
		body   string
	}{
		{"a token", call{token: free}, 200, "hello ann\n"},
		{"another owner, from its range", call{token: near}, 200, "hello j%C3%B6rg\n"},
		{"in scope, with a query", call{token: scoped, target: "/public/a%20b?x=/admin"}, 200, "hello ann\n"},
		{"no token", call{}, 401, ""},
		{"a bad token", call{token: "x"}, 401, ""},
		{"two credentials", call{token: free, headers: []string{"Authorization: Bearer " + free}}, 401, ""},
		{"out of scope", call{token: scoped, target: "/admin"}, 403, ""},
		{"an encoded path", call{token: scoped, target: "/public/%2e%2e/admin"}, 403, ""},
		{"a folded path", call{token: scoped, target: "/public/../admin"}, 403, ""},
		{"from elsewhere", call{token: away, headers: []string{"X-Real-IP: 192.0.2.7", "X-Forwarded-For: 192.0.2.7", "X-Original-URI: /"}}, 403, ""},
	} {
		s.expect(c.name, c.call, c.status, c.body)
	}
	s.down.Store(true)
	s.expect("the store is down", call{token: free}, 503, "")
	s.down.Store(false)
	s.expect("the store is back", call{token: free}, 200, "hello ann\n")
	s.ask.Listener.Close()
	s.ask.CloseClientConnections()
	s.expect("the service is gone", call{token: free}, 503, "")
}

func (s *scene) expect(name string, c call, status int, body string) {
	s.Helper()
	got := s.send(c)
	if got.StatusCode != status || string(got.body) != body {
		s.Errorf("%s: got %d %q, want %d %q", name, got.StatusCode, got.body, status, body)
	}
	if challenge := got.Header.Get("WWW-Authenticate"); (status == 401) != strings.HasPrefix(challenge, "Bearer ") {
		s.Errorf("%s: got the challenge %q", name, challenge)
	}
	if (status == 503) != (got.Header.Get("Retry-After") != "") {
		s.Errorf("%s: got Retry-After %q", name, fmt.Sprint(got.Header["Retry-After"]))
	}
}
