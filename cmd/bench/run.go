package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"apitoken/cmd/bench/outside"
)

// bench is one run.
type bench struct {
	tokens, past, rounds int
	tries                int // of a slice, until the machine is quiet
	slice                time.Duration
	dir                  string // for files of the whole run
	built                string // the program apitoken
	results              []result
}

// measurement is one part of a run, in a data folder of its own.
type measurement struct {
	name    string
	outside bool // it needs the CPU time of another process
	measure func(*bench, folder) error
}

var measurements = []measurement{
	{"authorize", false, (*bench).authorize},
	{"large", true, (*bench).largeStore},
	{"guarded", true, (*bench).guarded},
	{"forward", true, (*bench).forward},
	{"create", true, (*bench).create},
	{"refused", true, (*bench).refused},
	{"history", false, (*bench).history},
	{"sweep", true, func(b *bench, _ folder) error { return longEnough(b.tokens/5, b.sweeping) }},
	{"collect", true, func(b *bench, _ folder) error { return longEnough(b.tokens/5, b.collecting) }},
	{"dynamo", false, (*bench).authorizeOnDynamo},
}

func names() (all []string) {
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

// selection returns the measurements of a list of names. An empty list is all.
func selection(list string) (selected []measurement, err error) {
	if list == "" {
		return measurements, nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("-only has %q, which is no measurement; allowed: %s", name, strings.Join(names(), ", "))
		}
	}
	for _, m := range measurements {
		if slices.Contains(wanted, m.name) {
			selected = append(selected, m)
		}
	}
	return selected, nil
}

// check refuses settings that cannot be measured.
func (b *bench) check(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("the argument %q is not known; only flags are allowed", args[0])
	case b.slice < time.Second || b.slice%time.Second != 0:
		return fmt.Errorf("-slice is %v; allowed: whole seconds from 1s", b.slice)
	}
	for name, n := range map[string]int{"-rounds": b.rounds, "-tries": b.tries} {
		if n < 1 {
			return fmt.Errorf("%s is %d; allowed: 1 and more", name, n)
		}
	}
	if b.tokens < 1000 || b.past < 10 {
		return fmt.Errorf("-tokens is %d and -past is %d; allowed: at least 1000 tokens and 10 events", b.tokens, b.past)
	}
	return nil
}

func (b *bench) run(selected []measurement) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	fmt.Println(b.machine())
	unsupported := outside.Supported()
	for _, m := range selected {
		if m.outside && unsupported != nil {
			fmt.Printf("%s is left out: %v\n", m.name, unsupported)
			continue
		}
		if err := inFolder(func(f folder) error { return m.measure(b, f) }); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (b *bench) plan() outside.Plan { return outside.Plan{Rounds: b.rounds, Tries: b.tries} }

// program is the path of apitoken, which the first call builds.
func (b *bench) program() (path string, err error) {
	if b.built == "" {
		b.built, err = program(b.dir)
	}
	return b.built, err
}

func (b *bench) report(r result) {
	fmt.Println(r)
	b.results = append(b.results, r)
}
