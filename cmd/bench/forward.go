package main

import (
	"context"
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

	"apitoken/cmd/apitoken/proxyconfig"
	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
	"apitoken/functions/httpapi/forward"

	"go.etcd.io/bbolt"
)

var forwardTime = budget{"verdict through nginx, time that it adds to a request, median", "the same with a static answer from the bare server", 1.3, "×"}

// forward compares the time that a verdict adds to a request through nginx. The three
// proxies have the file of apitoken config, and one backend. One asks apitoken, one asks
// the bare server, and one does not ask. Each of the servers is a process of its own: a
// server that was also the backend would still be awake from the verdict.
func (b *bench) forward(f folder) (err error) {
	program, found := findNginx()
	if !found {
		fmt.Println("forward is left out: nginx is not installed")
		return nil
	}
	samples, err := f.fill(context.Background(), 1000)
	if err != nil {
		return err
	}
	path, err := b.fillBare(samples, 1000)
	if err != nil {
		return err
	}
	asked, err := freeAddress()
	if err != nil {
		return err
	}
	var running []process
	defer func() {
		for _, p := range running {
			err = errors.Join(err, p.stop())
		}
	}()
	for _, start := range []func() (process, error){
		func() (process, error) { return b.serve(f, "--forward-listen", asked) },
		func() (process, error) { return child("bare-verdict", path) },
		func() (process, error) { return child("backend") },
	} {
		p, err := start()
		if err != nil {
			return err
		}
		running = append(running, p)
	}
	bare, backend := running[1], running[2]
	for _, change := range []struct{ ask, with string }{{asked, askLine}, {bare.addr, askLine}, {bare.addr, ""}} {
		p, err := b.startNginx(program, change.ask, backend.addr, change.with)
		if err != nil {
			return err
		}
		running = append(running, p)
	}
	return b.throughNginx(samples, running)
}

// throughNginx sends the same requests to the three proxies by turns, on one connection
// to each. All processes that work for them are watched, so that the others are those of
// other programs.
func (b *bench) throughNginx(samples []sample, running []process) error {
	var pids []int
	for _, p := range running {
		pids = append(pids, p.pid)
	}
	blocks := load.Blocks{Size: 50, For: b.slice}
	for _, proxy := range running[len(running)-3:] {
		j := b.reads(proxy, samples, 0)
		j.Connections = 1
		blocks.Jobs = append(blocks.Jobs, j)
		if _, err := send(j); err != nil { // the first use of each token writes
			return err
		}
	}
	c, err := b.plan().CompareByTurns(func() (outside.Slice, error) {
		return outside.MeasureAll(pids, func() (outside.Sent, error) { return added(sendByTurns(blocks)) })
	})
	if err != nil {
		return err
	}
	b.report(forwardTime.compared(c, "µs"))
	return nil
}

// added has the median times that a verdict of ours and of the bare server add to a
// request, in microseconds. The results are of both and of requests without a verdict.
func added(rs []load.Result, err error) (outside.Sent, error) {
	if err != nil {
		return outside.Sent{}, err
	}
	var medians [3]float64
	requests := 0
	for i, r := range rs {
		medians[i] = 1000 * outside.Percentile(load.Millis(r.Kinds[0]), 0.5)
		requests += r.Count()
	}
	return outside.Sent{Requests: requests, Value: medians[0] - medians[2], Bare: medians[1] - medians[2]}, nil
}

const askLine = "auth_request /apitoken-verdict;"

// startNginx starts nginx in a folder of its own. with replaces the line that asks.
func (b *bench) startNginx(program, ask, backend, with string) (process, error) {
	listen, err := freeAddress()
	if err != nil {
		return process{}, err
	}
	file, err := proxyconfig.Config("nginx", proxyconfig.Addresses{Listen: listen, Forward: ask, Backend: backend})
	if err == nil {
		file, err = proxyconfig.Standalone(strings.Replace(file, askLine, with, 1))
	}
	if err != nil {
		return process{}, err
	}
	dir, err := os.MkdirTemp(b.dir, "nginx")
	if err == nil {
		file = strings.Replace(file, "http {", "http {\nkeepalive_requests 1000000000; # the load keeps its connection", 1)
		err = os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(file), 0o600)
	}
	if err != nil {
		return process{}, err
	}
	c := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off; master_process off;")
	if err := c.Start(); err != nil {
		return process{}, fmt.Errorf("starting nginx: %w", err)
	}
	p := process{addr: listen, pid: c.Process.Pid, stop: func() error { return errors.Join(c.Process.Signal(syscall.SIGTERM), c.Wait()) }}
	return p, p.await()
}

// await returns when something listens at the address.
func (p process) await() error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("nginx does not listen: %w", err), p.stop())
		}
	}
}

// findNginx looks in /usr/sbin too, where Debian has it.
func findNginx() (path string, found bool) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// bareVerdict does the work of bareRead for each question, and answers with the same
// headers for every token.
func bareVerdict(args []string) error {
	db, err := bbolt.Open(args[0], 0o600, &bbolt.Options{ReadOnly: true, NoStatistics: true})
	if err != nil {
		return err
	}
	return errors.Join(serveUntilEnd(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bareOwner(db, r) == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h := w.Header()
		h.Set(forward.Owner, "user0000001")
		h.Set(forward.TokenID, "00000000")
		h.Set(forward.Scopes, "-")
		h.Set(forward.Expires, "-")
	}), func() {}), db.Close())
}

// emptyBackend is the service that nginx guards. Its answer is empty.
func emptyBackend([]string) error {
	return serveUntilEnd(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), func() {})
}
