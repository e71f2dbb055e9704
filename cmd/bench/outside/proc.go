package outside

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc. Linux fixes USER_HZ at 100 for all
// architectures that Go runs on.
const tick = 10 * time.Millisecond

// ErrNoProc means that the system has no /proc/stat: it is not Linux.
var ErrNoProc = errors.New("this system has no /proc/stat, so the CPU time of a server process is not known")

// Supported returns ErrNoProc on a system where nothing can be measured.
func Supported() error {
	_, err := stolenTime()
	return err
}

// usage is the user and system CPU time of a process, and of its children that have
// ended.
type usage struct{ own, children time.Duration }

func (u usage) sum() time.Duration { return u.own + u.children }

func usageOf(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	return parseProcess(text)
}

// parseProcess reads the members 14 to 17 of /proc/PID/stat. The second member is the
// name of the program in parentheses, which may contain spaces and parentheses.
func parseProcess(text []byte) (u usage, err error) {
	end := bytes.LastIndexByte(text, ')')
	members := strings.Fields(string(text[end+1:])) // the first one is member 3
	if end < 0 || len(members) < 15 {
		return usage{}, fmt.Errorf("/proc/PID/stat has %d members after the name, want at least 15", len(members))
	}
	own, err1 := sumTicks(members[11:13])
	children, err2 := sumTicks(members[13:15])
	return usage{own, children}, errors.Join(err1, err2)
}

// totalUsage is the CPU time of all processes. When one ends, its time goes to its
// parent and stays in the sum. The kernel counts it exactly, and not by a sample at each
// clock tick as the first line of /proc/stat: a load with a constant rate runs in step
// with the ticks.
func totalUsage() (sum time.Duration, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue // no process
		}
		if u, err := usageOf(pid); err == nil { // otherwise it ended meanwhile
			sum += u.sum()
		}
	}
	return sum, nil
}

// stolenTime is the CPU time that the host of this machine gave to other machines.
func stolenTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNoProc
	}
	if err != nil {
		return 0, err
	}
	return parseStolen(text)
}

// parseStolen reads the eighth number of the first line.
func parseStolen(text []byte) (time.Duration, error) {
	line, _, _ := strings.Cut(string(text), "\n")
	members := strings.Fields(line)
	if len(members) < 9 || members[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q, want \"cpu\" and at least 8 numbers", line)
	}
	return sumTicks(members[8:9])
}

func sumTicks(numbers []string) (sum time.Duration, err error) {
	for _, text := range numbers {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("a time in /proc is %q, want a number of ticks", text)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}
