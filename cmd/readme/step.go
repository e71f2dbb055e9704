package main

import "strings"

// step is one command of the README and the lines of output that follow it.
type step struct {
	line    int // of the README
	command string
	output  []string
}

// parseSteps returns the commands of all console blocks, in order.
func parseSteps(readme string) (steps []step) {
	inConsole := false
	for i, line := range strings.Split(readme, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case line == "```console":
			inConsole = true
		case strings.HasPrefix(line, "```"):
			inConsole = false
		case inConsole && isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case inConsole && len(steps) > 0:
			last := &steps[len(steps)-1]
			last.output = append(last.output, line)
		}
	}
	return steps
}
