package console

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Formats are the values of --output that most commands have.
var Formats = []string{"table", "json", "text", "csv"}

// OutputFlag adds --output. The first format is the default.
func OutputFlag(c *cobra.Command, into *string, formats ...string) {
	c.Flags().StringVar(into, "output", formats[0], "the output format: "+strings.Join(formats, ", "))
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

func CheckOutput(output string, formats ...string) error {
	if !slices.Contains(formats, output) {
		return Usagef("--output has an unknown value; allowed: %s", strings.Join(formats, ", "))
	}
	return nil
}
