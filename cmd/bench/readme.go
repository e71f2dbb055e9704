package main

import (
	"fmt"
	"os"
	"strings"
)

// machineLine begins the line above the table in the README.
const machineLine = "Measured on "

func (b budget) rowStart() string { return fmt.Sprintf("| %s | %s |", b.what, b.against) }

func (r result) row() string {
	return fmt.Sprintf("%s %s | %s |", r.rowStart(), r.measured(), r.bound())
}

// renew writes the machine and the results over those in the README. Rows of
// other measurements stay.
func renew(path, machine string, results []result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	renewed, err := renewed(string(text), machine, results)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(renewed), 0o644)
}

func renewed(text, machine string, results []result) (string, error) {
	lines := strings.Split(text, "\n")
	if err := replaceLine(lines, machineLine, machineLine+machine+":"); err != nil {
		return "", err
	}
	for _, r := range results {
		if err := replaceLine(lines, r.rowStart(), r.row()); err != nil {
			return "", err
		}
	}
	return strings.Join(lines, "\n"), nil
}

func replaceLine(lines []string, start, line string) error {
	for i := range lines {
		if strings.HasPrefix(lines[i], start) {
			lines[i] = line
			return nil
		}
	}
	return fmt.Errorf("no line begins with %q", start)
}
