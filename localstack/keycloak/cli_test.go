package keycloak_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"apitoken/functions/httpapi"
	"apitoken/localstack/drive"
	"apitoken/localstack/engines"
	"apitoken/localstack/keycloak"
)

// TestTheCommandLineSignsInWithADevice against Keycloak's own answers: the person allows
// the sign-in, allows it after the device was too fast, denies it, and does not come.
func TestTheCommandLineSignsInWithADevice(t *testing.T) {
	s := newScene(t)
	keycloak.Connect(t).ClientAttribute(t, keycloak.CLI, "oauth2.device.polling.interval", "1")
	t.Run("allowed", func(t *testing.T) {
		c := s.start(t, "login", "--device")
		keycloak.Decide(t, keycloak.NewBrowser(t), c.address(), keycloak.Ann, "accept")
		c.ends(0, "signed in as Ann Archer until ")
		c.isAnn()
	})
	t.Run("too fast", func(t *testing.T) {
		interval := func(seconds string) {
			keycloak.Connect(t).ClientAttribute(t, keycloak.CLI, "oauth2.device.polling.interval", seconds)
		}
		interval("5") // so that the second poll is too fast on a slow machine too
		defer interval("1")
		before := s.front.Asked("token")
		s.front.Hurry(1)
		c := s.start(t, "login", "--device")
		address := c.address()
		engines.Eventually(t, time.Minute, "Keycloak has answered slow_down", func() string {
			if s.front.Asked("token") == before {
				return "no poll yet"
			}
			return ""
		})
		keycloak.Decide(t, keycloak.NewBrowser(t), address, keycloak.Ann, "accept")
		c.ends(0, "signed in as Ann Archer until ")
		if c.took < 15*time.Second { // 5 s, and 10 s more after slow_down (RFC 8628 section 3.5)
			t.Errorf("the second poll came after %v", c.took)
		}
	})
	t.Run("denied", func(t *testing.T) {
		c := s.start(t, "login", "--device")
		keycloak.Decide(t, keycloak.NewBrowser(t), c.address(), keycloak.Ann, "cancel")
		c.ends(1, "the sign-in was denied (access_denied)")
	})
	t.Run("expired", func(t *testing.T) {
		keycloak.Connect(t).ClientAttribute(t, keycloak.CLI, "oauth2.device.code.lifespan", "3")
		s.start(t, "login", "--device").ends(1, "in time; run the command again")
	})
}

// TestTheCommandLineSignsInWithABrowser: the redirect goes to a free port of 127.0.0.1
// (RFC 8252 section 7.3), which Keycloak allows for an address without a port.
func TestTheCommandLineSignsInWithABrowser(t *testing.T) {
	s := newScene(t)
	c := s.start(t, "login", "--no-browser")
	b := keycloak.NewBrowser(t)
	b.Get(t, b.Authorize(t, c.address(), keycloak.Ann).String())
	c.ends(0, "signed in as Ann Archer until ")
	c.isAnn()
	if out, code := c.run("logout"); code != 0 {
		t.Errorf("the sign-out got %d %s", code, out)
	}
	if out, code := c.run("whoami"); code == 0 {
		t.Errorf("after the sign-out: %s", out)
	}
}

// command is a running apitoken with a folder of its own.
type command struct {
	t     *testing.T
	s     *scene
	home  string
	cmd   *exec.Cmd
	said  *said
	began time.Time
	took  time.Duration
}

// said is what a command has written until now.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *scene) start(t *testing.T, args ...string) *command {
	t.Helper()
	c := &command{t: t, s: s, home: t.TempDir(), said: &said{}, began: time.Now()}
	c.cmd = c.command(t.Context(), append(args, "--url", s.url, "--ca-file", s.service.Certificate))
	c.cmd.Stdout, c.cmd.Stderr = c.said, c.said
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *command) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, drive.Build(c.t), args...)
	cmd.Dir, cmd.Env = c.home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home}
	return cmd
}

var addresses = regexp.MustCompile(`address[^:]*: (http://\S+)\n`)

// address is the one that the command asks the person to open.
func (c *command) address() (address string) {
	c.t.Helper()
	engines.Eventually(c.t, time.Minute, "the command names an address", func() string {
		text := c.said.String()
		if m := addresses.FindStringSubmatch(text); m != nil {
			address = m[1]
			return ""
		}
		return "it says: " + text
	})
	return address
}

// ends waits for the end of the command and checks its exit code and what it said. It
// says no secret.
func (c *command) ends(code int, text string) {
	c.t.Helper()
	_ = c.cmd.Wait() // the exit code is read below
	c.took = time.Since(c.began)
	if got := c.cmd.ProcessState.ExitCode(); got != code || !strings.Contains(c.said.String(), text) {
		c.t.Errorf("got the exit code %d, want %d and %q: %s", got, code, text, c.said)
	}
	if strings.Contains(c.said.String(), "eyJ") {
		c.t.Errorf("the command says a JWT: %s", c.said)
	}
}

// run runs another command in the same folder.
func (c *command) run(args ...string) (string, int) {
	c.t.Helper()
	cmd := c.command(c.t.Context(), args)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// isAnn checks that commands without a token use the session, which is one of Ann.
func (c *command) isAnn() {
	c.t.Helper()
	if out, code := c.run("create", "--name", c.t.Name(), "--out", "laptop.token"); code != 0 {
		c.t.Errorf("create got %d %s", code, out)
	}
	list, err := c.s.signIn(keycloak.Ann).List(c.t.Context(), httpapi.ListQuery{})
	if err != nil || !slices.ContainsFunc(list.Entries, func(e httpapi.Entry) bool { return e.Name == c.t.Name() }) {
		c.t.Errorf("Ann has the tokens %+v, %v", list.Entries, err)
	}
}
