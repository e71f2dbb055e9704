package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

	"apitoken/cmd/bench/outside"

	"golang.org/x/sys/unix"
)

// machine is the kind of this machine and of the load.
func (b *bench) machine() string {
	load := "by a Go program, because wrk is not installed"
	if outside.HasWrk() {
		load = "by wrk"
	}
	return fmt.Sprintf("%d × %s, %s, %s, %s, full load %s, %d tokens in the large store, %d events in the long past", runtime.NumCPU(), cpuModel(), kernel(),
		runtime.Version(), runtime.GOARCH, load, b.tokens, b.past)
}

var modelName = regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`)

// cpuModel is the name that Linux gives the CPU. Not every architecture has one.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if m := modelName.FindSubmatch(text); m != nil {
		return strings.TrimSpace(string(m[1]))
	}
	return "unnamed CPU"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}
