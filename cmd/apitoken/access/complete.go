package access

import (
	"github.com/spf13/cobra"

	"apitoken/cmd/apitoken/console"
)

// CompleteContexts lets the shell complete the flag --context of root and of all
// commands below it with the names of the contexts.
func CompleteContexts(root *cobra.Command, e *console.Env) {
	if root.Flags().Lookup("context") != nil {
		root.RegisterFlagCompletionFunc("context", contextNames(e))
	}
	for _, c := range root.Commands() {
		CompleteContexts(c, e)
	}
}

// CompleteContext is the completion of one argument that names a context.
func CompleteContext(e *console.Env) cobra.CompletionFunc {
	names := contextNames(e)
	return func(c *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(c, args, begin)
	}
}

// contextNames completes nothing if the contexts cannot be read: a message would
// disturb the shell's line.
func contextNames(e *console.Env) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		stored, err := ReadContexts(e)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, name := range stored.Names() {
			names = append(names, cobra.CompletionWithDesc(name, stored.Contexts[name].URL))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
