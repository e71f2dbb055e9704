package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"

	"apitoken/cmd/bench/load"
	"apitoken/cmd/bench/outside"
)

// children are the modes in which this program runs as a child of itself. The servers
// and the load that are measured are never in one process.
var children = map[string]struct {
	args int
	run  func(args []string) error
}{
	"load":         {0, func([]string) error { return sendLoad(os.Stdin, os.Stdout) }},
	"load-blocks":  {0, func([]string) error { return sendBlocks(os.Stdin, os.Stdout) }},
	"bare-read":    {1, bareRead},
	"bare-create":  {2, bareCreate},
	"bare-verdict": {1, bareVerdict},
	"backend":      {0, emptyBackend},
	"beside":       {2, beside},
}

// exitEarly is the exit code of a child whose work ended before the measurement.
const exitEarly = 3

// childMain reports whether the arguments name a mode of a child, and runs it. code is
// then the exit code.
func childMain(args []string) (ran bool, code int) {
	ran, err := runChild(args)
	switch {
	case errors.Is(err, errEarly):
		return ran, exitEarly
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return ran, 1
	}
	return ran, 0
}

func runChild(args []string) (ran bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	mode, ran := children[args[0]]
	if !ran {
		return false, nil
	}
	if len(args[1:]) != mode.args {
		return true, fmt.Errorf("%s has %d arguments, want %d; only this program runs it, as its child", args[0], len(args[1:]), mode.args)
	}
	return true, mode.run(args[1:])
}

// sendLoad reads a job and writes its result.
func sendLoad(in io.Reader, out io.Writer) error {
	var j load.Job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	r, err := load.Run(j)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

// sendBlocks reads jobs that are done by turns and writes their results.
func sendBlocks(in io.Reader, out io.Writer) error {
	var b load.Blocks
	if err := json.NewDecoder(in).Decode(&b); err != nil {
		return fmt.Errorf("reading the jobs: %w", err)
	}
	r, err := load.RunBlocks(b)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

// send does the job in a process of its own.
func send(j load.Job) (r load.Result, err error) {
	err = inChild("load", j, &r)
	return r, err
}

// sendByTurns does the jobs in one process of their own.
func sendByTurns(b load.Blocks) (rs []load.Result, err error) {
	err = inChild("load-blocks", b, &rs)
	return rs, err
}

// inChild runs a child with an input, and reads its output.
func inChild(mode string, input, output any) error {
	c, err := childCommand(mode)
	if err != nil {
		return err
	}
	out, err := runWithInput(c, input)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, output)
}

func runWithInput(c *exec.Cmd, input any) ([]byte, error) {
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	wrote := make(chan error, 1)
	go func() {
		err := json.NewEncoder(in).Encode(input)
		in.Close()
		wrote <- err
	}()
	out, err := c.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("the load ended with %w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return nil, err
	}
	return out, <-wrote
}

// percentile is a load on an open schedule. Its value is the 99th percentile of the
// first kind of requests in ms.
func percentile(j load.Job) outside.Load {
	return func() (outside.Sent, error) {
		r, err := send(j)
		if err != nil {
			return outside.Sent{}, err
		}
		return outside.Sent{Requests: r.Count(), Value: outside.Percentile(load.Millis(r.Kinds[0]), 0.99)}, nil
	}
}

// serveUntilEnd serves on a free port until standard input ends. Each line there
// calls onLine.
func serveUntilEnd(h http.Handler, onLine func()) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(l, h)
	fmt.Println("http://" + l.Addr().String())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		onLine()
	}
	return lines.Err()
}
