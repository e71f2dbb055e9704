package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// session runs steps in one folder, like a shell: an exported variable keeps its
// value for later steps.
type session struct {
	dir      string
	exports  []string
	examples examples
	service  *exec.Cmd
	started  []int // process groups of commands that end with &
	all      bool  // no command is left out
}

// newSession returns a session that also finds the programs of root: Debian has nginx
// in /usr/sbin.
func newSession(dir string, all bool) *session {
	return &session{dir: dir, exports: []string{`export PATH="$PATH:/usr/sbin"`}, all: all}
}

// runAll runs the steps. A README with few commands, without the service or
// without a token is an error: then the parser did not find the commands.
func (s *session) runAll(ctx context.Context, steps []step) error {
	leftOut := 0
	for _, step := range steps {
		if missing := s.missing(ctx, step.needs); missing != "" {
			if s.all {
				return fmt.Errorf("README line %d: $ %s\nit needs %s, which is not installed", step.line, step.command, missing)
			}
			fmt.Printf("Left out, because it needs %s: $ %s\n", missing, step.command)
			leftOut++
			continue
		}
		if err := s.run(ctx, step); err != nil {
			return fmt.Errorf("README line %d: $ %s\n%w", step.line, step.command, err)
		}
	}
	if len(steps) < 8 || s.service == nil || len(s.examples) == 0 {
		return fmt.Errorf("the README shows too little: %d commands, service started: %v, %d ids and tokens", len(steps), s.service != nil, len(s.examples))
	}
	fmt.Printf("%d of %d commands of the README give the output that it shows\n", len(steps)-leftOut, len(steps))
	return nil
}

func (s *session) run(ctx context.Context, st step) error {
	command := s.examples.replace(st.command)
	switch {
	case command == "make run":
		return s.startService(ctx)
	case strings.HasPrefix(command, "git clone ") || strings.HasPrefix(command, "cd "):
		return nil // this folder is the clone
	case strings.HasPrefix(command, "export ") && !strings.Contains(command, "$("):
		s.exports = append(s.exports, command)
		return nil
	}
	fmt.Println("$", st.command)
	script := strings.Join(append(slices.Clone(s.exports), command), "\n")
	if strings.HasSuffix(command, "&") {
		return s.background(ctx, script)
	}
	out, err := shell(ctx, s.dir, script)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return s.examples.compare(st.output, out)
}

// missing returns the first program that is not installed, or "".
func (s *session) missing(ctx context.Context, programs []string) string {
	for _, p := range programs {
		if _, err := shell(ctx, s.dir, strings.Join(append(slices.Clone(s.exports), "command -v "+p), "\n")); err != nil {
			return p
		}
	}
	return ""
}

// background runs a command that ends with & in a process group of its own, so that
// stop also ends what the command has started.
func (s *session) background(ctx context.Context, script string) error {
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := c.Run()
	if c.Process != nil {
		s.started = append(s.started, c.Process.Pid)
	}
	return err
}

// startService starts `make run` in a process group of its own, so that stop
// also ends the processes that make starts. It waits until the service answers.
func (s *session) startService(ctx context.Context) error {
	if healthy() {
		return fmt.Errorf("another service answers at %s", healthURL)
	}
	fmt.Println("$ make run &")
	c := exec.Command("make", "run")
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	s.service = c
	for ctx.Err() == nil {
		if healthy() {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the service does not answer: %w", ctx.Err())
}

const healthURL = "http://127.0.0.1:8080/healthz" // the default address of `make run`

func healthy() bool {
	resp, err := http.Get(healthURL)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *session) stop() {
	for _, group := range s.started {
		syscall.Kill(-group, syscall.SIGTERM)
	}
	if s.service != nil {
		syscall.Kill(-s.service.Process.Pid, syscall.SIGTERM)
		s.service.Wait()
	}
}

// shell runs a bash script and returns its standard output and error together.
func shell(ctx context.Context, dir, script string) (string, error) {
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	c.Dir = dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}
