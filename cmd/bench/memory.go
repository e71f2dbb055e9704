package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

var largeMemory = budget{"`serve`, large store, memory beyond the mapped file", "", 200, "MB"}

// memory runs `apitoken serve` on the folder, sends requests, and reads its
// resident memory without the mapped file (RssAnon in Linux's /proc).
func (b *bench) memory(p process, samples []sample) error {
	if _, err := send(b.reads(p, samples, 0)); err != nil {
		return err
	}
	mb, err := anonymousMemory(p.pid)
	if err != nil {
		return err
	}
	b.report(largeMemory.of(mb))
	return nil
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
