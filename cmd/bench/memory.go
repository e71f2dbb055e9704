package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const memoryBudget = 200

// memory runs `apitoken serve` on the folder, sends requests, and reads its
// resident memory without the mapped file (RssAnon in Linux's /proc).
func (f folder) memory(report func(budget), samples []sample, n int) error {
	return f.serve(func(url string, pid int) error {
		if _, err := throughput(url+"/v1/session/who-am-i", samples); err != nil {
			return err
		}
		mb, err := anonymousMemory(pid)
		if err != nil {
			return err
		}
		report(budget{fmt.Sprintf("serve with %d tokens, resident beyond the mapped file", n), mb, memoryBudget, false, "MB"})
		return nil
	})
}

// serve runs `apitoken serve` on the folder while measure runs.
func (f folder) serve(measure func(url string, pid int) error) (err error) {
	program := filepath.Join(f.dir, "apitoken")
	if out, err := exec.Command("go", "build", "-o", program, "apitoken/cmd/apitoken").CombinedOutput(); err != nil {
		return fmt.Errorf("building apitoken: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	serve := exec.Command(program, "serve", "--data", f.dir, "--listen", addr)
	if err := serve.Start(); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, serve.Process.Signal(syscall.SIGTERM), serve.Wait())
	}()
	if err := waitFor("http://" + addr + "/healthz"); err != nil {
		return err
	}
	return measure("http://"+addr, serve.Process.Pid)
}

func waitFor(url string) error {
	for range 600 {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s did not answer within a minute", url)
}

func anonymousMemory(pid int) (mb float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			var kb float64
			_, err := fmt.Sscan(rest, &kb)
			return kb / 1024, err
		}
	}
	return 0, errors.New("/proc/PID/status of the server has no RssAnon")
}
