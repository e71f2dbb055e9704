package outside

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// WrkThreads is the number of wrk's threads. Each sends its own token.
const WrkThreads = 4

// HasWrk reports whether wrk is installed: a load generator in C, which leaves more of
// the machine to the server than one in Go.
func HasWrk() bool {
	_, err := exec.LookPath("wrk")
	return err == nil
}

// Wrk lets wrk send GET requests over 16 connections. With one credential for each
// thread, no request runs a script: that would slow the load down and raise the CPU time
// of the server by 1 to 2 µs. With more credentials, requests take them in turns, by a
// script. dir receives the script, because a credential is never an argument.
func Wrk(dir, url string, credentials []string, d time.Duration) (Sent, error) {
	script := filepath.Join(dir, "wrk.lua")
	if err := os.WriteFile(script, []byte(wrkScript(credentials)), 0o600); err != nil {
		return Sent{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d+30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, "wrk", "-t", strconv.Itoa(WrkThreads), "-c", "16",
		"-d", strconv.Itoa(max(1, int(d/time.Second)))+"s", "-s", script, url)
	out, err := c.CombinedOutput()
	if err != nil {
		return Sent{}, fmt.Errorf("running wrk: %w: %s", err, out)
	}
	n, err := parseWrk(string(out))
	return Sent{Requests: n}, err
}

// wrkFunctions are called by wrk: setup for each thread before it starts, init in
// the thread, and request for each request if it is there.
const wrkFunctions = `}
local perThread, threads = math.max(1, math.floor(#credentials / %d)), 0
function setup(thread)
  thread:set("first", threads * perThread %% #credentials + 1)
  threads = threads + 1
end
function init(args)
  wrk.headers["Authorization"] = credentials[first]
  if perThread == 1 then return end
  local requests, next = {}, first
  for i, credential in ipairs(credentials) do
    wrk.headers["Authorization"] = credential
    requests[i] = wrk.format("GET")
  end
  function request()
    next = next %% #requests + 1
    return requests[next]
  end
end
`

func wrkScript(credentials []string) string {
	var b strings.Builder
	b.WriteString("local credentials = {")
	for _, c := range credentials {
		fmt.Fprintf(&b, "%q, ", c)
	}
	fmt.Fprintf(&b, wrkFunctions, WrkThreads)
	return b.String()
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkFaults   = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses: .*|Socket errors: .*)$`)
)

// parseWrk reads the number of requests. An answer other than a success is an error.
func parseWrk(out string) (requests int, err error) {
	if fault := wrkFaults.FindString(out); fault != "" {
		return 0, fmt.Errorf("wrk reports: %s", strings.TrimSpace(fault))
	}
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk printed no number of requests: %s", out)
	}
	return strconv.Atoi(m[1])
}
