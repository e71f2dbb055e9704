package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
	"apitoken/cmd/readme/readmetest"
)

// TestREADMEHasEveryCommand compares the README's table with the commands. A
// command that only groups others is not in it, nor is cobra's own help.
func TestREADMEHasEveryCommand(t *testing.T) {
	root := newRoot(&console.Env{Getenv: func(string) string { return "" }})
	root.InitDefaultCompletionCmd()
	const header = "command of `apitoken`"
	readmetest.Compare(t, header, readmetest.Names(t, header), leaves(root, ""))
}

// leaves are the names of the commands below c. completion has a command for
// each shell and is one name.
func leaves(c *cobra.Command, name string) (names []string) {
	if name == "completion" || !c.HasSubCommands() {
		return []string{name}
	}
	for _, sub := range c.Commands() {
		names = append(names, leaves(sub, strings.TrimSpace(name+" "+sub.Name()))...)
	}
	return names
}

// TestREADMEHasEveryVariableOfTheCommands compares the README's table with the
// environment variables that the code of the commands reads.
func TestREADMEHasEveryVariableOfTheCommands(t *testing.T) {
	const header = "a command reads"
	readmetest.Compare(t, header, readmetest.Names(t, header), readmetest.Variables(t, "cmd"))
}
