// Command readme holds the README to its word. It clones the repository into
// an empty folder, runs there what the README's console blocks show after
// "$ ", in their order, and compares what comes out with what they promise.
//
// A block that runs `make run` is the service: it stays in the background
// until the end. Ids, tokens, times and hashes differ from run to run, so both
// sides are compared with those replaced; the example id and token of the
// README are replaced in later commands by the ones that really came about.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	top, err := output(ctx, ".", "git rev-parse --show-toplevel")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if out, err := output(ctx, dir, "git clone -q '"+strings.TrimSpace(top)+"' clone"); err != nil {
		return fmt.Errorf("cloning: %w\n%s", err, out)
	}
	s := &session{dir: filepath.Join(dir, "clone"), real: map[string]string{}}
	defer s.stop()
	readme, err := os.ReadFile(filepath.Join(s.dir, "README.md"))
	if err != nil {
		return err
	}
	steps := parse(string(readme))
	for _, step := range steps {
		if err := s.do(ctx, step); err != nil {
			return fmt.Errorf("README line %d: $ %s\n%w", step.line, step.command, err)
		}
	}
	if len(steps) < 8 || s.service == nil || len(s.real) == 0 {
		return fmt.Errorf("the README shows too little: %d commands, service %v, %d ids", len(steps), s.service != nil, len(s.real))
	}
	fmt.Printf("the README keeps its word: %d commands\n", len(steps))
	return nil
}

// step is one command of the README and the output that it promises.
type step struct {
	line    int
	command string
	promise []string
}

func parse(readme string) (steps []step) {
	inside := false
	for i, line := range strings.Split(readme, "\n") {
		switch command, found := strings.CutPrefix(line, "$ "); {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && found:
			steps = append(steps, step{line: i + 1, command: command})
		case inside && len(steps) > 0:
			last := &steps[len(steps)-1]
			last.promise = append(last.promise, line)
		}
	}
	return steps
}

// session is a shell whose variables last from step to step.
type session struct {
	dir     string
	exports []string
	real    map[string]string // the README's example id or token -> the real one
	service *exec.Cmd
}

func (s *session) do(ctx context.Context, st step) error {
	command := s.replace(st.command)
	switch {
	case command == "make run":
		return s.serve(ctx)
	case strings.HasPrefix(command, "git clone ") || strings.HasPrefix(command, "cd "):
		return nil // the clone is where we already are
	case strings.HasPrefix(command, "export ") && !strings.Contains(command, "$("):
		s.exports = append(s.exports, command)
		return nil
	}
	fmt.Println("$", st.command)
	got, err := output(ctx, s.dir, strings.Join(append(s.exports, command), "\n"))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, got)
	}
	return s.compare(st.promise, got)
}

func (s *session) compare(promise []string, got string) error {
	want := strings.Join(promise, "\n")
	for _, form := range []*regexp.Regexp{tokenForm, idForm} {
		s.learn(form, want, got)
	}
	for _, line := range promise {
		if line = normal(s.replace(line)); line != "" && line != "..." && !strings.Contains(normal(got), line) {
			return fmt.Errorf("promised: %s\ngot:\n%s", line, got)
		}
	}
	return nil
}

// learn pairs the first example of a form with the first real one.
func (s *session) learn(form *regexp.Regexp, want, got string) {
	w, g := form.FindStringSubmatch(want), form.FindStringSubmatch(got)
	if w != nil && g != nil && s.real[w[1]] == "" {
		s.real[w[1]] = g[1]
	}
}

func (s *session) replace(text string) string {
	for example, real := range s.real {
		text = strings.ReplaceAll(text, example, real)
	}
	return text
}

var (
	tokenForm = regexp.MustCompile(`\b([0-9A-Za-z]{8}\.[0-9A-Za-z]{32})\b`)
	idForm    = regexp.MustCompile(`with id: ([0-9A-Za-z]{8})\b`)
	timeForm  = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	hashForm  = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	clockForm = regexp.MustCompile(`\d+(\.\d+)?m?s\b`)
	spaces    = regexp.MustCompile(`\s+`)
)

func normal(text string) string {
	text = timeForm.ReplaceAllString(text, "TIME")
	text = hashForm.ReplaceAllString(text, "HASH")
	text = clockForm.ReplaceAllString(text, "DURATION")
	return strings.TrimSpace(spaces.ReplaceAllString(text, " "))
}

func (s *session) serve(ctx context.Context) error {
	fmt.Println("$ make run &")
	s.service = exec.Command("make", "run")
	s.service.Dir = s.dir
	s.service.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.service.Stdout, s.service.Stderr = os.Stderr, os.Stderr
	if err := s.service.Start(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if resp, err := http.Get("http://127.0.0.1:8080/healthz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the service did not come up: %w", ctx.Err())
}

func (s *session) stop() {
	if s.service != nil {
		syscall.Kill(-s.service.Process.Pid, syscall.SIGTERM)
		s.service.Wait()
	}
}

func output(ctx context.Context, dir, script string) (string, error) {
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	c.Dir = dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}
