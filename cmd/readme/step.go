package main

import "strings"

// step is one command of the README and the lines of output that follow it.
type step struct {
	line    int // of the README
	command string
	output  []string
	needs   []string // programs beside those that each command of the README needs
}

const (
	needsBegin = "<!-- needs "
	needsEnd   = " -->"
)

// parseSteps returns the commands of all console blocks, in order. A line
// "<!-- needs PROGRAM... -->" before a block names what its commands need.
func parseSteps(readme string) (steps []step) {
	inConsole := false
	var needs []string
	for i, line := range strings.Split(readme, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		programs, isNeeds := strings.CutPrefix(line, needsBegin)
		switch {
		case isNeeds && !inConsole:
			needs = strings.Fields(strings.TrimSuffix(programs, needsEnd))
		case line == "```console":
			inConsole = true
		case strings.HasPrefix(line, "```"):
			inConsole, needs = false, nil
		case inConsole && isCommand:
			steps = append(steps, step{line: i + 1, command: command, needs: needs})
		case inConsole && len(steps) > 0:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}
