package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server in a process of its own.
type process struct {
	addr string // host:port
	pid  int
	in   io.Writer // its standard input, if it is a child of this program
	stop func() error
}

func (p process) url() string { return "http://" + p.addr }

// program builds `apitoken` as `make build` does.
func program(dir string) (path string, err error) {
	path = filepath.Join(dir, "apitoken")
	c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "apitoken/cmd/apitoken")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building apitoken: %w: %s", err, out)
	}
	return path, nil
}

// serve runs `apitoken serve` on the folder. Its log goes to a file.
func (b *bench) serve(f folder, flags ...string) (process, error) {
	program, err := b.program()
	if err != nil {
		return process{}, err
	}
	log, err := os.CreateTemp(b.dir, "*.log")
	if err != nil {
		return process{}, err
	}
	defer log.Close()
	c := exec.Command(program, append([]string{"serve", "--data", f.dir, "--listen", "127.0.0.1:0"}, flags...)...)
	c.Stderr = log
	p, err := start(c, func() error { return c.Process.Signal(syscall.SIGTERM) })
	if err != nil {
		text, readErr := os.ReadFile(log.Name())
		return process{}, errors.Join(err, readErr, fmt.Errorf("its log: %s", text))
	}
	return p, nil
}

// child runs this program in another mode, which is one of children. It ends with its
// standard input, so it does not outlive this process.
func child(mode string, args ...string) (process, error) {
	c, err := childCommand(mode, args...)
	if err != nil {
		return process{}, err
	}
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return process{}, err
	}
	p, err := start(c, in.Close)
	p.in = in
	return p, err
}

func childCommand(mode string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, append([]string{mode}, args...)...), nil
}

// start waits until the server has printed its address.
func start(c *exec.Cmd, stop func() error) (process, error) {
	out, err := c.StdoutPipe()
	if err != nil {
		return process{}, err
	}
	if err := c.Start(); err != nil {
		return process{}, err
	}
	p := process{pid: c.Process.Pid, stop: func() error { return errors.Join(stop(), c.Wait()) }}
	giveUp := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer giveUp.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, after, found := strings.Cut(lines.Text(), "http://"); found {
			p.addr = strings.TrimRight(strings.Fields(after)[0], "/.,")
			go io.Copy(io.Discard, out)
			return p, nil
		}
	}
	return process{}, errors.Join(fmt.Errorf("%s ended before it printed its address", c.Path), c.Wait())
}
